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

from healthguard.doors.answers import text_answer
from healthguard.doors.clients import ClientConnection, Clients, PathHandler
from healthguard.machine.slices import in_slices
from healthguard.telemetry.exposition import CONTENT_TYPE
from healthguard.telemetry.telemetry import Telemetry
from healthguard.views.model import PoolView
from healthguard.web.site import Site
from healthguard.web.snapshot import PageSource

CONNECTIONS = 256
LIFETIME = 15.0  # seconds
GRACE_S = 1.0  # for those who are here when the end comes
METHODS = ("GET", "HEAD")
_CHUNK = 64 * 1024
_POINTER = "healthguard: /  /metrics  /-/healthy  /-/ready\n"


class Vital(PageSource, Protocol):
    """What this port needs of the daemon beyond the page."""

    def progress(self) -> bool:
        """True while every pool makes progress: the same that feeds the watchdog."""


class WebServer:
    """A server that listens. ``port`` is the real one when 0 was asked for."""

    def __init__(self, server: asyncio.Server, readers: "_Readers", site: Site):
        self._server = server
        self._readers = readers
        self._site = site
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self._server.close()
        await self._site.close()
        await self._readers.shutdown(GRACE_S)


async def start_web(host: str, port: int, guard: Vital, telemetry: Telemetry) -> WebServer:
    """Listen on ``host:port``. OSError when that cannot be done (the address is in use)."""
    site = Site(guard, telemetry.troubles)
    readers = _Readers(Pages(guard, telemetry, site).answer, ClientConnection)
    server = await asyncio.get_running_loop().create_server(readers, host, port)
    return WebServer(server, readers, site)


class _Readers(Clients[ClientConnection]):
    """All connections of the port; one too many is closed."""

    def came(self, connection: ClientConnection) -> None:
        super().came(connection)
        if len(self._inside) <= CONNECTIONS:
            connection.deadline(LIFETIME)
        elif connection.transport is not None:
            connection.transport.close()


class Pages:
    """Answers by path. Nothing here changes anything: ``Vital`` has no such method."""

    def __init__(self, guard: Vital, telemetry: Telemetry, site: Site):
        self._guard = guard
        self._telemetry = telemetry
        self.routes: Mapping[str, PathHandler] = {
            "/metrics": self._metrics,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            **site.routes(),
        }

    async def answer(
        self, request: web.BaseRequest, client: ClientConnection
    ) -> web.StreamResponse:
        """One request, one answer; whatever the path, only to GET and HEAD."""
        if request.method not in METHODS:
            return text_answer("only GET and HEAD\n", 405, {"Allow": ", ".join(METHODS)})
        handler = self.routes.get(request.path)
        return text_answer(_POINTER, 404) if handler is None else await handler(request, client)

    async def _metrics(
        self, request: web.BaseRequest, _client: ClientConnection
    ) -> web.StreamResponse:
        body = memoryview(await self._telemetry.exposition.text())
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        response.content_length = len(body)
        response.force_close()
        with suppress(ConnectionError):  # the scraper has gone
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            # In slices: a fast reader would never let go of the loop.
            async for start in in_slices(range(0, len(body), _CHUNK)):
                await response.write(body[start : start + _CHUNK])
        return response

    async def _healthy(
        self, _request: web.BaseRequest, _client: ClientConnection
    ) -> web.StreamResponse:
        if self._guard.progress():
            return text_answer("healthy\n")
        return text_answer("a pool is stuck\n", 503)

    async def _ready(
        self, _request: web.BaseRequest, _client: ClientConnection
    ) -> web.StreamResponse:
        waiting = []
        async for name in in_slices(list(self._guard.pools())):
            with suppress(KeyError):  # gone by a reload in between
                waiting.extend(_without_verdict(self._guard.pool(name)))
        if not waiting:
            return text_answer("ready\n")
        more = f" and {len(waiting) - 10} more" if len(waiting) > 10 else ""
        return text_answer(f"not checked yet: {', '.join(waiting[:10])}{more}\n", 503)


def _without_verdict(view: PoolView) -> list[str]:
    """``pool/upstream`` of every upstream whose health is not known."""
    return [
        f"{view.pool}/{name}"
        for name, upstream in view.upstreams.items()
        if upstream.health == "unknown"
    ]
