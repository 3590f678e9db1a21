"""Child processes that cannot outlive the demo."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _environment() -> dict[str, str]:
    """Ours, without what would make a child speak to the service manager that started us."""
    private = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    return {name: value for name, value in os.environ.items() if name not in private}


class Child:
    """One process of the sandbox, its output in a file.

    In a session of its own, so that Ctrl-C reaches the demo alone and it ends them in order.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(
        self,
        command: Sequence[str],
        *,
        stdout: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it; ``stdout`` PIPE to read its first line with `line`; ``env`` besides ours."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env=_environment() | dict(env or {}),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    async def line(self) -> str:
        """The next line of its output; "" when it has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def stop(self, within: float = 5.0) -> None:
        """SIGTERM, and SIGKILL for its whole session when that takes too long."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), within)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def tail(self, lines: int = 40) -> str:
        """The end of what it wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def python_m(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-m", module, *arguments]
