"""What the probes of one daemon share: TLS contexts, ready sockets, threads for look-ups."""

import asyncio
import os
import ssl
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from healthguard.probes.readiness import Readiness

T = TypeVar("T")

# Threads blocked by a silent resolver; more look-ups than this are refused, not queued.
MAX_THREADS = 16


class Lookup(Generic[T]):
    """The value of one finished look-up, or the exception it ended with."""

    __slots__ = ("error", "value")

    def __init__(self, value: T | None, error: Exception | None) -> None:
        self.value = value
        self.error = error


class Shared:
    """One per daemon; hand the same one to every ``build``. Use it in the loop's thread only."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str | None, bool], tuple[object, ssl.SSLContext]] = {}
        self._busy = 0
        self.readiness = Readiness()

    def in_thread(self, work: Callable[[], T], done: Callable[[Lookup[T]], None]) -> bool:
        """Run ``work`` in a thread, then ``done`` in the loop; False: too many run already.

        Daemon threads of our own, not the loop's executor: a resolver that hangs for 10 s must
        delay neither other users of that executor nor the end of the process.
        """
        if self._busy >= MAX_THREADS:
            return False
        loop = asyncio.get_running_loop()

        def finish(result: Lookup[T]) -> None:
            self._busy -= 1
            done(result)

        def run() -> None:
            try:
                result = Lookup(work(), None)
            except Exception as error:
                result = Lookup(None, error)
            try:
                loop.call_soon_threadsafe(finish, result)
            except RuntimeError:
                return  # the loop was closed meanwhile; nobody is waiting

        thread = threading.Thread(target=run, name="probe-lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads on this system
            return False
        self._busy += 1
        return True

    def context(self, ca_file: str | None, verify: bool) -> ssl.SSLContext | None:
        """The context built for this, None if there is none yet or its CA file has changed."""
        known = self._contexts.get((ca_file, verify))
        if known is None or known[0] != _stamp(ca_file):
            return None
        return known[1]

    def keep(self, ca_file: str | None, verify: bool, made: tuple[object, ssl.SSLContext]) -> None:
        """Remember what ``make_context`` made."""
        self._contexts[(ca_file, verify)] = made


def make_context(ca_file: str | None, verify: bool) -> tuple[object, ssl.SSLContext]:
    """(stamp of the CA file, context). Reads files: 30 ms for the system's store.

    OSError (also ssl.SSLError): the CA file is missing or is not one.
    """
    stamp = _stamp(ca_file)
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return stamp, context
    return stamp, ssl.create_default_context(cafile=ca_file)


def _stamp(ca_file: str | None) -> object:
    if ca_file is None:
        return None
    try:
        found = os.stat(ca_file)  # noqa: PTH116 - one system call, in the loop
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
