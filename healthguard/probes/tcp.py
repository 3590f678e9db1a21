"""A connection that opens is a pass."""

import socket

from healthguard.probes.connection import Connection
from healthguard.probes.shared import Shared
from healthguard.probes.spec import TcpSpec


class TcpProber(Connection):
    """See Prober."""

    def __init__(self, spec: TcpSpec, shared: Shared) -> None:
        super().__init__(
            spec.host, spec.port, spec.unix_socket, spec.timeout_ms, spec.expect, shared
        )

    def _connected(self) -> None:
        sock = self._socket()
        # Linux may connect a socket to itself when nothing listens on a port of the local range.
        if sock.family != socket.AF_UNIX and sock.getsockname() == sock.getpeername():
            self._finish(failure="refused", detail=f"{self.where()}: nothing is listening there")
            return
        self._finish()
