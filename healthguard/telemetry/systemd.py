"""Talking to systemd: ready, status, watchdog. Does nothing where there is no systemd."""

import asyncio
import os
import time
import warnings
from collections.abc import Callable, Mapping

from sdnotify import SystemdNotifier  # type: ignore[import-untyped]

STATUS_LIMIT = 400  # characters


class Systemd:
    """Messages to NOTIFY_SOCKET. None of them blocks or fails."""

    def __init__(self, environ: Mapping[str, str]):
        """``environ``: as systemd gives it; NOTIFY_SOCKET itself is read by sdnotify."""
        self._notifier = _connect() if environ.get("NOTIFY_SOCKET") else None
        self._every = _watchdog_seconds(environ)
        self._status = ""

    def ready(self, status: str = "") -> None:
        """Started, or done with a reload."""
        self._status = _plain(status) or self._status
        self._send("READY=1\n" + (f"STATUS={self._status}" if self._status else ""))

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows. Sent only when it is a new one."""
        if (plain := _plain(text)) != self._status:
            self._status = plain
            self._send(f"STATUS={plain}")

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end begins."""
        self._send("STOPPING=1")

    async def watchdog(self, progress: Callable[[], bool]) -> None:
        """Feed the watchdog for ever, but only while ``progress`` says that work is done.

        Returns at once when systemd asked for no watchdog.
        """
        while self._every:
            if progress():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self._every)

    def close(self) -> None:
        """Close the socket."""
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()
        self._notifier = None

    def _send(self, state: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(state)


def _connect() -> SystemdNotifier:
    with warnings.catch_warnings():  # it forgets its socket when nobody listens
        warnings.simplefilter("ignore", ResourceWarning)
        notifier = SystemdNotifier()
    if notifier.socket is not None:
        notifier.socket.setblocking(False)  # a frozen systemd must not stop the probes
    return notifier


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """A third of the time systemd allows; 0: no watchdog, or not meant for this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(environ.get("WATCHDOG_USEC", "0")) / 3e6
    except ValueError:
        return 0.0


def _plain(text: str) -> str:
    """One bounded line of ASCII, which is all that sdnotify sends."""
    line = "".join(c if " " <= c <= "~" else "?" for c in text)
    return line if len(line) <= STATUS_LIMIT else line[: STATUS_LIMIT - 3] + "..."
