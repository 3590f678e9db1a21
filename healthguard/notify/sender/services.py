"""Slack, Teams, Opsgenie, PagerDuty and e-mail, through Apprise. Imported in the sender alone.

The plugins are built directly, not from Apprise's URLs: nothing has to be quoted, and no secret
stands in a text that Apprise might show.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import apprise
from apprise.plugins.email.base import NotifyEmail
from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP, NotifyOpsgenie
from apprise.plugins.pagerduty import NotifyPagerDuty
from apprise.plugins.slack import NotifySlack
from apprise.plugins.workflows import NotifyWorkflows

from healthguard.notify.sender.post import close_opsgenie
from healthguard.notify.spec import Message, Notifier, Sent

Secrets = Mapping[str, str]
_TITLE = 250
# Apprise has annotations in some places and none in others.
_Slack: Any = NotifySlack
_Teams: Any = NotifyWorkflows
_Opsgenie: Any = NotifyOpsgenie
_Email: Any = NotifyEmail

# What Apprise says when it fails, and what is passed on of it: never its own words.
_PHRASES = (
    (re.compile(r"(?i)certificate"), "its certificate is not trusted"),
    (re.compile(r"(?i)name or service|name resolution|getaddrinfo"), "host name not found"),
    (re.compile(r"(?i)refused"), "connection refused"),
    (re.compile(r"(?i)timed? ?out"), "timed out"),
    (re.compile(r"(?i)authenticat"), "login refused"),
    (re.compile(r"(?i)connection error|unreachable|reset"), "no connection"),
)
_STATUS = re.compile(r"error=(\d{3})\b")


def send(notifier: Notifier, secrets: Secrets, message: Message) -> Sent:
    """One message through Apprise."""
    heard = _Heard()
    log = logging.getLogger("apprise")
    log.addHandler(heard)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        if notifier.kind == "opsgenie" and message.resolves:
            return _close(notifier, secrets, message)
        plugin = _BUILD[notifier.kind](notifier, secrets, message)
        if plugin is None:
            return Sent(message.id, False, f"its URL is not a {notifier.kind} webhook URL")
        plugin.request_rate_per_sec = 0  # one process, one message: nothing to slow down
        title, body = _words(notifier.kind, message)
        ok = plugin.notify(
            body=body,
            title=title,
            notify_type=_type(message),
            body_format=_FORMAT.get(notifier.kind, apprise.NotifyFormat.TEXT),
        )
        return Sent(message.id, bool(ok), "" if ok else heard.problem())
    except TypeError:
        # AppriseImproperlyConfigured is one; its text quotes what it did not like.
        return Sent(message.id, False, "its settings or secrets are not valid for this service")
    finally:
        log.removeHandler(heard)


# Told that it is text, Apprise escapes what is markup there. In Teams' cards that would put
# backslashes into commands; they know no mention without a declaration, so links are all.
_FORMAT: Mapping[str, Any] = {"teams": None}


def _words(kind: str, message: Message) -> tuple[str, str]:
    """Title and body as the service reads them. Parts come from upstreams: no mention, no link."""
    title, body = message.title[:_TITLE], message.body or message.title
    match kind:
        case "teams":  # one line break is none there
            return title.replace("](", "] ("), body.replace("](", "] (").replace("\n", "\n\n")
        case "pagerduty":  # it is read aloud; the parts are in custom_details
            return "", title
    return title, body


def _type(message: Message) -> apprise.NotifyType:
    return apprise.NotifyType(message.severity)


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(app_id="healthguard", app_desc="healthguard", app_url="")


def _common() -> dict[str, Any]:
    return {"asset": _asset(), "cto": 5, "rto": 10}


def _slack(_: Notifier, secrets: Secrets, __: Message) -> Any:
    parsed = _Slack.parse_native_url(secrets["webhook_url"])
    return _Slack(**{**parsed, **_common(), "include_image": False}) if parsed else None


def _teams(_: Notifier, secrets: Secrets, __: Message) -> Any:
    parsed = _Teams.parse_native_url(secrets["webhook_url"])
    return _Teams(**{**parsed, **_common(), "include_image": False}) if parsed else None


def _pagerduty(notifier: Notifier, secrets: Secrets, message: Message) -> Any:
    key = secrets["routing_key"]
    return NotifyPagerDuty(
        apikey=key,  # Apprise wants one; the Events API needs only the routing key
        integrationkey=key,
        source=str(message.details.get("host") or "healthguard"),
        component=str(message.details.get("pool") or "nginx"),
        region_name=str(notifier.settings["region"]),
        action="resolve" if message.resolves else "trigger",
        dedup=alias(message.key),
        include_image=False,
        details={key: str(value) for key, value in message.details.items() if value},
        **_common(),
    )


_PRIORITY = {"failure": "p1", "warning": "p3", "info": "p5", "success": "p5"}


def _opsgenie(notifier: Notifier, secrets: Secrets, message: Message) -> Any:
    # Apprise numbers them the other way round: its 5 ("emergency") is sent as P5.
    priority = _PRIORITY[message.severity][1]
    team = notifier.settings.get("team")
    return _Opsgenie(
        apikey=secrets["api_key"],
        targets=[f"#{team}"] if team else [],
        region_name=str(notifier.settings["region"]),
        priority=priority,
        alias=alias(message.key),
        entity=str(message.details.get("pool") or ""),
        action="new",
        details={key: str(value) for key, value in message.details.items() if value},
        **_common(),
    )


def _close(notifier: Notifier, secrets: Secrets, message: Message) -> Sent:
    base = OPSGENIE_API_LOOKUP[str(notifier.settings["region"])]
    where = f"{base}/{quote(alias(message.key), safe='')}/close?identifierType=alias"
    return close_opsgenie(where, secrets["api_key"], message)


def alias(key: str) -> str:
    """``key`` as a pager takes it: bounded, and readable where that is possible."""
    if len(key) <= 200:
        return key
    return key[:180] + hashlib.sha256(key.encode()).hexdigest()[:16]


_MODES = {"starttls": "starttls", "tls": "ssl", "none": "insecure"}


def _email(notifier: Notifier, secrets: Secrets, _: Message) -> Any:
    settings = notifier.settings
    user = settings.get("user")
    return _Email(
        smtp_host=str(settings["host"]),
        host=str(settings["host"]),
        port=settings["port"],
        secure=settings["tls"] != "none",
        secure_mode=_MODES[str(settings["tls"])],
        from_addr=str(settings["from"]),
        targets=list(_texts(settings["to"])),
        user=user,
        password=secrets.get("password"),
        format=apprise.NotifyFormat.TEXT,
        **_common(),
    )


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


_BUILD: Mapping[str, Callable[[Notifier, Secrets, Message], Any]] = {
    "slack": _slack,
    "teams": _teams,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "email": _email,
}


class _Heard(logging.Handler):
    """What Apprise logs, kept in memory only: it quotes URLs and answers."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self._lines.append(record.getMessage())

    def problem(self) -> str:
        """Why it failed, in our words."""
        for line in self._lines:
            if found := _STATUS.search(line):
                return f"HTTP {found[1]}"
        told = [each for each in self._lines if "Payload" not in each and "POST URL" not in each]
        for pattern, words in _PHRASES:
            if any(pattern.search(each) for each in told):
                return words
        return "the service rejected the message"
