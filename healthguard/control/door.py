"""The connections: how many, for how long, and what a client gets that does not behave.

One request per connection. A client has ``REQUEST_S`` to send it and, once the answer stands,
``ANSWER_S`` to take it. A full house sends away whoever has been silent longest, strangers
first, so that no crowd of silent clients keeps an operator out.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_request import BaseRequest

from healthguard.control.access import Access
from healthguard.control.errors import ApiError
from healthguard.doors.answers import json_answer
from healthguard.doors.clients import ClientConnection, Clients
from healthguard.machine.unixsock import Peer, peer_of

REQUEST_S = 2.0
ANSWER_S = 2.0
MAX_CONNECTIONS = 64

_silent = logging.Logger("healthguard.control.http", logging.CRITICAL)

Handler = Callable[[BaseRequest, "Door"], Awaitable[web.StreamResponse]]


class Door(ClientConnection):
    """One connection, and who it is."""

    def __init__(self, house: "Clients[Door]") -> None:
        super().__init__(
            house,
            logger=_silent,
            lingering_time=0.5,
            auto_decompress=False,
            max_line_size=4096,
            max_field_size=4096,
        )
        self.peer: Peer | None = None
        self.silent = True  # no complete request so far

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look who it is; start the clock."""
        self.peer = _peer(transport)
        self.deadline(REQUEST_S, self._too_slow)
        super().connection_made(transport)

    def heard(self) -> None:
        """The request is complete; its handling has its own limits."""
        self.silent = False
        self.no_deadline()

    def answering(self) -> None:
        """The answer stands: the client may take ``ANSWER_S`` to read it."""
        self.silent = False
        self.deadline(ANSWER_S)

    def send_away(self, error: ApiError) -> None:
        """Answer a client whose request was never complete."""
        self.silent = False
        if self.transport is None or self.transport.is_closing():
            return
        body = json.dumps(error.body()).encode() + b"\n"
        head = (
            f"HTTP/1.1 {error.status} {error.code}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.deadline(ANSWER_S)
        self.force_close()

    def handle_error(
        self,
        request: BaseRequest,  # noqa: ARG002
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,
    ) -> web.StreamResponse:
        """What the HTTP parser did not like, as JSON. Nothing of it is worth a log line."""
        self.answering()
        first = (message or "not an HTTP request").strip().splitlines()[0]
        return json_answer(ApiError(status, "bad_http", first[:200]).body(), status)

    def _too_slow(self) -> None:
        self.send_away(
            ApiError(408, "too_slow", f"the request was not complete within {REQUEST_S:g} s")
        )


class House(Clients[Door]):
    """All connections of one control socket."""

    def __init__(self, handler: Handler, access: Access) -> None:
        super().__init__(handler, Door)
        self._access = access

    def came(self, connection: Door) -> None:
        """Take it in, if need be in place of a silent one."""
        super().came(connection)
        if len(self._inside) > MAX_CONNECTIONS:
            silent = [each for each in self._inside if each.silent and each is not connection]
            strangers = [each for each in silent if not self.trusts(each)]
            leaving = next(iter(strangers or silent), connection)
            self.left(leaving)
            leaving.send_away(
                ApiError(503, "busy", f"too many clients ({MAX_CONNECTIONS}); try again")
            )

    def trusts(self, door: Door) -> bool:
        """True if the one at ``door`` may change things."""
        return door.peer is not None and self._access.may_change(door.peer)


def _peer(transport: asyncio.BaseTransport) -> Peer | None:
    try:
        # A copy: the sockets that event loops hand out do not all have getsockopt().
        number = os.dup(transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as connection:
            return peer_of(connection)
    except OSError:
        return None
