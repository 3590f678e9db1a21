"""The last events: from the event log once, then as they happen."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol

from healthguard.views.events import colour, sentence
from healthguard.web.tree import Element, el
from healthguard.web.words import badge, marked, moment, text

Event = Mapping[str, Any]  # as in the event log
SHOWN = 20
_HOUR_MS = 3_600_000
_LOOK_BACK_MS = (_HOUR_MS, 24 * _HOUR_MS, 7 * 24 * _HOUR_MS)  # a log may be long: not all at once


class Source(Protocol):
    """Where events come from."""

    def events(self, since_wall_ms: int, pool: str | None = None) -> list[Event]:
        """Of the past, oldest first. Reads files."""

    def follow(self, pool: str | None = None) -> AsyncIterator[Event]:
        """From now on."""


class RecentEvents:
    """Keeps the last events in memory from the first time that somebody asks."""

    def __init__(self, source: Source):
        self._source = source
        self._kept: deque[Event] = deque(maxlen=SHOWN)
        self._task: asyncio.Task[None] | None = None
        self._loaded = asyncio.Event()

    async def latest(self) -> list[Event]:
        """The newest first."""
        if self._task is None or self._task.done():  # done: we were too slow, begin again
            self._loaded.clear()
            self._task = asyncio.create_task(self._keep(), name="page events")
        await self._loaded.wait()
        return list(reversed(self._kept))

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        coming = self._source.follow()  # before the past is read: nothing falls in between
        try:
            async with aclosing(coming) as events:  # type: ignore[type-var]
                past = await asyncio.to_thread(self._past)
                seen = {event.get("id") for event in past} - {None}
                self._kept.clear()
                self._kept.extend(past)
                self._loaded.set()
                async for event in events:
                    if "error" in event:
                        return
                    if event.get("id") not in seen:
                        self._kept.append(event)
        finally:
            self._loaded.set()

    def _past(self) -> list[Event]:
        now = time.time_ns() // 1_000_000
        found: list[Event] = []
        for back in _LOOK_BACK_MS:
            found = self._source.events(now - back)[-SHOWN:]
            if len(found) == SHOWN:
                break
        return found


def listed(events: list[Event]) -> Element:
    """The newest first, one line each."""
    rows = [_row(event) for event in events]
    return el(
        "section",
        el("h2", "Events"),
        el("ol", rows) if rows else el("p", "No events in the last seven days."),
        id="events",
    )


def _row(event: Event) -> Element:
    name = text(event.get("event"))
    return el(
        "li",
        moment(event.get("ts"), "clock"),
        badge(colour(event) or "plain", name.replace("_", " ")),
        el("span", marked(text(sentence(event))), class_="told"),
    )
