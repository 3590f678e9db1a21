"""Server-sent events: each client gets what has changed since it was last told.

There are no queues: a client that reads slowly skips states, one that does not read is dropped.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from healthguard.doors.answers import text_answer
from healthguard.doors.clients import ClientConnection
from healthguard.web.snapshot import Snapshot, Snapshots

CLIENTS = 16
LIFETIME = 600.0  # seconds; the browser comes back by itself
WRITE_S = 5.0  # a client that takes nothing for so long is dropped
PERIOD = 1.0
BEAT = 5  # periods without news after which a sign of life is sent
_BUFFER = 64 * 1024  # bytes a client may be behind before writing waits for it


class PageStreams:
    """All clients of the stream."""

    def __init__(self, snapshots: Snapshots):
        self._snapshots = snapshots
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def close(self) -> None:
        """End every stream."""
        for task in list(self._tasks):
            task.cancel()

    async def answer(
        self, request: web.BaseRequest, headers: Mapping[str, str], client: ClientConnection
    ) -> web.StreamResponse:
        """Stream until the client leaves; its connection lives longer than others."""
        if len(self._tasks) >= CLIENTS:
            busy = "too many viewers; reload the page to update it\n"
            return text_answer(busy, 503, {"Retry-After": "15"})
        response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream"})
        response.force_close()
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        client.no_deadline()
        task = asyncio.create_task(self._send(request, response), name="page stream")
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
        finally:  # also when the client has gone
            task.cancel()
            self._tasks.discard(task)
        with suppress(asyncio.CancelledError):
            if (trouble := task.exception()) is not None:
                raise trouble
        return response

    async def _send(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Write states until the end of this stream."""
        transport = request.transport
        if transport is None:
            return
        transport.set_write_buffer_limits(high=_BUFFER)
        told: Snapshot | None = None
        quiet = 0
        try:
            await response.prepare(request)
            async with asyncio.timeout(LIFETIME):
                while not transport.is_closing():
                    now = await self._snapshots.now()
                    text = changes(told, now)
                    quiet = 0 if text else quiet + 1
                    if text or quiet >= BEAT:
                        quiet = 0
                        await _write(response, text or "event: beat\ndata: {}\n\n")
                    told = now
                    await asyncio.sleep(PERIOD)
        except (ConnectionError, TimeoutError):
            transport.abort()


async def _write(response: web.StreamResponse, text: str) -> None:
    """ConnectionError or TimeoutError: this client is lost."""
    async with asyncio.timeout(WRITE_S):
        await response.write(text.encode(errors="replace"))


def changes(old: Snapshot | None, new: Snapshot) -> str:
    """The event that brings a reader of ``old`` to ``new``; "" when there is nothing to tell."""
    before = old.data if old is not None else {}
    parts = [(name, text) for name, text in new.data.items() if before.get(name) != text]
    if old is not None and not parts and old.pools == new.pools and old.title == new.title:
        return ""
    head = {"at": new.at_ms, "title": new.title, "level": new.level, "pools": new.pools}
    told = ",".join(f"{json.dumps(name)}:{text}" for name, text in parts)
    return f'data: {json.dumps(head)[:-1]},"parts":{{{told}}}}}\n\n'
