"""Outcomes and views as the client gets them."""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass

from healthguard.core.codes import Code
from healthguard.core.model import Actor, Outcome
from healthguard.machine.codec import shallow

# Exit code -> (HTTP status, outcome, error code where the guard names none)
_KINDS: Mapping[int, tuple[int, str, str]] = {
    Code.OK: (200, "done", ""),
    Code.REFUSED: (409, "refused", "refused"),
    Code.USAGE: (400, "invalid", "bad_request"),
    Code.NO_ACCESS: (403, "forbidden", "forbidden"),
    Code.UNDONE: (500, "undone", "undone"),
    Code.LOST: (500, "lost", "lost"),
    Code.WAITING: (202, "waiting", "still_waiting"),
}

_BODIES = ("answer", "excerpt")  # keys that hold what an upstream answered


def status(outcome: Outcome) -> int:
    """The HTTP status of an outcome."""
    return _KINDS.get(outcome.code, _KINDS[Code.LOST])[0]


def body(outcome: Outcome) -> dict[str, object]:
    """The body: ``outcome``, ``exit_code``, ``message``, data, and ``error`` if it did not work."""
    _, word, default = _KINDS.get(outcome.code, _KINDS[Code.LOST])
    answer: dict[str, object] = {
        **outcome.data,
        "outcome": word,
        "exit_code": outcome.code,
        "message": outcome.message,
    }
    if outcome.code not in (Code.OK, Code.WAITING):
        answer["error"] = {"code": outcome.error or default, "message": outcome.message}
    return answer


def without_excerpts(value: object) -> object:
    """``value`` without what upstreams answered.

    The event log, which has these texts, is not for everybody (mode 0640); the socket, which
    everybody may read, must not become the way around that.
    """
    if value is None or isinstance(value, str | int | float):
        return value  # first: most values are
    if is_dataclass(value):
        value = shallow(value)
    if isinstance(value, Mapping):
        return {key: without_excerpts(each) for key, each in value.items() if key not in _BODIES}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [without_excerpts(each) for each in value]
    return value


def is_of(event: Mapping[str, object], actor: Actor, names: Sequence[str]) -> bool:
    """True if ``event`` is one of ``names`` and, as far as it says, of this actor's process."""
    if event.get("event") not in names:
        return False
    by = event.get("actor")
    pid = by.get("pid") if isinstance(by, Mapping) else None
    return pid is None or pid == actor.pid
