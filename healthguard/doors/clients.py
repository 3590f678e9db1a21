"""The clients at a door: one request per connection, a deadline for each, and a limit of how many.

Import this late, see ``server_only``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from aiohttp import web
from aiohttp.web_request import BaseRequest

MAX_BODY = 64 * 1024


class ClientConnection(web.RequestHandler):
    """One connection. ``gone`` is done when the client has left, or was sent away."""

    def __init__(self, clients: "Clients[Any]", **options: Any) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(clients, loop=loop, **{"access_log": None, **options})
        self.gone: asyncio.Future[None] = loop.create_future()
        self._clients = clients
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: may it come in?"""
        super().connection_made(transport)
        self._clients.came(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has left, or was sent away."""
        self.no_deadline()
        self._clients.left(self)
        if not self.gone.done():
            self.gone.set_result(None)
        super().connection_lost(exc)

    def deadline(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        """In place of the one before: ``then``, else the connection is cut."""
        self.no_deadline()
        self._deadline = asyncio.get_running_loop().call_later(seconds, then or self.cut)

    def no_deadline(self) -> None:
        """From now on somebody else bounds the life of this connection."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def cut(self) -> None:
        """End the connection now, whatever is still unsent."""
        if self.transport is not None:  # uvloop's is no asyncio.Transport, and can abort as well
            self.transport.abort()


PathHandler = Callable[[BaseRequest, ClientConnection], Awaitable[web.StreamResponse]]
C = TypeVar("C", bound=ClientConnection)


class Clients(web.Server, Generic[C]):
    """Everybody at one door."""

    def __init__(
        self,
        answer: Callable[[BaseRequest, C], Awaitable[web.StreamResponse]],
        connection: Callable[["Clients[C]"], C],
    ) -> None:
        """``answer`` one request; ``connection`` makes what speaks with one client."""

        async def handle(request: BaseRequest) -> web.StreamResponse:
            return await answer(request, cast("C", request.protocol))

        super().__init__(handle, request_factory=_request)
        self._connection = connection
        self._inside: dict[C, None] = {}  # the oldest first

    def __call__(self) -> web.RequestHandler:
        """What speaks with the next client."""
        return self._connection(self)

    def came(self, connection: C) -> None:
        """Let ``connection`` in. A door that has a limit keeps it here."""
        self._inside[connection] = None

    def left(self, connection: C) -> None:
        """``connection`` is closed."""
        self._inside.pop(connection, None)


def _request(message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
    loop = asyncio.get_running_loop()
    return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)
