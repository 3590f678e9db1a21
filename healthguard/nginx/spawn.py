"""Running a command with a deadline, its process group ended with it, from a thread of its own.

A thread, because it may enter another mount namespace: that is a property of the thread, and
ends with it. The event loop never waits.
"""

import asyncio
import contextlib
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_KEEP = 64 * 1024 * 1024
_GRACE = 1.0
_DROPPED = ("NGINX", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. ``code`` is None when it could not be started or was killed by us."""

    code: int | None
    out: str = ""
    err: str = ""
    took_ms: int = 0
    timed_out: bool = False
    problem: str = ""


async def run(argv: Sequence[str], timeout_ms: int, setup: Callable[[], None] | None = None) -> Ran:
    """Run ``argv`` in its own process group; TERM at the deadline, KILL a second later.

    ``setup`` runs before it in the same thread; an OSError of it is re-raised here.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Ran] = loop.create_future()

    def settle(result: Ran | None, error: OSError | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        elif result is not None:
            done.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            if setup is not None:
                setup()
            result = run_here(argv, timeout_ms)
        except OSError as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile; nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="nginx-command", daemon=True).start()
    return await done


def run_here(argv: Sequence[str], timeout_ms: int) -> Ran:
    """The same, in the calling thread."""
    began = time.monotonic()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    environment = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    try:
        pid = os.posix_spawnp(
            argv[0],
            list(argv),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, out_write, 1),
                (os.POSIX_SPAWN_DUP2, err_write, 2),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
        )
    except OSError as error:
        for each in (out_read, err_read):
            os.close(each)
        return Ran(None, problem=f"{argv[0]} cannot be run: {error.strerror}")
    finally:
        os.close(out_write)
        os.close(err_write)
    return _follow(pid, {out_read: bytearray(), err_read: bytearray()}, began, timeout_ms)


def _follow(pid: int, pipes: dict[int, bytearray], began: float, timeout_ms: int) -> Ran:
    out_read, err_read = pipes
    child = os.pidfd_open(pid)
    deadline = began + timeout_ms / 1000
    timed_out = False
    try:
        with selectors.DefaultSelector() as selector:
            for each in (*pipes, child):
                os.set_blocking(each, False)
                selector.register(each, selectors.EVENT_READ)
            ended = False
            while not ended:
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                for key, _ in ready:
                    if key.fd == child:
                        ended = True
                    elif not _drain(key.fd, pipes[key.fd]):
                        selector.unregister(key.fd)
                if not ready and time.monotonic() >= deadline:
                    _kill_group(pid, signal.SIGKILL if timed_out else signal.SIGTERM)
                    timed_out, deadline = True, time.monotonic() + _GRACE
        for each, kept in pipes.items():
            _drain(each, kept)
    finally:
        if timed_out:
            _kill_group(pid, signal.SIGKILL)  # what the command itself had started
        _, status = os.waitpid(pid, 0)
        for each in (*pipes, child):
            os.close(each)
    code = os.waitstatus_to_exitcode(status)
    return Ran(
        code=None if timed_out else code,
        out=pipes[out_read].decode(errors="replace"),
        err=pipes[err_read].decode(errors="replace"),
        took_ms=round((time.monotonic() - began) * 1000),
        timed_out=timed_out,
    )


def _drain(descriptor: int, kept: bytearray) -> bool:
    """Read what is there; False at the end. More than 64 MiB is read and thrown away."""
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        if len(kept) < _KEEP:
            kept += data


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, number)
