"""A command that exits with 0 is a pass. Nothing of it outlives the check.

Not the loop's own subprocess support: a pidfd says when the command ends, the same on every loop,
and its process group can be killed while its number cannot belong to another process yet.
"""

import contextlib
import os
import select
import signal
from collections.abc import Iterable

from healthguard.probes.attempt import Attempt
from healthguard.probes.excerpt import LIMIT
from healthguard.probes.reasons import classify
from healthguard.probes.spec import ExecSpec

# What systemd gave to the daemon alone.
_PRIVATE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS")
# Python ignores these, and what is ignored is inherited.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
_READ = 16 * 1024


class _Child:
    """One running command, in a session and process group of its own."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        """OSError: it cannot be started."""
        self.output = bytearray()
        self.pid, self.pipe = _spawn(argv)
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.pipe)
            raise

    def read(self) -> bool:
        """Keep the first KiB of the output, throw the rest away. False: there is no more."""
        try:
            data = os.read(self.pipe, _READ)
        except BlockingIOError:
            return True
        if len(self.output) < LIMIT:
            self.output += data[: LIMIT - len(self.output)]
        return bool(data)

    def kill(self) -> None:
        """The whole group. Only before reap()."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """The exit status, negative for a signal. Only when the pidfd is readable."""
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # another waiter has taken it
            code = 255
        os.close(self.pidfd)
        return code


def _spawn(argv: tuple[str, ...]) -> tuple[int, int]:
    """(pid, reading end of its output). Standard error goes to the same pipe."""
    env = {key: value for key, value in os.environ.items() if key not in _PRIVATE}
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(reading, False)
        pid = os.posix_spawnp(
            argv[0],
            argv,
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_DUP2, writing, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULT_SIGNALS,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return pid, reading


class ExecProber(Attempt):
    """See Prober. Costs a process per check; starting it takes about a millisecond of the loop."""

    def __init__(self, spec: ExecSpec, secrets: Iterable[str] = ()) -> None:
        super().__init__(spec.timeout_ms, spec.expect, secrets)
        self._argv = spec.argv
        self._child: _Child | None = None

    def _begin(self) -> None:
        try:
            self._child = child = _Child(self._argv)
        except OSError as error:
            self._no_start(error)
            return
        self._loop.add_reader(child.pipe, self._readable)
        self._loop.add_reader(child.pidfd, self._exited)

    def _no_start(self, error: OSError) -> None:
        match error:
            case FileNotFoundError() | NotADirectoryError():
                doubt = "no_command"
            case BlockingIOError():  # too many processes
                doubt = "no_memory"
            case _:
                doubt = classify(error, local=True)[1] or "no_command"
        self._finish(inconclusive=doubt, detail=f"{self._argv[0]}: {error.strerror}")

    def _readable(self) -> None:
        child = self._child
        if child is not None and not child.read():
            self._loop.remove_reader(child.pipe)

    def _exited(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.read()
        child.kill()  # what it left behind, while the number of its group is still its own
        code = self._let_go(child)
        if code == 0:
            self._finish()
        elif code < 0:
            detail = f"killed by {_signal_name(-code)}"
            self._finish(failure="exit", detail=detail, raw=bytes(child.output))
        else:
            detail = f"exit status {code}"
            self._finish(failure="exit", detail=detail, raw=bytes(child.output))

    def _let_go(self, child: _Child) -> int:
        self._loop.remove_reader(child.pidfd)
        self._loop.remove_reader(child.pipe)
        os.close(child.pipe)
        return child.reap()

    def _look(self) -> None:
        """An exit that we see too late ends this check too."""
        child = self._child
        if child is not None and _ended(child.pidfd):
            self._exited()

    def _on_timeout(self) -> None:
        output = bytes(self._child.output) if self._child else b""
        detail = f"still running after {self._timeout_s:g} s; killed"
        self._finish(failure="timeout", detail=detail, raw=output)

    def _close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        # It dies when the kernel comes to it; the reader of its pidfd then reaps it.
        self._loop.remove_reader(child.pidfd)
        self._loop.add_reader(child.pidfd, self._let_go, child)
        self._loop.remove_reader(child.pipe)


def _ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
