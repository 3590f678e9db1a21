"""The keys of ``notifiers:``, their rules, and what is made of them."""

from collections.abc import Mapping
from typing import Any

from healthguard.config.addresses import AbsolutePath, HttpUrl
from healthguard.config.document import Scalar
from healthguard.config.environment import names_secret
from healthguard.config.kinds import BAD, Choice, Integer, ScalarKind, Schema, Text
from healthguard.config.problems import Report, ValueRefused
from healthguard.config.rules import Values, known
from healthguard.config.structures import REQUIRED, Field, ListOf, OneOf, Section
from healthguard.notify.levels import LEVELS, PAGED
from healthguard.notify.spec import PAGERS, Notifier, Secret

_FILE = "_file"


class FromEnvironment(ScalarKind):
    """A secret that is in the environment: nothing but ``${NAME}``, never the secret itself."""

    words = "an environment variable written as ${NAME}, never the secret itself"

    def convert(self, raw: Scalar) -> str:
        """See ScalarKind. The value is not quoted in the message: it may be a secret."""
        if not isinstance(raw, str) or not names_secret(raw) or not raw.endswith("}"):
            raise ValueRefused(f"must be {self.words}")
        if not raw.startswith("${") or raw.count("${") != 1:
            raise ValueRefused(f"must be {self.words}")
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}


_ADDRESS = Text("an e-mail address", r"[^@\s<>,]+@[^@\s<>,]+", 254)
_HOST = Text("a host", r"[A-Za-z0-9._:-]+", 253)
_REGION = Field("region", Choice("us", "eu"), "Where the account is.", "us")
_LEVELS = Field(
    "levels",
    ListOf(Choice(*LEVELS)),
    "Which messages it gets. Default: all; for pagerduty and opsgenie all but failing and "
    "not_ready.",
)


def _secret(key: str, what: str) -> tuple[Field, Field]:
    return (
        Field(f"{key}{_FILE}", AbsolutePath(), f"File with {what}, read at every use."),
        Field(
            key,
            FromEnvironment(),
            f"Instead of {key}{_FILE}: ${{NAME}}, an environment variable of the daemon.",
        ),
    )


def _kind(name: str, doc: str, *fields: Field) -> Section:
    return Section(Field(name, Section(*fields), doc, REQUIRED), _LEVELS)


NOTIFIER = OneOf(
    slack=_kind("slack", "A Slack channel.", *_secret("webhook_url", "the incoming webhook's URL")),
    teams=_kind(
        "teams",
        "A Microsoft Teams channel.",
        *_secret("webhook_url", "the URL of a workflow that posts to the channel"),
    ),
    opsgenie=_kind(
        "opsgenie",
        "Opsgenie alerts, closed when the problem is over.",
        *_secret("api_key", "the API key of an API integration"),
        _REGION,
        Field("team", Text("the name of a team", r"[^#,]+", 100), "The team that responds."),
    ),
    pagerduty=_kind(
        "pagerduty",
        "PagerDuty incidents, resolved when the problem is over.",
        *_secret("routing_key", "the integration key of an Events API v2 integration"),
        _REGION,
    ),
    email=_kind(
        "email",
        "Mail.",
        Field("host", _HOST, "The mail server.", REQUIRED),
        Field("port", Integer(1, 65_535), "Its port.", 587),
        Field(
            "tls",
            Choice("starttls", "tls", "none"),
            "none sends in clear text: only for a mail server on this host.",
            "starttls",
        ),
        Field("from", _ADDRESS, "The sender.", REQUIRED),
        Field("to", ListOf(_ADDRESS), "The recipients.", REQUIRED),
        Field("user", Text(), "The login name. Without it, mail is sent without a login."),
        *_secret("password", "the password"),
    ),
    webhook=_kind(
        "webhook",
        "A signed JSON document, by POST.",
        Field("url", HttpUrl(), "The target, if the URL contains no secret."),
        Field("url_file", AbsolutePath(), "File with the URL, if it contains a secret."),
        *_secret("secret", "the signing key (HMAC-SHA256)"),
        Field("ca_file", AbsolutePath(), "Trust only the certificates in this PEM file."),
    ),
)

# kind -> its secrets: those that must be there, those that may
_SECRETS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "slack": (("webhook_url",), ()),
    "teams": (("webhook_url",), ()),
    "opsgenie": (("api_key",), ()),
    "pagerduty": (("routing_key",), ()),
    "email": ((), ("password",)),
    "webhook": (("secret", "url"), ()),
}


def check(notifiers: Any, pools: Any, report: Report) -> None:
    """Report what is wrong between the keys. ``pools``: PoolValues of each."""
    for name, values in notifiers.items():
        if known(values):
            kind = next(key for key in NOTIFIER.sections if key in values)
            if known(values[kind]):
                _check_one(f"notifiers.{name}.{kind}", kind, values[kind], report)
    for pool in pools:
        names = pool.full["notify"]
        for number, each in enumerate(names if known(names) else ()):
            if each not in notifiers:
                there = ", ".join(notifiers) or "none"
                pool.add(
                    f"notify[{number}]",
                    f"{each} is not a configured notifier (configured: {there})",
                )
            elif each in names[:number]:
                pool.add(f"notify[{number}]", f"{each} is listed twice")


def _check_one(path: str, kind: str, values: Values, report: Report) -> None:
    required, optional = _SECRETS[kind]
    for key in (*required, *optional):
        given = [each for each in (f"{key}{_FILE}", key) if each in values]
        if len(given) == 2:
            report.add(path, f"must have only one of {key}{_FILE} and {key}")
        elif not given and key in required:
            report.add(path, f"must have {key}{_FILE} or {key}")
    if kind == "email" and ("user" in values) != bool({"password", "password_file"} & set(values)):
        report.add(path, "must have user and password_file (or password) together, or neither")


def build(notifiers: Mapping[str, Values]) -> dict[str, Notifier]:
    """Notifiers without problems."""
    return {name: _build(name, values) for name, values in notifiers.items()}


def _build(name: str, values: Values) -> Notifier:
    kind = next(key for key in NOTIFIER.sections if key in values)
    section = NOTIFIER.sections[kind].fields[kind].kind
    assert isinstance(section, Section)
    full = section.fill(values[kind])
    required, optional = _SECRETS[kind]
    secrets: dict[str, Secret] = {}
    for key in (*required, *optional):
        file, text = full.pop(f"{key}{_FILE}", None), full.get(key)
        if file:
            secrets[key] = Secret(file=str(file))
        elif isinstance(text, str):
            secrets[key] = Secret(text=text)
        if key != "url" or file:
            full.pop(key, None)
    if kind == "webhook" and full.get("url") is not None:
        full["url"] = full["url"].url
    settings = {key: str(each) if key == "ca_file" else each for key, each in full.items() if each}
    levels = values.get("levels") or (PAGED if kind in PAGERS else LEVELS)
    return Notifier(name, kind, settings, secrets, frozenset(levels))


def given(root: Values) -> Any:
    """What the file says under ``notifiers``; {} where it says nothing that can be used."""
    values = root.get("notifiers", {})
    return {} if values is BAD else values
