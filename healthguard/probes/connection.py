"""A new connection per check, on a bare non-blocking socket.

No transport and no task: measured at less than half the CPU of create_connection. The loop only
says when the socket is ready.
"""

import ipaddress
import os
import select
import socket
from collections.abc import Callable, Iterable
from errno import EINPROGRESS
from typing import Any

from healthguard.core.model import Expect
from healthguard.probes.attempt import Attempt, now_us
from healthguard.probes.readiness import READ, WRITE
from healthguard.probes.reasons import classify
from healthguard.probes.shared import Lookup, Shared

Address = tuple[socket.AddressFamily, Any]  # family and what connect() takes

_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def literal(host: str, port: int, unix_socket: str | None) -> Address | None:
    """The address if it needs no resolver, else None."""
    if unix_socket is not None:
        return socket.AF_UNIX, unix_socket
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    if address.version == 4:
        return socket.AF_INET, (str(address), port)
    scope = getattr(address, "scope_id", None)
    index = _interface(scope) if scope else 0
    return socket.AF_INET6, (str(address).partition("%")[0], port, 0, index)


def _interface(scope: str) -> int:
    try:
        return int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
    except OSError:
        return 0


def writable(fd: int) -> bool:
    """True if a connection has opened or failed meanwhile."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))


class Connection(Attempt):
    """Base of the probers that connect. Subclasses give _connected()."""

    def __init__(
        self,
        host: str,
        port: int,
        unix_socket: str | None,
        timeout_ms: int,
        expect: Expect,
        shared: Shared,
        secrets: Iterable[str] = (),
    ) -> None:
        super().__init__(timeout_ms, expect, secrets)
        self._shared = shared
        self._host = host
        self._port = port
        self._literal = literal(host, port, unix_socket)
        self._address: Address | None = None
        self._resolving = False  # a look-up runs, maybe begun by an earlier check
        self._waiting = False  # this check waits for it
        self._sock: socket.socket | None = None
        self._watching = 0  # READ or WRITE
        self._fd = -1
        self._next: Callable[[], None] = self._establish

    # ------------------------------------------------------------ phases

    def _begin(self) -> None:
        if self._literal is not None:
            self._connect(self._literal)
        else:
            self._resolve()

    def _resolve(self) -> None:
        self._waiting = True
        if self._resolving:
            return  # never two look-ups of one probe
        host, port = self._host, self._port

        def look_up() -> list[Any]:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

        self._resolving = self._shared.in_thread(look_up, self._resolved)
        if not self._resolving:
            self._finish(inconclusive="dns", detail="too many DNS lookups are waiting")

    def _resolved(self, found: Lookup[list[Any]]) -> None:
        self._resolving = False
        if not self._waiting or self._done is None:
            return
        self._waiting = False
        if not found.value:
            reason = getattr(found.error, "strerror", None) or str(found.error or "no address")
            self._finish(inconclusive="dns", detail=f"{self._host}: {reason}")
            return
        family, _, _, _, address = found.value[0]  # one address, one verdict
        try:
            self._connect((family, address))
        except Exception as error:
            self._trouble(error)

    def _connect(self, address: Address) -> None:
        self._address = address
        self._connect_us = now_us()
        self._sock = sock = socket.socket(address[0], _STREAM)
        self._fd = sock.fileno()
        code = sock.connect_ex(address[1])
        if code == 0:
            self._connected()
        elif code == EINPROGRESS:
            self._opening()
        else:
            self._refused(OSError(code, os.strerror(code)), at_once=True)

    def _opening(self) -> None:
        """Under way; wait until it is writable."""
        self._next = self._establish
        self._watch(WRITE)

    def _establish(self) -> None:
        sock = self._socket()
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._refused(OSError(code, os.strerror(code)), at_once=False)
        else:
            self._connected()

    def _connected(self) -> None:
        raise NotImplementedError

    def _look(self) -> None:
        if self._watching == READ:
            self._next()
        elif self._watching == WRITE and writable(self._fd):
            self._finish(
                inconclusive="loop_late", detail="connected, but too late to send the request"
            )

    def _on_timeout(self) -> None:
        if self._waiting:
            self._finish(inconclusive="dns", detail=f"{self._host}: no answer from the resolver")
            return
        self._finish(failure="timeout", detail=self._timeout_detail())

    def _timeout_detail(self) -> str:
        return f"{self.where()} did not accept the connection within {self._timeout_s:g} s"

    # ------------------------------------------------------------ tools

    def where(self) -> str:
        """The peer, for people."""
        if self._address is None:
            return self._host
        family, address = self._address
        if family == socket.AF_UNIX:
            return str(address)
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"

    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise RuntimeError("no connection")
        return self._sock

    def _refused(self, error: OSError, *, at_once: bool) -> None:
        failure, doubt = classify(error, local=at_once or self._loopback())
        self._finish(
            failure=failure, inconclusive=doubt, detail=f"{self.where()}: {error.strerror}"
        )

    def _loopback(self) -> bool:
        if self._address is None or self._address[0] == socket.AF_UNIX:
            return True
        return ipaddress.ip_address(self._address[1][0].partition("%")[0]).is_loopback

    def _watch(self, event: int) -> None:
        """Call _event when ready for READ or WRITE."""
        if event != self._watching:
            self._shared.readiness.watch(self._fd, event, self._event)
            self._watching = event

    def _unwatch(self) -> None:
        watching, self._watching = self._watching, 0
        if watching:
            self._shared.readiness.forget(self._fd)

    def _event(self) -> None:
        try:
            self._next()
        except Exception as error:
            self._trouble(error)

    def _close(self) -> None:
        self._waiting = False
        sock = self._sock
        if sock is not None:
            self._shared.readiness.closing(self._fd)
            self._sock, self._watching = None, 0
            sock.close()
