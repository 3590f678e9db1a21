"""Who is at the other end of the socket, and may they change things.

The kernel tells: what the process was when it connected. Nothing the client says counts.
"""

import contextlib
import ctypes
import errno
import grp
import os
import pwd
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from healthguard.core.model import Actor

_SO_PEERGROUPS = 59  # asm-generic/socket.h; the socket module has no name for it
_MOST_GROUPS = 65_536  # NGROUPS_MAX


@dataclass(frozen=True, slots=True)
class Peer:
    """The client's process as it was at connect(); ``groups`` has primary and supplementary."""

    pid: int
    uid: int
    groups: frozenset[int]

    def actor(self) -> Actor:
        """For the record. May ask the user database, so call it off the event loop."""
        try:
            name = pwd.getpwuid(self.uid).pw_name
        except (KeyError, OSError):
            name = str(self.uid)
        return Actor(user=name, uid=self.uid, pid=self.pid)


def peer_of(connection: socket.socket) -> Peer:
    """The peer of a connected unix socket. OSError when it is gone."""
    size = struct.calcsize("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, gid = struct.unpack("3i", raw)
    return Peer(pid=pid, uid=uid, groups=frozenset({gid, *_supplementary(connection)}))


def _supplementary(connection: socket.socket) -> Sequence[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)
    except OSError as error:
        return _many_groups(connection) if error.errno == errno.ERANGE else []
    return struct.unpack(f"{len(raw) // 4}I", raw)


def _many_groups(connection: socket.socket) -> Sequence[int]:
    """More than 256 groups: Python's getsockopt() has no room for them, the C one has."""
    buffer = (ctypes.c_uint32 * _MOST_GROUPS)()
    length = ctypes.c_uint32(ctypes.sizeof(buffer))
    failed = ctypes.CDLL(None).getsockopt(
        connection.fileno(), socket.SOL_SOCKET, _SO_PEERGROUPS, buffer, ctypes.byref(length)
    )
    return [] if failed else buffer[: length.value // 4]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may change things: root, the daemon's own user, members of ``groups``."""

    groups: tuple[str, ...]
    gids: frozenset[int]
    own_uid: int

    def may_change(self, peer: Peer) -> bool:
        """True if the peer's orders are taken."""
        return peer.uid in (0, self.own_uid) or not self.gids.isdisjoint(peer.groups)

    def refusal(self) -> str:
        """What to tell somebody who may not."""
        if not self.groups:
            return "only root and the daemon's own user may change things"
        named = ", ".join(
            name if _gid(name) is not None else f"{name} (does not exist on this host)"
            for name in self.groups
        )
        return (
            "only root, the daemon's own user and members of these groups may change things: "
            f"{named}; after joining a group, log in again"
        )


def access_for(groups: Sequence[str]) -> Access:
    """Access for the configured ``groups``; a group this host does not have lets nobody in."""
    gids = frozenset(gid for name in groups if (gid := _gid(name)) is not None)
    return Access(groups=tuple(groups), gids=gids, own_uid=os.geteuid())


def _gid(name: str) -> int | None:
    with contextlib.suppress(KeyError, OSError):
        return grp.getgrnam(name).gr_gid
    return None
