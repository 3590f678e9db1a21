"""Starting and stopping the control API."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from healthguard.control.access import access_for
from healthguard.control.door import House
from healthguard.control.ports import GuardPort
from healthguard.control.routes import Api
from healthguard.machine.unixsock import Listening, SocketError, listen_on

__all__ = ["ControlServer", "SocketError", "start_control"]

GRACE_S = 2.0


class ControlServer:
    """A running control API."""

    def __init__(
        self, listening: Listening, server: asyncio.AbstractServer, house: House, api: Api
    ) -> None:
        self._listening = listening
        self._server = server
        self._house = house
        self._api = api

    @property
    def path(self) -> Path:
        """Where it listens."""
        return self._listening.path

    async def close(self, grace_s: float = GRACE_S) -> None:
        """Take no new clients, give those that are here ``grace_s`` seconds, then leave.

        Orders that are not finished go on; ending them is the guard's business.
        """
        self._listening.remove()
        self._server.close()
        self._api.streams.stop()
        await self._house.shutdown(grace_s)


async def start_control(path: Path, groups: Sequence[str], guard: GuardPort) -> ControlServer:
    """Listen on ``path`` for orders to ``guard``; members of ``groups`` may change things.

    The caller holds the daemon's lock. SocketError: one sentence about what is in the way.
    """
    access = access_for(groups)
    api = Api(guard, access)
    house = House(api.handle, access)
    listening = listen_on(path)
    try:
        server = await asyncio.get_running_loop().create_unix_server(
            house, sock=listening.sock, backlog=128
        )
    except BaseException:
        listening.remove()
        listening.sock.close()
        raise
    return ControlServer(listening, server, house, api)
