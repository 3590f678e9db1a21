"""The words of healthguard as frozen data. No logic beyond membership.

Time is integer milliseconds: ``boot_ms`` counts on CLOCK_BOOTTIME (goes on in
suspend, never jumps), ``wall_ms`` is the Unix epoch and only for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
UNKNOWN, UP, DOWN = "unknown", "up", "down"
AUTO, PROPOSE, OBSERVE = "auto", "propose", "observe"

# Triggers of a switch.
AUTOMATIC, MANUAL, SIGNAL, DEPLOY, EXTERNAL = (
    "automatic",
    "manual",
    "signal",
    "deploy",
    "external",
)

# Outcomes of a commit.
COMPLETED, UNDONE, LOST, REFUSED, UNCLEAR = (
    "completed",
    "undone",
    "lost",
    "refused",
    "unclear",
)


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment, on both clocks."""

    boot_ms: int
    wall_ms: int


# --------------------------------------------------------------- probe answers


@dataclass(frozen=True, slots=True)
class Expect:
    """What a good answer looks like, as far as a threshold can tell.

    ``status``: inclusive ranges, e.g. ``((200, 299),)``; empty for probes without one.
    ``max_latency_us``: slower is a fail with reason ``slow``; None is no limit.
    ``definition``: fingerprint of all the rest of the probe; old counts end when it changes.
    """

    status: tuple[tuple[int, int], ...] = ((200, 299),)
    max_latency_us: int | None = None
    definition: str = ""

    def status_expected(self, status: int) -> bool:
        """True if ``status`` lies in one of the ranges."""
        return any(low <= status <= high for low, high in self.status)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe saw, before anybody judged it.

    Exactly one of three kinds: ``inconclusive`` names our own fault; ``failure``
    names what the upstream did wrong; neither: an answer with its ``verdicts``,
    (predicate name, true or false), for what cannot be judged later (body, header, json).
    """

    latency_us: int
    status: int | None = None
    failure: str | None = None
    inconclusive: str | None = None
    verdicts: tuple[tuple[str, bool], ...] = ()
    detail: str = ""
    excerpt: str = ""  # first 1 KiB of a failing answer, secrets cut out
    release: str | None = None  # the release that the answer names, where one is configured


@dataclass(frozen=True, slots=True)
class Result:
    """One judged answer: what counts."""

    outcome: str  # PASS | FAIL | INCONCLUSIVE
    reason: str  # "" for a pass; else one bounded word: refused, timeout, status, ...
    at: Instant
    latency_us: int
    status: int | None = None
    detail: str = ""
    excerpt: str = ""


# --------------------------------------------------------------- policy (from the configuration)


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """Timers and thresholds of one pool's probes. Milliseconds and counts."""

    interval_ms: int = 2_000
    fast_interval_ms: int = 500
    down_interval_ms: int = 5_000
    fall: int = 3
    rise: int = 2
    window_fails: int = 0  # 0: no failure window
    window_of: int = 0


@dataclass(frozen=True, slots=True)
class RollbackPolicy:
    """When and how often an automatic switch may happen."""

    min_down_ms: int = 3_000
    cooldown_ms: int = 60_000
    budget_switches: int = 2
    budget_per_ms: int = 600_000
    daily_budget: int = 4
    standby_passes: int = 2
    start_grace_ms: int = 300_000


@dataclass(frozen=True, slots=True)
class BakePolicy:
    """Probation after a switch by manual, deploy or external."""

    for_ms: int = 300_000
    fall: int = 2
    min_down_ms: int = 2_000
    max_latency_us: int | None = None


@dataclass(frozen=True, slots=True)
class UpstreamPolicy:
    """One colour: its probes by name, and how many of them must be up (0: all)."""

    probes: Mapping[str, Expect]
    require: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the core needs to know about one pool. Order of upstreams as configured."""

    pool: str
    upstreams: Mapping[str, UpstreamPolicy]
    stable: str | None = None
    standby: str = "warm"  # warm | stopped
    mode_bake: str = AUTO
    mode_steady: str = AUTO
    marker: bool = False
    releases: bool = False  # answers name the running release
    dependencies: Mapping[str, Expect] = field(default_factory=dict)
    health: HealthPolicy = field(default_factory=HealthPolicy)
    rollback: RollbackPolicy = field(default_factory=RollbackPolicy)
    bake: BakePolicy = field(default_factory=BakePolicy)


# --------------------------------------------------------------- facts from outside: dated opinions


@dataclass(frozen=True, slots=True)
class LinkFact:
    """What the link is. ``problem`` is one sentence when it is not ours to move."""

    upstream: str | None  # whose file it names; None: unmanaged
    problem: str = ""
    identity: str = ""  # "inode:ctime_ns:target"; changes when anybody moves it
    changed_wall_ms: int = 0
    hand: str = ""  # who could have moved it, as far as the system knows


@dataclass(frozen=True, slots=True)
class NginxFact:
    """What nginx is doing. ``state``: running | down | upgrading."""

    state: str
    detail: str = ""
    master: str = ""  # "pid:starttime", "" when down
    workers_since_wall_ms: int = 0  # start of the oldest worker that is not shutting down
    shutting_down: int = 0


@dataclass(frozen=True, slots=True)
class PrepareFact:
    """The last prepare for one upstream: a ticket, or the gate that refused it."""

    at: Instant
    ticket: str | None
    gate: str = ""  # gate that refused: config_invalid, switcher_unavailable, ...
    message: str = ""
    stamp: str = ""  # fingerprint of the stat() of every file tested
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """How a commit ended."""

    outcome: str  # COMPLETED | UNDONE | LOST | REFUSED | UNCLEAR
    gate: str = ""  # for REFUSED
    message: str = ""
    confirm: str = ""  # proven | refuted | unclear
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    durable: bool = True
    link: str = ""  # LinkFact.identity afterwards
    master: str = ""  # NginxFact.master afterwards
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gave an order: from the kernel's peer credentials, or "signal"."""

    user: str
    uid: int | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a person, a script or a signal wants. The guard's own automatic switch is one, too.

    ``verb``: switch rollback approve reject pause resume ack good clear; "" for the guard's own.
    ``actor``: None for the guard itself. ``for_ms``: length of a pause. ``proposal``: approve
    only this one.
    """

    verb: str
    actor: Actor | None = None
    upstream: str | None = None
    reason: str = ""
    trigger: str = MANUAL
    force: bool = False
    dry_run: bool = False
    for_ms: int = 0
    proposal: str | None = None
    order_id: str = ""

    @property
    def names_no_upstream(self) -> bool:
        """True for a signal and for `rollback`: both go to the target, whatever that is."""
        return self.trigger == SIGNAL or self.verb == "rollback"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to an order. ``code`` is the command line's exit code.

    ``error`` names the gate or the kind of refusal ("" when code is 0), ``data``
    is what a reading verb or a dry run shows.
    """

    code: int
    error: str = ""
    message: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
