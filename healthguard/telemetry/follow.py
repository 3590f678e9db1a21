"""Followers: readers of events as they happen, each with a bounded queue."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

Event = dict[str, object]
QUEUE = 256  # events a reader may be behind
_LAST = "healthguard: you read too slowly and events were dropped; reconnect with `since`"


class Follower(AsyncIterator[Event]):
    """Events of one pool (None: of all) from its making on. Ends by itself when too slow."""

    def __init__(self, pool: str | None):
        self._pool = pool
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self.ended = False

    def feed(self, event: Event) -> None:
        """Queue one event; a reader too far behind gets one last line and no more."""
        if self.ended or self._pool not in (None, event["pool"]):
            return
        if len(self._queue) >= QUEUE:
            self._queue.append({"error": {"code": "too_slow", "message": _LAST}})
            self.ended = True
        else:
            self._queue.append(event)
        self._wake.set()

    def close(self) -> None:
        """No more events; what is queued can still be read."""
        self.ended = True
        self._wake.set()

    async def aclose(self) -> None:
        """As ``close``; lets ``contextlib.aclosing`` end a follower."""
        self.close()

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self.ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()


class Followers:
    """All readers. One that was closed or dropped is forgotten at the next event."""

    def __init__(self) -> None:
        self._all: list[Follower] = []

    def add(self, pool: str | None) -> Follower:
        """A new reader, fed from now on. Its owner calls ``close`` when the client has gone."""
        follower = Follower(pool)
        self._all.append(follower)
        return follower

    def feed(self, event: Event) -> None:
        """Give ``event`` to every reader."""
        for follower in self._all:
            follower.feed(event)
        self._all = [each for each in self._all if not each.ended]

    def close(self) -> None:
        """End all."""
        for follower in self._all:
            follower.close()
        self._all.clear()

    def __len__(self) -> int:
        return len(self._all)
