"""The daemon's HTTP port: /metrics, /-/healthy, /-/ready, and the page.

One request per connection, which lasts 15 seconds at most whatever its client does; only the
page's stream of changes lasts longer, and has bounds of its own. Import this module late: aiohttp
takes 130 ms or more.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from aiohttp import web

from healthguard.machine.slices import in_slices
from healthguard.telemetry.exposition import CONTENT_TYPE
from healthguard.telemetry.telemetry import Telemetry
from healthguard.views.model import PoolView
from healthguard.web.site import Site
from healthguard.web.snapshot import PageSource

CONNECTIONS = 256
LIFETIME = 15.0  # seconds
_CHUNK = 64 * 1024
_POINTER = "healthguard: /  /metrics  /-/healthy  /-/ready\n"


class Vital(PageSource, Protocol):
    """What this port needs of the daemon beyond the page."""

    def progress(self) -> bool:
        """True while every pool makes progress: the same that feeds the watchdog."""


class WebServer:
    """A server that listens. ``port`` is the real one when 0 was asked for."""

    def __init__(self, runner: web.ServerRunner, server: asyncio.Server, door: "_Door", site: Site):
        self._runner = runner
        self._server = server
        self._door = door
        self._site = site
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self._server.close()
        self._door.close()
        await self._site.close()
        await self._runner.cleanup()


async def start_web(host: str, port: int, guard: Vital, telemetry: Telemetry) -> WebServer:
    """Listen on ``host:port``. OSError when that cannot be done (the address is in use)."""
    site = Site(guard, telemetry.troubles)
    pages = _Pages(guard, telemetry, site)
    runner = web.ServerRunner(web.Server(pages.answer, access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    assert runner.server is not None
    pages.door = door = _Door(runner.server)
    try:
        server = await asyncio.get_running_loop().create_server(door, host, port)
    except BaseException:
        await runner.cleanup()
        raise
    return WebServer(runner, server, door, site)


class _Door:
    """Makes the protocol of each connection; bounds their number and their life."""

    def __init__(self, server: web.Server):
        self._server = server
        self._ends: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}

    def __call__(self) -> asyncio.Protocol:
        if len(self._server.connections) >= CONNECTIONS:
            return _Closed()
        protocol = self._server()
        self._end_later(protocol)
        return protocol

    def _end_later(self, protocol: web.RequestHandler) -> None:
        def end() -> None:
            self._ends.pop(protocol, None)
            if protocol.transport is not None:
                protocol.transport.abort()

        self._ends[protocol] = asyncio.get_running_loop().call_later(LIFETIME, end)

    def keep(self, protocol: asyncio.BaseProtocol) -> None:
        """From now on somebody else bounds the life of this connection."""
        handle = self._ends.pop(protocol, None)
        if handle is not None:
            handle.cancel()

    def close(self) -> None:
        for handle in self._ends.values():
            handle.cancel()
        self._ends.clear()


class _Closed(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Pages:
    door: _Door

    def __init__(self, guard: Vital, telemetry: Telemetry, site: Site):
        self._guard = guard
        self._telemetry = telemetry
        self._site = site

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return _text(405, "only GET and HEAD\n", {"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            return await self._metrics(request)
        if request.path == "/-/healthy":
            return self._healthy()
        if request.path == "/-/ready":
            return await self._ready()
        page = await self._site.answer(request, lambda: self.door.keep(request.protocol))
        return page if page is not None else _text(404, _POINTER)

    async def _metrics(self, request: web.BaseRequest) -> web.StreamResponse:
        body = memoryview(await self._telemetry.exposition.text())
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        response.content_length = len(body)
        response.force_close()
        with suppress(ConnectionError):  # the scraper has gone
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            for start in range(0, len(body), _CHUNK):
                await response.write(body[start : start + _CHUNK])
                await asyncio.sleep(0)  # a fast reader would never let go of the loop
        return response

    def _healthy(self) -> web.Response:
        if self._guard.progress():
            return _text(200, "healthy\n")
        return _text(503, "a pool makes no progress\n")

    async def _ready(self) -> web.Response:
        waiting = []
        async for name in in_slices(list(self._guard.pools())):
            with suppress(KeyError):  # gone by a reload in between
                waiting.extend(_without_verdict(self._guard.pool(name)))
        if not waiting:
            return _text(200, "ready\n")
        more = f" and {len(waiting) - 10} more" if len(waiting) > 10 else ""
        return _text(503, f"no verdict yet: {', '.join(waiting[:10])}{more}\n")


def _without_verdict(view: PoolView) -> list[str]:
    """``pool/upstream`` of every upstream whose health is not known."""
    return [
        f"{view.pool}/{name}"
        for name, upstream in view.upstreams.items()
        if upstream.health == "unknown"
    ]


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    response = web.Response(status=status, text=text, headers=headers)
    response.force_close()
    return response
