"""A notice: one thing worth telling about a pool, before it is known whom to tell."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from healthguard import __version__
from healthguard.core.durations import shown
from healthguard.core.moments import iso
from healthguard.notify.levels import RESOLVED
from healthguard.notify.spec import SUCCESS, Message


@dataclass(frozen=True, slots=True)
class Notice:
    """``topic``: which trouble of the pool this is about; ``mark``: which variant of it.

    ``moment``: something that happened, and has no end. ``command``: what to type, if anything.
    ``how``: how it came about, where the title does not say so.
    """

    pool: str
    topic: str
    level: str
    severity: str
    title: str
    at_wall_ms: int
    mark: str = ""
    reason: str = ""
    evidence: str = ""
    command: str = ""
    command_does: str = ""
    release: str = ""
    event_id: str = ""
    moment: bool = False
    how: str = ""


def message(notice: Notice, host: str, more: str = "") -> Message:
    """``notice`` as one message. ``more``: a sentence about repeats or how long it lasts."""
    return Message(
        id=uuid.uuid4().hex,
        key=f"healthguard/{host}/{notice.pool}/{notice.topic}",
        level=notice.level,
        severity=notice.severity,
        title=_bounded(f"{host}: {notice.title}", 300),
        body=_body(notice, host, more),
        at_wall_ms=notice.at_wall_ms,
        details=_details(notice, host),
    )


def resolution(notice: Notice, host: str, now_wall_ms: int, words: str) -> Message:
    """The end of what ``notice`` reported."""
    lasted = shown(max(0, now_wall_ms - notice.at_wall_ms))
    title = f"{host}: {notice.pool}: resolved after {lasted}: {words or _without_pool(notice)}"
    body = "\n".join(
        [
            f"Began: {iso(notice.at_wall_ms)}: {_without_pool(notice)}",
            f"Ended: {iso(now_wall_ms)}",
            f"Host: {host}",
        ]
    )
    return Message(
        id=uuid.uuid4().hex,
        key=f"healthguard/{host}/{notice.pool}/{notice.topic}",
        level=RESOLVED,
        severity=SUCCESS,
        title=_bounded(title, 300),
        body=body,
        at_wall_ms=now_wall_ms,
        resolves=True,
        details={**_details(notice, host), "command": "", "opened_as": notice.level},
    )


def _without_pool(notice: Notice) -> str:
    return notice.title.removeprefix(f"{notice.pool}: ")


def _body(notice: Notice, host: str, more: str) -> str:
    lines = [
        notice.how,
        notice.reason and f"Reason: {notice.reason}",
        notice.evidence and f"Evidence: {notice.evidence}",
        more,
        notice.command and f"{notice.command_does}: {notice.command}",
        notice.release and f"Release: {notice.release}",
        f"Host: {host}",
        f"Since: {iso(notice.at_wall_ms)}"
        if not notice.moment
        else f"At: {iso(notice.at_wall_ms)}",
    ]
    return "\n".join(_bounded(line, 1000) for line in lines if line)


def _details(notice: Notice, host: str) -> Mapping[str, object]:
    return {
        "pool": notice.pool,
        "topic": notice.topic,
        "at": iso(notice.at_wall_ms),
        "reason": _bounded(notice.reason, 1000),
        "evidence": _bounded(notice.evidence, 1000),
        "command": notice.command,
        "release": notice.release,
        "host": host,
        "event": notice.event_id,
        "healthguard": __version__,
    }


def _bounded(text: str, most: int) -> str:
    """One line, printable, not too long."""
    text = "".join(each if each.isprintable() else " " for each in text)
    return text if len(text) <= most else f"{text[: most - 3]}..."
