"""Events to what they mean for people: a trouble begins, a trouble ends, something happened."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from healthguard.core.evidence import in_words
from healthguard.notify.levels import FAILING, HOLD, LATCH, NOT_READY, SWITCH
from healthguard.notify.notice import Notice
from healthguard.notify.spec import FAILURE, INFO, WARNING
from healthguard.telemetry.event import scrub
from healthguard.views.events import headline
from healthguard.views.switch_sentences import manner

Event = Mapping[str, Any]
LOST = "lost"  # a topic of the level hold: nobody knows what nginx uses


@dataclass(frozen=True, slots=True)
class Begins:
    """A trouble that goes on until it ends, or (``notice.moment``) something that happened."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Ends:
    """The trouble ``topic`` of ``pool`` is over. ``words``: what is so now.

    ``mark``: only this variant of the trouble.
    """

    pool: str
    topic: str
    words: str = ""
    mark: str = ""


Change = Begins | Ends


def changes(event: Event, at_wall_ms: int) -> list[Change]:
    """What ``event`` means; most events mean nothing to somebody who is not looking."""
    make = _TABLE.get(str(event.get("event")))
    return make(event, at_wall_ms) if make is not None and event.get("pool") else []


def failing(pool: str, upstream: str, sentence_: str, release: str, at_wall_ms: int) -> Notice:
    """The active upstream has failed twice in a row and nothing has been decided yet."""
    sentence_ = str(scrub(sentence_))
    return Notice(
        pool,
        FAILING,
        FAILING,
        WARNING,
        f"{pool}: {upstream} is failing: {sentence_.partition(': ')[2] or sentence_}",
        at_wall_ms,
        mark=upstream,
        reason=sentence_,
        command=_type("why", pool),
        command_does="To see why",
        release=f"{upstream} {release}" if release else "",
    )


def _type(*words: object) -> str:
    return shlex.join(["healthguard", *(str(each) for each in words)])


def _notice(event: Event, at: int, topic: str, level: str, severity: str, **more: Any) -> Notice:
    reason = event.get("reason") or event.get("message") or ""
    return Notice(
        pool=str(event["pool"]),
        topic=topic,
        level=level,
        severity=severity,
        title=headline(event),
        at_wall_ms=at,
        reason=str(reason),
        evidence=_evidence(event),
        release=_releases(event),
        event_id=str(event.get("id", "")),
        **more,
    )


def _evidence(event: Event) -> str:
    """The last result that decided, in words; never what the upstream answered."""
    rows = event.get("evidence")
    if not isinstance(rows, list) or not rows or not isinstance(rows[-1], Mapping):
        return str(event.get("failure") or "")
    row: Mapping[str, Any] = rows[-1]
    reason = str(row.get("reason") or row.get("result"))
    words = in_words(reason, row.get("status"), str(row.get("detail") or ""))
    count = f", the last of {len(rows)} results" if len(rows) > 1 else ""
    took = f"after {row.get('latency_ms')} ms at {row.get('at')}"
    return f"probe {row.get('probe')}: {words}, {took}{count}"


def _releases(event: Event) -> str:
    named = [
        f"{event.get(side)} {event[f'release_{side}']}"
        for side in ("from", "to")
        if event.get(f"release_{side}")
    ]
    return ", ".join(named)


# ------------------------------------------------------------ by event


def _switched(event: Event, at: int) -> list[Change]:
    pool, by_itself = event["pool"], event.get("trigger") == "automatic"
    back = event.get("from")
    return [
        Begins(
            _notice(
                event,
                at,
                _moment(event),
                SWITCH,
                WARNING if by_itself or event.get("confirm") == "unclear" else INFO,
                command=_type("switch", pool, back) if back else _type("why", pool),
                command_does="To go back" if back else "To see why",
                moment=True,
                how=manner(event),
            )
        ),
        Ends(pool, FAILING, f"traffic now goes to {event.get('to')}"),
    ]


