"""Events as JSON lines: those of the past, and on wish those to come."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from healthguard.control.answers import without_excerpts
from healthguard.control.door import ANSWER_S, Door
from healthguard.control.errors import ApiError
from healthguard.control.ports import Event, GuardPort
from healthguard.doors.answers import json_line

MAX_STREAMS = 16
MAX_PER_STRANGER = 4  # streams of one user who may not change things


class EventStreams:
    """Sends events; ends every stream when told to."""

    def __init__(self, guard: GuardPort) -> None:
        self._guard = guard
        self._stopped = asyncio.Event()
        self._running: Counter[int] = Counter()

    def stop(self) -> None:
        """End all streams, politely: the client sees a complete answer."""
        self._stopped.set()

    async def send(
        self,
        request: BaseRequest,
        door: Door,
        trusted: bool,
        since_wall_ms: int | None,
        pool: str | None,
        follow: bool,
    ) -> web.StreamResponse:
        """Stream events since then (None: only new ones); with ``follow`` go on until one leaves.

        ApiError 503 if there are too many streams.
        """
        uid = door.peer.uid if door.peer else -1
        full = self._running.total() >= MAX_STREAMS
        if full or (not trusted and self._running[uid] >= MAX_PER_STRANGER):
            raise ApiError(503, "busy", "too many open event streams; try again")
        self._running[uid] += 1
        try:
            return await self._send(request, door, trusted, since_wall_ms, pool, follow)
        finally:
            self._running[uid] -= 1

    async def _send(
        self,
        request: BaseRequest,
        door: Door,
        trusted: bool,
        since_wall_ms: int | None,
        pool: str | None,
        follow: bool,
    ) -> web.StreamResponse:
        coming = _Coming(self._guard.follow(pool)) if follow else None
        try:
            if coming is not None:
                await coming.started()  # before the past is read: nothing falls in between
            past: list[Event] = []
            if since_wall_ms is not None:
                past = await asyncio.to_thread(self._guard.events, since_wall_ms, pool)
            response = web.StreamResponse()
            response.content_type = "application/x-ndjson"
            response.force_close()
            await response.prepare(request)
            for event in past:
                await _write(response, door, event, trusted)
            if coming is not None:
                seen = {event.get("id") for event in past} - {None}
                await self._follow(response, door, trusted, coming, seen)
            return response
        finally:
            if coming is not None:
                await coming.close()

    async def _follow(
        self,
        response: web.StreamResponse,
        door: Door,
        trusted: bool,
        coming: "_Coming",
        seen: set[object],
    ) -> None:
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while True:
                awaited: tuple[asyncio.Future[Any], ...] = (coming.next, door.gone, stopped)
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if door.gone.done() or stopped.done():
                    return
                event = coming.take()
                if event is None:
                    return
                if event.get("id") not in seen:
                    await _write(response, door, event, trusted)
        finally:
            stopped.cancel()


class _Coming:
    """An async iterator whose next item can be waited for together with other things."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        self.next = self._ask()

    def _ask(self) -> "asyncio.Task[Event | None]":
        async def one() -> Event | None:
            return await anext(self._events, None)

        return asyncio.create_task(one(), name="control follow")

    async def started(self) -> None:
        """Let the iterator run up to its first wait: from then on it misses nothing."""
        await asyncio.sleep(0)

    def take(self) -> Event | None:
        """The item that is there; None at the end."""
        event = self.next.result()
        if event is not None:
            self.next = self._ask()
        return event

    async def close(self) -> None:
        """Stop asking."""
        self.next.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self.next
        aclose = getattr(self._events, "aclose", None)
        if aclose is not None:
            await aclose()


async def _write(response: web.StreamResponse, door: Door, event: Event, trusted: bool) -> None:
    """One line. ConnectionError when the client does not read."""
    shown = event if trusted else without_excerpts(event)
    try:
        async with asyncio.timeout(ANSWER_S):
            await response.write(json_line(shown))
    except TimeoutError:
        door.cut()
        raise ConnectionResetError("the client does not read") from None
