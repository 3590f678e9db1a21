"""Every key of the configuration, once: from these rows come parser, schema and reference."""

from healthguard.config.addresses import (
    AbsolutePath,
    ColourFile,
    HostPort,
    HttpUrl,
    InlineOrSocket,
    Listen,
    SocketPath,
)
from healthguard.config.environment import HeaderValue
from healthguard.config.kinds import (
    AllOrCount,
    Anything,
    Boolean,
    Choice,
    Duration,
    Integer,
    Percent,
    Regex,
    StatusRange,
    Text,
)
from healthguard.config.notifiers import NOTIFIER
from healthguard.config.settings import DaemonSettings
from healthguard.config.structures import (
    REQUIRED,
    Command,
    Either,
    Field,
    ListOf,
    MapOf,
    Nullable,
    OneOf,
    Section,
    default_of,
)
from healthguard.core.model import (
    BakePolicy,
    Expect,
    HealthPolicy,
    Policy,
    RollbackPolicy,
    UpstreamPolicy,
)
from healthguard.nginx.settings import NginxSettings
from healthguard.probes.spec import HttpSpec

NAME = Text("a word of a-z, 0-9, - and _", r"[a-z0-9][a-z0-9_-]*", 63)
TOKEN = Text("a header name", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", 128)
TEXT = Text()

NGINX = Section(
    Field("binary", AbsolutePath(), "The nginx program."),
    Field("config", AbsolutePath(), "nginx's main configuration file."),
    Field(
        "reload",
        Either(Choice("auto", "systemctl", "signal"), ListOf(TEXT)),
        "How to reload nginx. auto: systemctl under systemd, else a signal to the verified master. "
        "A list is a command with its arguments, run without a shell.",
    ),
    Field(
        "switcher",
        InlineOrSocket(),
        "inline: the daemon itself moves the link and reloads. A path: the socket of the "
        "`healthguard switcher` service, so that the daemon needs no rights.",
        "inline",
    ),
    Field("test_timeout", Duration("100ms", "5m"), "`nginx -t` is killed after this."),
    Field(
        "confirm_timeout",
        Duration("100ms", "5m"),
        "How long to wait after a reload for proof that nginx uses the upstream that the link "
        "names.",
    ),
    data=NginxSettings,
)

DAEMON = Section(
    Field("state_dir", AbsolutePath(), "Folder for what must survive a restart."),
    Field(
        "event_log",
        AbsolutePath(),
        "The event log: one JSON object per line.",
    ),
    Field(
        "control_socket",
        SocketPath(),
        "The socket that the command line uses to reach the daemon.",
    ),
    Field(
        "control_groups",
        ListOf(Text("the name of a group", r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?", 64), least=0),
        "Their members may give orders, like root and the daemon's own user.",
    ),
    Field(
        "http",
        Nullable(Listen()),
        "Address of metrics, page, /-/healthy and /-/ready. null turns it off; port 0 picks a free "
        "one.",
    ),
    Field(
        "log",
        Section(
            Field("level", Choice("debug", "info", "warning", "error"), "The lowest level to log."),
            Field(
                "format",
                Choice("auto", "journal", "text", "json"),
                "auto: journald fields under systemd, coloured text on a terminal, else JSON.",
            ),
        ),
        "The daemon's own log.",
        {},
    ),
    data=DaemonSettings,
)

JSON_PATH = Text("a dotted path", r"[^.]+(\.[^.]+)*", 256)
_MAX_LATENCY = Field("max_latency", Duration("1ms", "1h"), "A slower answer fails (slow).")

EXPECT = Section(
    Field(
        "status",
        Either(StatusRange(), ListOf(StatusRange())),
        "Statuses that pass: one, a range, or a list of them.",
        default_of(Expect, "status")[0],
    ),
    Field(
        "body",
        Either(TEXT, Section(Field("regex", Regex(), "Must be found in the body.", REQUIRED))),
        "Text that the first 64 KiB of the body must contain.",
    ),
    Field(
        "json",
        MapOf(JSON_PATH, Anything(), most=64),
        "Fields of the JSON body, by dotted path, and the value each must have.",
    ),
    Field("header", MapOf(TOKEN, TEXT, most=64), "Answer headers and their exact values."),
    _MAX_LATENCY,
)

_PROBE_NAME = Field("name", NAME, "Its name in metrics and events. Default: http, http-2, tcp, ...")
_PROBE_TIMEOUT = Field(
    "timeout", Duration("10ms", "5m"), "This probe's timeout. Default: health.timeout."
)
_EXPECT_LATENCY = Field("expect", Section(_MAX_LATENCY), "What a good answer looks like.")

PROBE = OneOf(
    http=Section(
        Field("http", HttpUrl(), "URL; also http://unix:/run/app.sock:/healthz.", REQUIRED),
        _PROBE_NAME,
        Field("expect", EXPECT, "What a good answer looks like.", {}),
        Field(
            "method",
            Text("a method in capitals", r"[A-Z]{1,16}", 16),
            "The method.",
            default_of(HttpSpec, "method"),
        ),
        Field(
            "host",
            Text("a host, with or without a port", r"[A-Za-z0-9._:\[\]-]+", 255),
            "The Host header. Default: from the URL.",
        ),
        Field(
            "headers",
            MapOf(TOKEN, HeaderValue(), most=64),
            "Request headers. ${NAME} stands for an environment variable of the daemon.",
        ),
        Field("ca_file", AbsolutePath(), "Trust only the certificates in this PEM file."),
        Field(
            "verify", Boolean(), "false: accept any certificate.", default_of(HttpSpec, "verify")
        ),
        _PROBE_TIMEOUT,
    ),
    tcp=Section(
        Field("tcp", HostPort(), "host:port, [::1]:port or unix:/path.", REQUIRED),
        _PROBE_NAME,
        _EXPECT_LATENCY,
        _PROBE_TIMEOUT,
    ),
    exec=Section(
        Field(
            "exec",
            Command(TEXT),
            "Program (absolute path) and arguments; exit 0 is a pass.",
            REQUIRED,
        ),
        _PROBE_NAME,
        _EXPECT_LATENCY,
        _PROBE_TIMEOUT,
    ),
)

UPSTREAM = Section(
    Field("config", ColourFile(), "Its nginx file, in the link's folder.", REQUIRED),
    Field("probes", ListOf(PROBE), "Its probes, at least one.", REQUIRED),
    Field(
        "require",
        AllOrCount(1, 64),
        "How many of its probes must be up for it to be up.",
        default_of(UpstreamPolicy, "require"),
    ),
)

HEALTH = Section(
    Field("interval", Duration("10ms", "1h"), "Time between two starts of a probe."),
    Field(
        "fast_interval",
        Duration("10ms", "1h"),
        "Interval while a result is changing, in a bake, and for an active upstream that is down. "
        "The default is never longer than interval.",
    ),
    Field("down_interval", Duration("10ms", "1h"), "Interval for a standby that is down."),
    Field(
        "timeout",
        Duration("10ms", "5m"),
        "A probe that takes longer fails.",
        default_of(HttpSpec, "timeout_ms"),
    ),
    Field("jitter", Percent(50), "Random variation of each interval.", 0.05),
    Field("fall", Integer(1, 100), "Consecutive fails to go down."),
    Field("rise", Integer(1, 100), "Consecutive passes to go up."),
    Field(
        "window",
        Section(
            Field("fails", Integer(1, 1000), "This many fails ...", REQUIRED),
            Field("of", Integer(2, 1000), "... among this many latest results.", REQUIRED),
        ),
        "Takes an upstream down although its fails are not consecutive. Off unless set.",
    ),
    data=HealthPolicy,
)

ROLLBACK = Section(
    Field(
        "min_down",
        Duration("0s", "1h"),
        "How long a run of fails must last before an automatic switch.",
    ),
    Field("cooldown", Duration("0s", "24h"), "Least time between automatic switches."),
    Field(
        "budget",
        Section(
            Field("switches", Integer(1, 100), "This many automatic switches ..."),
            Field("per", Duration("1s", "24h"), "... in this time; after that the pool latches."),
        ),
        "The limit on automatic switches.",
        {},
    ),
    Field("daily_budget", Integer(1, 1000), "Automatic switches allowed in 24 hours."),
    Field(
        "standby_passes",
        Integer(1, 100),
        "Fresh passes the standby needs before an automatic switch.",
    ),
    Field(
        "start_grace",
        Duration("0s", "24h"),
        "After the host boots, an active upstream gets this long to come up for the first time.",
    ),
    data=RollbackPolicy,
)

BAKE = Section(
    Field("for", Duration("100ms", "24h"), "Length of the bake."),
    Field(
        "fall",
        Integer(1, 100),
        "Like health.fall, in the bake; the default is never more than that.",
    ),
    Field(
        "min_down",
        Duration("0s", "1h"),
        "Like rollback.min_down, in the bake; the default is never more than that.",
    ),
    Field("max_latency", Duration("1ms", "1h"), "A slower answer fails, in the bake only."),
    data=BakePolicy,
)

CONFIRM = Section(
    Field(
        "url",
        HttpUrl(plain_only=True),
        "nginx itself answers here; the body is the name of the upstream its workers use.",
        REQUIRED,
    )
)

_MODE = Choice("auto", "propose", "observe")

RELEASE = OneOf(
    header=Section(Field("header", TOKEN, "The answer header that names it.", REQUIRED)),
    json=Section(Field("json", JSON_PATH, "The field of the JSON body, by dotted path.", REQUIRED)),
)

_POOL_FIELDS = (
    Field(
        "mode",
        Either(
            _MODE,
            Section(
                Field("bake", _MODE, "During a bake.", default_of(Policy, "mode_bake")),
                Field("steady", _MODE, "At any other time.", default_of(Policy, "mode_steady")),
            ),
        ),
        "auto switches; propose waits for a person's approval; observe only reports what it would "
        "have done.",
        default_of(Policy, "mode_steady"),
    ),
    Field("stable", NAME, "The upstream you vouch for as the rollback target."),
    Field(
        "standby",
        Choice("warm", "stopped"),
        "stopped: the standby is shut down on purpose, so there is no automatic switch.",
        default_of(Policy, "standby"),
    ),
    Field("health", HEALTH, "Timers and thresholds of the probes.", {}),
    Field("rollback", ROLLBACK, "When and how often an automatic switch may happen.", {}),
    Field("bake", BAKE, "Probation after a switch by a person, a deploy or another program.", {}),
    Field("release", RELEASE, "Where a probe's answer names the running release."),
    Field(
        "dependencies",
        ListOf(PROBE, least=0, most=16),
        "Probes of what all upstreams need: they can only veto an automatic switch.",
        (),
    ),
    Field("confirm", CONFIRM, "How to prove which upstream nginx uses. Recommended."),
    Field("notify", ListOf(NAME, least=0), "Names of the notifiers that get its messages.", ()),
)

POOL = Section(
    Field("link", AbsolutePath(), "The symlink that nginx includes.", REQUIRED),
    Field(
        "upstreams",
        MapOf(NAME, UPSTREAM, least=2, few="must have at least two upstreams", most=16),
        "The upstreams by name, two or more.",
        REQUIRED,
    ),
    *_POOL_FIELDS,
)

DEFAULTS = Section(*_POOL_FIELDS)

ROOT = Section(
    Field("nginx", NGINX, "The nginx of this host.", {}),
    Field("daemon", DAEMON, "The daemon itself.", {}),
    Field(
        "defaults", DEFAULTS, "Defaults for all pools: any key of a pool except link and upstreams."
    ),
    Field(
        "pools",
        MapOf(NAME, POOL, least=1, few="must have at least one pool"),
        "The pools by name.",
        REQUIRED,
    ),
    Field(
        "notifiers",
        MapOf(NAME, NOTIFIER, least=0, most=64),
        "Where messages can be sent, by name; see docs/notifications.md.",
        {},
    ),
)
