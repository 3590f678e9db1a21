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
from dataclasses import is_dataclass

from aiohttp import web
from aiohttp.web_request import BaseRequest

from healthguard.control.access import Access
from healthguard.control.errors import ApiError
from healthguard.machine.codec import shallow
from healthguard.machine.unixsock import Peer, peer_of

REQUEST_S = 2.0
ANSWER_S = 2.0
MAX_CONNECTIONS = 64
MAX_BODY = 64 * 1024

_silent = logging.Logger("healthguard.control.http", logging.CRITICAL)

Handler = Callable[[BaseRequest, "Door"], Awaitable[web.StreamResponse]]


def json_response(body: object, status: int = 200) -> web.Response:
    """A JSON answer that ends the connection."""
    text = json.dumps(body, ensure_ascii=False, default=plain, check_circular=False) + "\n"
    response = web.Response(
        status=status,
        body=text.encode(errors="replace"),
        content_type="application/json",
        charset="utf-8",
    )
    response.force_close()
    return response


def plain(value: object) -> object:
    """What json.dumps does not know: views, mappings and sets are data, the rest is named."""
    if is_dataclass(value):
        return shallow(value)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


class Door(web.RequestHandler):
    """One connection."""

    def __init__(self, house: "House", **options: object) -> None:
        super().__init__(house, loop=asyncio.get_running_loop(), **options)  # type: ignore[arg-type]
        self.house = house
        self.peer: Peer | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.silent = True  # no complete request so far
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look who it is; start the clock."""
        super().connection_made(transport)
        self.peer = _peer(transport)
        if self.house.admit(self):
            self._clock(REQUEST_S, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has left, or was sent away."""
        self._stop_clock()
        self.house.left(self)
        if not self.gone.done():
            self.gone.set_result(None)
        super().connection_lost(exc)

    def heard(self) -> None:
        """The request is complete; its handling has its own limits."""
        self.silent = False
        self._stop_clock()

    def answering(self) -> None:
        """The answer stands: the client may take ``ANSWER_S`` to read it."""
        self.silent = False
        self._clock(ANSWER_S, self.cut)

    def cut(self) -> None:
        """End the connection now, whatever is still unsent."""
        if self.transport is not None:  # uvloop's is no asyncio.Transport, and can abort as well
            self.transport.abort()

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
        self._clock(ANSWER_S, self.cut)
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
        return json_response(ApiError(status, "bad_http", first[:200]).body(), status)

    def _too_slow(self) -> None:
        self.send_away(
            ApiError(408, "too_slow", f"the request was not complete within {REQUEST_S:g} s")
        )

    def _clock(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_clock()
        self._deadline = asyncio.get_running_loop().call_later(seconds, then)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class House(web.Server):
    """All connections of one control socket."""

    def __init__(self, handler: Handler, access: Access) -> None:
        async def handle(request: BaseRequest) -> web.StreamResponse:
            door = request.protocol
            assert isinstance(door, Door)
            return await handler(request, door)

        super().__init__(handle, request_factory=self._request)
        self._access = access
        self._doors: dict[Door, None] = {}  # oldest first

    def __call__(self) -> web.RequestHandler:
        """A connection's protocol."""
        return Door(
            self,
            access_log=None,
            logger=_silent,
            lingering_time=0.5,
            auto_decompress=False,
            max_line_size=4096,
            max_field_size=4096,
        )

    def admit(self, door: Door) -> bool:
        """Take ``door`` in, if need be in place of a silent one. False: it was sent away."""
        if len(self._doors) >= MAX_CONNECTIONS:
            silent = [each for each in self._doors if each.silent]
            strangers = [each for each in silent if not self.trusts(each)]
            leaving = next(iter(strangers or silent), door)
            self._doors.pop(leaving, None)
            leaving.send_away(
                ApiError(503, "busy", f"there are {MAX_CONNECTIONS} clients already; try again")
            )
            if leaving is door:
                return False
        self._doors[door] = None
        return True

    def left(self, door: Door) -> None:
        """``door`` is closed."""
        self._doors.pop(door, None)

    def trusts(self, door: Door) -> bool:
        """True if the one at ``door`` may change things."""
        return door.peer is not None and self._access.may_change(door.peer)

    def _request(self, message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


def _peer(transport: asyncio.BaseTransport) -> Peer | None:
    try:
        # A copy: the sockets that event loops hand out do not all have getsockopt().
        number = os.dup(transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as connection:
            return peer_of(connection)
    except OSError:
        return None
