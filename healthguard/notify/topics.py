"""When to tell what: at once the first time, quietly when it flaps, again when it lasts.

A topic is one trouble of one pool. It knows what is so, what was told last, and how often it was
told lately. The first time is told at once. What comes back within the hour is told only once it
has lasted: a minute, then two, four, at most ten; what ends sooner is counted, not told. An end
is told at once, if its beginning was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from healthguard.core.durations import shown
from healthguard.machine.codec import decode, encode
from healthguard.notify import notice as notices
from healthguard.notify.compose import LOST
from healthguard.notify.levels import HOLD, LATCH
from healthguard.notify.notice import Notice
from healthguard.notify.spec import Message

_REMINDED = (HOLD, LATCH, LOST)
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Timing:
    """All in milliseconds. ``remind_ms`` doubles with each reminder up to its maximum."""

    settle_ms: int = 60_000
    settle_max_ms: int = 600_000
    window_ms: int = 3_600_000
    remind_ms: int = 1_800_000
    remind_max_ms: int = 21_600_000


@dataclass(slots=True)
class Topic:
    """``now``: what is so (None: nothing). ``told``: what was told last and has not ended."""

    now: Notice | None = None
    told: Notice | None = None
    words: str = ""  # how it ended
    since_ms: int = 0  # of this beginning
    times_ms: list[int] = field(default_factory=list)  # when beginnings were told
    untold: int = 0
    reminders: int = 0
    remind_ms: int = 0


class Topics:
    """All topics. Times are wall milliseconds: they must mean something after a reboot."""

    def __init__(self, host: str, timing: Timing) -> None:
        self._host, self._timing = host, timing
        self._all: dict[tuple[str, str], Topic] = {}

    def begins(self, notice: Notice, now: int) -> None:
        """Something began, changed or happened."""
        topic = self._all.setdefault((notice.pool, notice.topic), Topic())
        was = topic.now
        if was is not None and not notice.moment and _keeps(was, notice):
            return
        if was is None or notice.moment:
            topic.untold += 1
        if was is None:
            topic.since_ms = now
        topic.now = notice

    def ends(self, pool: str, name: str, words: str, mark: str = "") -> None:
        """It is over. ``mark``: only this variant of it."""
        topic = self._all.get((pool, name))
        if topic is None or topic.now is None or topic.now.moment:
            return
        if mark in ("", topic.now.mark):
            topic.now, topic.words = None, words

    def open(self) -> dict[str, set[str]]:
        """Pools with topics that have not ended: the names of these."""
        found: dict[str, set[str]] = {}
        for (pool, name), topic in self._all.items():
            if topic.now is not None and not topic.now.moment:
                found.setdefault(pool, set()).add(name)
        return found

    def forget(self, pools: frozenset[str]) -> None:
        """Drop what is about pools that are not there any more."""
        self._all = {key: topic for key, topic in self._all.items() if key[0] in pools}

    def due(self, now: int) -> list[tuple[Message, str]]:
        """What is to be told now, and the level under which it was opened."""
        found = []
        for topic in self._all.values():
            if (told := self._tell(topic, now)) is not None:
                found.append(told)
        self._tidy(now)
        return found

    def next_ms(self, now: int) -> int:
        """How long nothing will be due, unless something happens."""
        waits = [60_000]
        for topic in self._all.values():
            if topic.now is not None and not _same(topic.now, topic.told):
                waits.append(self._due_ms(topic, now) - now)
            elif topic.remind_ms:
                waits.append(topic.remind_ms - now)
        return max(0, min(waits))

    # ------------------------------------------------------------ inside

    def _tell(self, topic: Topic, now: int) -> tuple[Message, str] | None:
        if topic.now is None:
            return self._ended(topic, now)
        if topic.now.moment or not _same(topic.now, topic.told):
            return self._began(topic, now) if now >= self._due_ms(topic, now) else None
        return self._reminder(topic, now)

    def _due_ms(self, topic: Topic, now: int) -> int:
        """When what is so is to be told. What lasts counts from its beginning."""
        assert topic.now is not None
        began = topic.since_ms
        if topic.now.moment and topic.times_ms:
            began = max(began, topic.times_ms[-1])
        return min(began, now) + self._patience(topic, now)

    def _patience(self, topic: Topic, now: int) -> int:
        lately = [each for each in topic.times_ms if now - self._timing.window_ms < each <= now]
        topic.times_ms = lately
        if not lately:
            return 0
        return int(min(self._timing.settle_ms << (len(lately) - 1), self._timing.settle_max_ms))

    def _began(self, topic: Topic, now: int) -> tuple[Message, str]:
        assert topic.now is not None
        more = f"It happened {topic.untold} times since the last message." * (topic.untold > 1)
        told = topic.now
        topic.times_ms = [*topic.times_ms, now][-20:]
        topic.untold = topic.reminders = 0
        topic.told = None if told.moment else told
        topic.now = topic.told
        topic.remind_ms = 0
        if told.topic in _REMINDED and not told.moment:
            topic.remind_ms = now + self._timing.remind_ms
        return notices.message(told, self._host, more), told.level

    def _ended(self, topic: Topic, now: int) -> tuple[Message, str] | None:
        told, topic.told = topic.told, None
        topic.remind_ms = 0
        if told is None:
            return None
        over = notices.resolution(told, self._host, now, topic.words)
        return over, told.level

    def _reminder(self, topic: Topic, now: int) -> tuple[Message, str] | None:
        told = topic.told
        if told is None or not topic.remind_ms:
            return None
        longest = self._timing.remind_max_ms
        topic.remind_ms = min(topic.remind_ms, now + longest)  # a clock that was set back
        if now < topic.remind_ms:
            return None
        topic.reminders += 1
        topic.remind_ms = now + min(self._timing.remind_ms << topic.reminders, longest)
        lasts = shown(max(0, now - told.at_wall_ms))
        again = replace(told, title=f"{told.title} (still the case after {lasts})")
        more = f"Reminder {topic.reminders}: still the case after {lasts}."
        return notices.message(again, self._host, more), told.level

    def _tidy(self, now: int) -> None:
        """Topics that say nothing any more go, and at most so many stay."""
        kept = {
            key: topic
            for key, topic in self._all.items()
            if topic.now is not None
            or topic.told is not None
            or any(now - self._timing.window_ms < each <= now for each in topic.times_ms)
        }
        while len(kept) > _MOST:
            kept.pop(next(iter(kept)))
        self._all = kept

    # ------------------------------------------------------------ the disk

    def document(self) -> list[dict[str, Any]]:
        """For the disk."""
        rows = []
        for (pool, name), topic in self._all.items():
            row = encode(topic)
            del row["words"]  # of an end, which is told at once
            rows.append({"pool": pool, "topic": name, **row})
        return rows

    def restore(self, rows: list[Mapping[str, Any]]) -> None:
        """From the disk. Raises KeyError, TypeError, ValueError for what is not ours."""
        for row in rows:
            self._all[str(row["pool"]), str(row["topic"])] = decode(Topic, row)


def _same(one: Notice, other: Notice | None) -> bool:
    return other is not None and (one.mark, one.severity) == (other.mark, other.severity)


def _keeps(was: Notice, new: Notice) -> bool:
    """What is open stays: said again by a restart, or a hold beside its own proposal."""
    return _same(new, was) or (
        was.mark.startswith("proposal") and not new.mark.startswith("proposal")
    )
