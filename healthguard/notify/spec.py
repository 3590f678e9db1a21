"""What a notifier is, and what it is asked to send: plain data, on both sides of the pipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FAILURE, WARNING, INFO, SUCCESS = "failure", "warning", "info", "success"
PAGERS = ("pagerduty", "opsgenie")  # they wake people, and close what they opened


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: in ``file``, or in ``text`` with ``${NAME}`` of the environment."""

    file: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Notifier:
    """One configured notifier. ``settings`` holds no secret; ``levels``: what it wants to hear."""

    name: str
    kind: str
    settings: Mapping[str, object]
    secrets: Mapping[str, Secret]
    levels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``key`` is the same for all messages about one trouble; ``id`` is its own.

    ``severity``: failure warning info success. ``resolves``: the trouble is over. ``details``:
    what a machine on the other end wants to read.
    """

    id: str
    key: str
    level: str
    severity: str
    title: str
    body: str
    at_wall_ms: int
    resolves: bool = False
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """How it went with one message. ``problem`` never holds a secret nor a foreign answer."""

    id: str
    ok: bool
    problem: str = ""
