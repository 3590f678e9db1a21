"""Making and removing the listening socket without ever taking one away from somebody else."""

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 107  # bytes of sockaddr_un.sun_path without its final zero


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
        raise SocketError(f"{path}: a socket's path has at most {_LONGEST} bytes")
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
        raise SocketError(f"{path}: is there already and is not a socket; it is left alone")
    if _alive(path):
        raise SocketError(f"{path}: another process is listening on it; is the guard running?")
    path.unlink()


def _alive(path: Path) -> bool:
    """True unless it is proven that nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        return probe.connect_ex(os.fspath(path)) not in (errno.ECONNREFUSED, errno.ENOENT)


def _inode(path: Path) -> tuple[int, int]:
    seen = path.lstat()
    return seen.st_dev, seen.st_ino
