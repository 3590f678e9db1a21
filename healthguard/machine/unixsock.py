"""Unix sockets: listening without ever taking one away from another process, and who is there.

The kernel tells who: what the process was when it connected, or began to listen. Nothing that the
other end says counts.
"""

import contextlib
import errno
import os
import pwd
import socket
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from healthguard.core.model import Actor

_LONGEST = 107  # bytes of sockaddr_un.sun_path without its final zero
_SO_PEERGROUPS = 59  # asm-generic/socket.h; the socket module has no name for it
_MOST_GROUPS = 65_536  # NGROUPS_MAX
_CONNECT_S = 1.0


class SocketError(Exception):
    """The socket cannot be made; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket and the identity of its file."""

    sock: socket.socket
    path: Path
    inode: tuple[int, int]

    def remove(self) -> None:
        """Remove the file, unless something else stands there by now."""
        with contextlib.suppress(OSError):
            if _inode(self.path) == self.inode:
                self.path.unlink()


def listen_on(path: Path, mode: int = 0o666, backlog: int = 128) -> Listening:
    """Bind and listen. The caller holds the daemon's lock. SocketError says what is in the way.

    Mode 0666: who may connect is for the folder to say, who may change things is decided by the
    peer's credentials. With 0660 only one of several control groups could connect at all.
    """
    if len(os.fsencode(path)) > _LONGEST:
        raise SocketError(f"{path}: the path of a socket may have at most {_LONGEST} bytes")
    try:
        # Made 0755 whatever the umask; a folder that exists keeps its mode.
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o755)
        _clear(path)
        return _bind(path, mode, backlog)
    except OSError as error:
        raise SocketError(f"{path}: cannot listen: {error.strerror or error}") from None


def _bind(path: Path, mode: int, backlog: int) -> Listening:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        before = os.umask(0o177)  # nobody else gets in before all is set
        try:
            sock.bind(os.fspath(path))
        finally:
            os.umask(before)
        inode = _inode(path)
        sock.listen(backlog)
        path.chmod(mode)
    except BaseException:
        sock.close()
        raise
    return Listening(sock, path, inode)


def _clear(path: Path) -> None:
    """Remove what a dead daemon left; refuse to touch anything else."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(kind):
        raise SocketError(f"{path}: is a symbolic link; remove it or name another control_socket")
    if not stat.S_ISSOCK(kind):
        raise SocketError(f"{path}: already exists and is not a socket; left unchanged")
    if _alive(path):
        raise SocketError(
            f"{path}: another process is listening on it; is healthguard already running?"
        )
    path.unlink()


def _alive(path: Path) -> bool:
    """True unless it is proven that nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        return probe.connect_ex(os.fspath(path)) not in (errno.ECONNREFUSED, errno.ENOENT)


def _inode(path: Path) -> tuple[int, int]:
    seen = path.lstat()
    return seen.st_dev, seen.st_ino


# --------------------------------------------------------------- the other end


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end; ``groups`` has its primary and its supplementary ones."""

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


def listener_at(path: Path) -> Peer | None:
    """Who listens at ``path``; None: nobody does."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_CONNECT_S)
        client.connect(os.fspath(path))
        return peer_of(client)
    return None


def _supplementary(connection: socket.socket) -> Sequence[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)
    except OSError as error:
        return _many_groups(connection) if error.errno == errno.ERANGE else []
    return struct.unpack(f"{len(raw) // 4}I", raw)


def _many_groups(connection: socket.socket) -> Sequence[int]:
    """More than 256 groups: Python's getsockopt() has no room for them, the C one has."""
    import ctypes  # only here: hardly anybody is in so many groups

    buffer = (ctypes.c_uint32 * _MOST_GROUPS)()
    length = ctypes.c_uint32(ctypes.sizeof(buffer))
    failed = ctypes.CDLL(None).getsockopt(
        connection.fileno(), socket.SOL_SOCKET, _SO_PEERGROUPS, buffer, ctypes.byref(length)
    )
    return [] if failed else buffer[: length.value // 4]