def _undone(event: Event, at: int) -> list[Change]:
    command = _type("switch", event["pool"], event.get("to"))
    notice = _notice(
        event,
        at,
        _moment(event),
        SWITCH,
        FAILURE,
        command=command,
        command_does="To try again",
        moment=True,
    )
    return [Begins(notice)]


def _moment(event: Event) -> str:
    return f"{event['event']}/{event.get('from')}-{event.get('to')}/{event.get('trigger')}"


def _would(event: Event, at: int) -> list[Change]:
    command = _type("switch", event["pool"], event.get("to"))
    return [
        Begins(
            _notice(
                event, at, _moment(event), SWITCH, WARNING,
                command=command, command_does="To switch by hand", moment=True,
            )
        )
    ]  # fmt: skip


def _lost(event: Event, at: int) -> list[Change]:
    pool = event["pool"]
    command = f"{_type('why', pool)}, then {_type('ack', pool)}"
    notice = _notice(
        event,
        at,
        LOST,
        HOLD,
        FAILURE,
        command=command,
        command_does="Repair it, then confirm",
    )
    return [Begins(notice)]


def _held(event: Event, at: int) -> list[Change]:
    pool, severity = event["pool"], FAILURE if event.get("wanted") else WARNING
    notice = _notice(
        event,
        at,
        HOLD,
        HOLD,
        severity,
        mark=f"{event.get('gate')}/{bool(event.get('wanted'))}/{bool(event.get('both_down'))}",
        command=_type("why", pool),
        command_does="To see what blocks it",
    )
    return [Begins(notice)]


def _asked(event: Event, at: int) -> list[Change]:
    if event.get("reminder"):
        return []  # the topic reminds by itself
    notice = _notice(
        event,
        at,
        HOLD,
        HOLD,
        FAILURE,
        mark=f"proposal {event.get('proposal')}",
        command=str(event.get("command") or _type("approve", event["pool"])),
        command_does="To approve",
    )
    return [Begins(notice)]


def _no_longer_asked(event: Event, _at: int) -> list[Change]:
    reason = f": {event['reason']}" if event.get("reason") else ""
    words = f"approval no longer needed{reason}"
    return [Ends(event["pool"], HOLD, words, f"proposal {event.get('proposal')}")]


def _latched(event: Event, at: int) -> list[Change]:
    pool, shadow = event["pool"], bool(event.get("shadow"))
    notice = _notice(
        event,
        at,
        LATCH,
        LATCH,
        WARNING if shadow else FAILURE,
        command=_type("ack", pool),
        command_does="To allow automatic switches again",
        moment=shadow,
    )
    return [Begins(notice)]


def _acked(event: Event, _at: int) -> list[Change]:
    topic = LOST if event.get("what") == LOST else LATCH
    return [Ends(event["pool"], topic, "acknowledged")]


def _readiness(event: Event, at: int) -> list[Change]:
    pool = event["pool"]
    if event.get("ready"):
        return [Ends(pool, NOT_READY, "rollback available")]
    notice = _notice(
        event,
        at,
        NOT_READY,
        NOT_READY,
        WARNING,
        mark=str(event.get("gate")),
        command=_type("why", pool),
        command_does="To see what blocks it",
    )
    return [Begins(notice)]


def _freed(event: Event, _at: int) -> list[Change]:
    phase = event.get("phase")
    return [Ends(event["pool"], HOLD, f"no longer on hold, now {phase}" if phase else "")]


_TABLE: Mapping[str, Callable[[Event, int], list[Change]]] = {
    "switch_completed": _switched,
    "switch_undone": _undone,
    "switch_lost": _lost,
    "would_switch": _would,
    "hold_entered": _held,
    "hold_left": _freed,
    "proposal_opened": _asked,
    "proposal_closed": _no_longer_asked,
    "latched": _latched,
    "acked": _acked,
    "readiness_changed": _readiness,
}
