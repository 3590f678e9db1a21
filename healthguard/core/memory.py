"""What of a pool's state survives restarts and reboots."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from healthguard.core.model import AUTOMATIC, Instant, Order

VERSION = 2  # of the document; machine/memory.py reads older ones
TESTING, QUEUED, SWITCHING, INTERRUPTED = "testing", "queued", "switching", "interrupted"

# Fields that end in _ms and are no moment but a length of time.
_LENGTHS = frozenset({"seen_ms", "detection_ms", "prepare_ms"})
_NO_TIMES = frozenset({"saved", "order", "evidence", "last_decision"})


@dataclass(frozen=True, slots=True)
class Mark:
    """An upstream that was left because it failed."""

    at_ms: int
    reason: str
    release: str | None = None  # None: not known, so it holds for any


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of one release on one upstream. ``status``: new, good or bad.

    ``proven``: it is bad now, and was good before it failed.
    """

    status: str
    since_ms: int
    reason: str = ""
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A switch that waits for a person. ``gates``: those that an approval passes.

    ``remind_ms``: when it is told again; ``told``: how often it has been.
    """

    proposal_id: str
    to: str
    origin: str
    at_ms: int
    reason: str
    gates: tuple[str, ...]
    remind_ms: int
    told: int = 1


@dataclass(frozen=True, slots=True)
class Bake:
    """Probation of ``upstream``, come from ``origin``.

    ``seen_ms`` of it had a verdict; ``until_ms`` moves when it is paused or blind; both are
    accounted for up to ``counted_ms``. ``failed``: it was down meanwhile, and when it is up
    again the probation begins anew. ``forced``: begun by a forced order, nothing acts by itself.
    """

    upstream: str
    origin: str | None
    since_ms: int
    until_ms: int
    counted_ms: int
    seen_ms: int = 0
    failed: bool = False
    forced: bool = False
    release: str | None = None  # that is on probation
    origin_release: str | None = None  # that served before it


@dataclass(frozen=True, slots=True)
class Pause:
    """Observe, do not act, until ``until_ms``. ``told``: the end was announced."""

    until_ms: int
    reason: str
    by: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class Charges:
    """Automatic switches that were attempted: what cooldown, budget and latch look at."""

    at_ms: tuple[int, ...] = ()
    latched_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What we last knew to be in use, and by which facts it stays true."""

    upstream: str
    link: str
    master: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What was known when a switch began, kept for its end.

    ``origin``: what served, None where that was not known. ``origin_failed``: it was down or
    baking, so it is marked when it was left. ``detection_ms``: first failing result to decision.
    """

    switch_id: str
    origin: str | None
    origin_failed: bool
    reason: str
    release_from: str | None = None
    release_to: str | None = None
    detection_ms: int | None = None
    prepare_ms: int = 0
    evidence: tuple[Mapping[str, object], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch on its way: ``testing``, then ``queued`` for the turn, then ``switching``.

    Once begun it is remembered, as an intent, until its end is known; ``interrupted``: found so
    after a restart. ``waived``: gates that the approved proposal named.
    """

    to: str
    order: Order
    stage: str
    since_ms: int
    tries: int = 0
    waived: tuple[str, ...] = ()
    begun: Begun | None = None

    @property
    def automatic(self) -> bool:
        """True if nobody ordered it."""
        return self.order.trigger == AUTOMATIC


@dataclass(frozen=True, slots=True)
class Memory:
    """Times are boot milliseconds of the boot ``boot_id``; ``saved`` ties them to the wall."""

    boot_id: str
    saved: Instant
    active: str | None = None
    active_since_ms: int | None = None
    confirmed: Confirmed | None = None
    bake: Bake | None = None
    good: tuple[str, ...] = ()  # vouched for or bake passed; the latest last
    charges: Charges = field(default_factory=Charges)
    shadow: Charges = field(default_factory=Charges)  # mode observe charges this one
    marks: Mapping[str, Mark] = field(default_factory=dict)  # by upstream
    pause: Pause | None = None
    down_at_pause_end: bool = False  # then nothing acts until it was up once, or `resume`
    forced: str | None = None  # until this upstream was up once
    lost: str = ""  # why the truth is lost; "" when it is not
    seen_up: tuple[str, ...] = ()  # in this boot of the host
    grace_from_ms: int = 0  # first start in this boot
    undo_stamp: str | None = None  # an undo is not tried again before a changed file
    attempt: Switch | None = None  # begun, and its end is not known yet
    releases: Mapping[str, Mapping[str, Note]] = field(default_factory=dict)  # by upstream
    proposal: Proposal | None = None
    rejected: bool = False  # a person said no; until the active upstream was up once
    last_decision: Mapping[str, object] = field(default_factory=dict)


def rebase(memory: Memory, now: Instant, boot_id: str) -> Memory:
    """``memory`` in the time of this boot.

    The same boot is exact. Of another boot only wall time is known to have passed; it is never
    negative, so no wait grows, and what was left of a wait is the most it can be.
    """
    if memory.boot_id == boot_id:
        return memory
    elapsed = max(0, now.wall_ms - memory.saved.wall_ms)
    shift = now.boot_ms - memory.saved.boot_ms - elapsed
    moved: Memory = _shift(memory, shift)
    return replace(
        moved, boot_id=boot_id, saved=now, seen_up=(), grace_from_ms=now.boot_ms, confirmed=None
    )


def _shift(value: Any, shift: int) -> Any:
    """Every field named ``*_ms`` but lengths of time, moved by ``shift``; deeply."""
    if isinstance(value, Mapping):
        return {key: _shift(each, shift) for key, each in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes: dict[str, Any] = {}
    for item in fields(value):
        old = getattr(value, item.name)
        if item.name in _LENGTHS | _NO_TIMES or old is None:
            continue
        if item.name.endswith("_ms"):
            moved: Any = tuple(t + shift for t in old) if isinstance(old, tuple) else old + shift
        else:
            moved = _shift(old, shift)
        changes[item.name] = moved
    return replace(value, **changes)
