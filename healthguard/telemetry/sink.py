"""Writes lines to a descriptor that may be blocked, without ever waiting for it."""

import os
import select
import socket
import stat
from collections.abc import Callable

PENDING_LIMIT = 64 * 1024  # bytes kept for a reader that is slow
_CHUNK = 4096  # PIPE_BUF: what a pipe that polls as writable takes without blocking


class Sink:
    """Lines to ``fd``. What does not fit now is kept up to 64 KiB; beyond that it is counted.

    The descriptor's own flags are never changed: it is shared with the shell that started us.
    """

    def __init__(self, fd: int):
        self.dropped = 0  # lines, ever
        self._untold = 0
        self._pending = bytearray()
        self._file, self._send = _way_to_write(fd)

    def write(self, line: str) -> None:
        """Write one line, or keep it, or drop it. Never raises, never blocks."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        self.flush()
        if len(self._pending) + len(data) > PENDING_LIMIT:
            self.dropped += 1
            self._untold += 1
            return
        if self._untold:
            told, self._untold = self._untold, 0
            self._pending += b"healthguard: %d log lines were dropped here\n" % told
        self._pending += data
        self.flush()

    def flush(self) -> None:
        """Write what was kept, as far as it goes now."""
        while self._pending:
            try:
                done = self._send(bytes(self._pending[:_CHUNK]))
            except BlockingIOError:
                return
            except OSError:  # nobody is there: a closed pipe, a terminal that is gone
                lost = self._pending.count(b"\n")
                self._pending.clear()
                self.dropped += lost
                self._untold += lost
                return
            del self._pending[:done]

    def close(self) -> None:
        """Close what was opened here; ``fd`` itself stays open."""
        if isinstance(self._file, socket.socket):
            self._file.close()
        elif self._file is not None:
            os.close(self._file)
        self._file = None


def _way_to_write(fd: int) -> tuple[socket.socket | int | None, Callable[[bytes], int]]:
    """A non-blocking way to write to ``fd``, and what to close at the end."""
    try:
        kind = os.fstat(fd).st_mode
    except OSError:
        return None, _gone
    if stat.S_ISSOCK(kind):
        sock = socket.socket(fileno=os.dup(fd))
        return sock, lambda data: sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    if stat.S_ISREG(kind):
        return None, lambda data: os.write(fd, data)
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC
    try:  # an open file of our own: its flags are ours alone
        own = os.open(f"/proc/self/fd/{fd}", flags)
    except OSError:
        return None, lambda data: _if_ready(fd, data)
    return own, lambda data: os.write(own, data)


def _gone(_data: bytes) -> int:
    raise BrokenPipeError


def _if_ready(fd: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(fd, data)
