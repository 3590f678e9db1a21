"""What waits to be sent, per notifier: bounded, with backoff, and for no longer than an hour."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from healthguard.machine.codec import decode, encode
from healthguard.notify.levels import LEVELS, RESOLVED
from healthguard.notify.spec import Message, Notifier, Sent

SENT, RETRIED, FAILED, DROPPED = OUTCOMES = ("sent", "retried", "failed", "dropped")
_CHATS = ("slack", "teams", "email")  # read by eyes: many messages become one
_MANY = 5
_DIGEST = 50
_BATCH = 10  # messages of one sender


@dataclass(frozen=True, slots=True)
class Patience:
    """``most``: messages that wait for one notifier. The pause doubles up to its maximum."""

    most: int = 200
    first_ms: int = 5_000
    longest_ms: int = 300_000
    give_up_ms: int = 3_600_000


@dataclass(slots=True)
class _Waiting:
    since_ms: int
    tries: int
    message: Message


@dataclass(slots=True)
class _Queue:
    """One notifier's waiting messages. ``due_ms``: not before then; ``fails``: in a row."""

    due_ms: int = 0
    fails: int = 0
    waiting: list[_Waiting] = field(default_factory=list)
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What one sender is asked to send; ``stand_for``: message id -> ids of what it tells."""

    notifier: Notifier
    messages: tuple[Message, ...]
    stand_for: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of ``count`` messages of one notifier."""

    notifier: str
    outcome: str
    count: int
    problem: str = ""


class Outbox:
    """Messages by notifier. Times are wall milliseconds, so that they survive a restart."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._tracks: dict[str, _Queue] = {}

    def add(self, notifier: str, message: Message, now: int) -> Delivery | None:
        """Queue it; where there is no room left, the oldest goes and is reported."""
        track = self._tracks.setdefault(notifier, _Queue())
        track.waiting.append(_Waiting(now, 0, message))
        if len(track.waiting) <= self._patience.most:
            return None
        del track.waiting[0]
        return Delivery(notifier, DROPPED, 1, "too many messages are queued")

    def keep(self, notifiers: Iterable[str]) -> None:
        """Forget what waits for notifiers that are not there any more."""
        names = set(notifiers)
        self._tracks = {name: track for name, track in self._tracks.items() if name in names}

    def take(self, notifiers: Mapping[str, Notifier], now: int, most: int) -> list[Batch]:
        """What may be sent now: at most one batch per notifier, until its result is known."""
        batches: list[Batch] = []
        for name, track in self._tracks.items():
            notifier = notifiers.get(name)
            if len(batches) >= most or notifier is None or track.busy or not track.waiting:
                continue
            track.due_ms = min(track.due_ms, now + self._patience.longest_ms)  # a clock set back
            if track.due_ms > now:
                continue
            track.busy = True
            batches.append(_batch(notifier, list(track.waiting)))
        return batches

    def settle(self, batch: Batch, results: Sequence[Sent], now: int) -> list[Delivery]:
        """Note how a batch went; what became of its messages."""
        name = batch.notifier.name
        track = self._tracks.get(name)
        if track is None:  # the notifier went meanwhile
            return []
        track.busy = False
        sent = {id_ for each in results if each.ok for id_ in batch.stand_for[each.id]}
        tried = {id_ for each in results for id_ in batch.stand_for[each.id]}
        problem = next((each.problem for each in results if not each.ok), "")
        for each in track.waiting:
            each.tries += each.message.id in tried
        track.waiting = [each for each in track.waiting if each.message.id not in sent]
        failed = len(tried) - len(sent)
        if not failed:
            track.fails, track.due_ms = 0, 0
            return [Delivery(name, SENT, len(sent))]
        track.fails = 0 if sent else track.fails + 1
        pause = self._patience.first_ms << min(max(track.fails - 1, 0), 20)
        track.due_ms = now + min(pause, self._patience.longest_ms)
        return self._failed(name, track, len(sent), failed, problem, now)

    def _failed(
        self, name: str, track: _Queue, sent: int, failed: int, problem: str, now: int
    ) -> list[Delivery]:
        old = now - self._patience.give_up_ms
        kept = [each for each in track.waiting if each.since_ms > old]
        given_up = len(track.waiting) - len(kept)
        track.waiting = kept
        outcomes = [Delivery(name, SENT, sent)] if sent else []
        outcomes.append(Delivery(name, RETRIED, failed, problem))
        if given_up:
            outcomes.append(Delivery(name, FAILED, given_up, problem))
        return outcomes

    def next_ms(self, now: int) -> int:
        """How long nothing can be sent, unless something is added."""
        waits = [t.due_ms - now for t in self._tracks.values() if t.waiting and not t.busy]
        return max(0, min(waits, default=60_000))

    def waiting(self) -> int:
        """Messages that are not sent yet."""
        return sum(len(track.waiting) for track in self._tracks.values())

    # ------------------------------------------------------------ the disk

    def document(self) -> dict[str, Any]:
        """For the disk."""
        kept = {name: encode(track) for name, track in self._tracks.items() if track.waiting}
        for row in kept.values():
            del row["busy"]  # nobody is after a restart
        return kept

    def restore(self, document: Mapping[str, Any]) -> None:
        """From the disk. Raises ValueError for what is not ours."""
        for name, row in document.items():
            self._tracks[name] = decode(_Queue, row)


def _batch(notifier: Notifier, waiting: list[_Waiting]) -> Batch:
    if notifier.kind in _CHATS and len(waiting) > _MANY:
        parts = [each.message for each in waiting[:_DIGEST]]
        digest = _digest(parts, len(waiting) - len(parts))
        return Batch(notifier, (digest,), {digest.id: tuple(each.id for each in parts)})
    waiting.sort(key=lambda each: (each.tries, each.since_ms))  # one bad message blocks no other
    messages = tuple(each.message for each in waiting[:_BATCH])
    return Batch(notifier, messages, {each.id: (each.id,) for each in messages})


def _digest(parts: Sequence[Message], later: int) -> Message:
    """Many messages as one, for eyes."""
    order = ("failure", "warning", "info", "success")
    worst = min(parts, key=lambda each: order.index(each.severity))
    lines = [f"- {each.title}" for each in parts]
    if later:
        lines.append(f"{later} more messages follow.")
    return Message(
        id=uuid.uuid4().hex,
        key=worst.key,
        level=worst.level,
        severity=worst.severity,
        title=f"{len(parts)} messages; most serious: {worst.title}",
        body="\n".join([*lines, "", worst.body]),
        at_wall_ms=worst.at_wall_ms,
        details=worst.details,
    )


def wants(notifier: Notifier, message: Message, opened_as: str) -> bool:
    """True if ``notifier`` is to be told. An end is for those who were told the beginning."""
    if opened_as not in notifier.levels or opened_as not in LEVELS:
        return False
    if message.resolves:
        return RESOLVED in notifier.levels
    return notifier.kind not in ("pagerduty", "opsgenie") or message.severity != "info"
