"""The thread of the notifications: nothing here is ever felt by a decision.

The event loop only puts things into the inbox. This thread makes notices of them, keeps topics
and queue on the disk, and starts senders; each of those is waited for in a thread of its own.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from healthguard.machine.files import write_atomic
from healthguard.notify import compose, launch
from healthguard.notify.outbox import Batch, Delivery, Outbox, Patience, wants
from healthguard.notify.spec import Message, Notifier, Sent
from healthguard.notify.topics import Timing, Topics

INBOX = 5_000  # events that may wait for this thread; more are dropped and counted
SENDERS = 4  # at the same time
_GATHER_S = 0.2  # what belongs together arrives together
_VERSION = 1
_LARGEST = 16 << 20

Item = Callable[[], None]


class Send(Protocol):
    """``launch.send``, or a stand-in."""

    def __call__(
        self,
        notifier: Notifier,
        messages: Sequence[Message],
        *,
        started: Callable[[launch.Process], None],
    ) -> list[Sent]:
        """See ``launch.send``."""


class NotifyWorker:
    """``event``, ``change`` and ``configure`` are for the event loop; they never wait.

    ``report`` and ``say`` are called from the thread.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        report: Callable[[Delivery], None],
        say: Callable[[str, str], None],
        *,
        send: Send = launch.send,
        timing: Timing | None = None,
        patience: Patience | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._file = folder / "queue.json"
        self._report, self._say, self._send, self._wall_ms = report, say, send, wall_ms
        self._topics = Topics(host, timing or Timing())
        self._outbox = Outbox(patience or Patience())
        self._notifiers: Mapping[str, Notifier] = {}
        self._routes: Mapping[str, Sequence[str]] = {}
        self._inbox: queue.Queue[Item] = queue.Queue(INBOX)
        self._running: dict[threading.Thread, launch.Process | None] = {}
        self._lock = threading.Lock()
        self._open: Mapping[str, set[str]] = {}
        self._lost = 0  # what came while the inbox was full
        self._problem = ""
        self._saved = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    # ------------------------------------------------------------ for the event loop

    def start(self) -> None:
        """Begin; what was waiting when the last run ended goes on waiting."""
        if not self._thread.is_alive() and not self._end.is_set():
            self._thread.start()

    def configure(
        self, notifiers: Mapping[str, Notifier], routes: Mapping[str, Sequence[str]]
    ) -> None:
        """Notifiers by name, and for each pool the names of those it tells."""
        self._put(lambda: self._configure(notifiers, routes))

    def event(self, event: Mapping[str, Any], at_wall_ms: int) -> None:
        """One event of the event log."""
        self._put(lambda: self._apply(compose.changes(event, at_wall_ms)))

    def change(self, change: compose.Change) -> None:
        """Something that no event tells."""
        self._put(lambda: self._apply([change]))

    def open(self) -> Mapping[str, set[str]]:
        """Pools with troubles that have not ended, as last known; and the names of these."""
        return self._open

    def close(self, within: float = 2.0) -> None:
        """Save what waits, then end; a sender still under way is ended after ``within``."""
        self._end.set()
        self._put(lambda: None)
        if self._thread.is_alive():
            self._thread.join(within + 2.0)
        with self._lock:
            running = dict(self._running)
        for thread, process in running.items():
            thread.join(0 if within <= 0 else within)
            if process is not None and thread.is_alive():
                with suppress(OSError):
                    process.kill()
        for thread in running:
            thread.join(1.0)
        if not self._thread.is_alive():
            self._safely(self._drain)
            self._safely(self._save)

    def _put(self, item: Item) -> None:
        try:
            self._inbox.put_nowait(item)
        except queue.Full:
            self._lost += 1

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        self._safely(self._load)
        wait = 0.0
        while not self._end.is_set():
            with suppress(queue.Empty):
                first = self._inbox.get(timeout=wait)
                self._safely(first)
                self._end.wait(_GATHER_S)
            self._drain()
            self._safely(self._work)
            now = self._wall_ms()
            wait = min(self._topics.next_ms(now), self._outbox.next_ms(now), 60_000) / 1000
            wait = max(wait, 0.05)

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as problem:  # nothing that goes wrong here may harm anybody else
            self._say("error", f"notifications: {type(problem).__name__}: {problem}")

    def _drain(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._safely(self._inbox.get_nowait())

    def _configure(
        self, notifiers: Mapping[str, Notifier], routes: Mapping[str, Sequence[str]]
    ) -> None:
        self._notifiers, self._routes = notifiers, routes
        self._outbox.keep(notifiers)
        self._topics.forget(frozenset(routes))

    def _apply(self, changes: Sequence[compose.Change]) -> None:
        for each in changes:
            if isinstance(each, compose.Begins):
                self._topics.begins(each.notice, self._wall_ms())
            else:
                self._topics.ends(each.pool, each.topic, each.words, each.mark)

    def _work(self) -> None:
        now = self._wall_ms()
        if self._lost:
            lost, self._lost = self._lost, 0
            self._say("warning", f"notifications: {lost} events were dropped, they came too fast")
        for message, opened_as in self._topics.due(now):
            for name in self._routes.get(str(message.details["pool"]), ()):
                notifier = self._notifiers.get(name)
                if notifier is not None and wants(notifier, message, opened_as):
                    self._tell(self._outbox.add(name, message, now))
        self._open = self._topics.open()
        self._save()
        free = SENDERS - len(self._running)
        for batch in self._outbox.take(self._notifiers, now, free):
            self._start(batch)

    def _tell(self, outcome: Delivery | None) -> None:
        if outcome is not None:
            self._report(outcome)

    # ------------------------------------------------------------ sending

    def _start(self, batch: Batch) -> None:
        def work() -> None:
            me = threading.current_thread()

            def started(process: launch.Process) -> None:
                with self._lock:
                    self._running[me] = process

            try:
                results = self._send(batch.notifier, batch.messages, started=started)
            except Exception as problem:
                words = f"the sender could not be run ({type(problem).__name__})"
                results = [Sent(each.id, False, words) for each in batch.messages]
            with self._lock:
                self._running.pop(me, None)
            self._put(lambda: self._settle(batch, results))

        thread = threading.Thread(target=work, name="notification", daemon=True)
        with self._lock:
            self._running[thread] = None
        thread.start()

    def _settle(self, batch: Batch, results: Sequence[Sent]) -> None:
        for outcome in self._outbox.settle(batch, results, self._wall_ms()):
            self._report(outcome)

    # ------------------------------------------------------------ the disk

    def _save(self) -> None:
        document = {
            "version": _VERSION,
            "topics": self._topics.document(),
            "outbox": self._outbox.document(),
        }
        text = json.dumps(document, separators=(",", ":"))
        if text == self._saved:
            return
        try:
            write_atomic(self._file, text.encode("ascii"), 0o600, 0o700)
        except OSError as error:
            self._trouble(f"cannot write {self._file}: {error.strerror or error}")
            return
        self._saved = text
        self._trouble("")

    def _trouble(self, problem: str) -> None:
        """Said once when it begins: what waits is then kept in memory alone."""
        if problem and not self._problem:
            self._say("error", f"notifications: {problem}; queued messages are kept in memory only")
        elif self._problem and not problem:
            self._say("info", f"notifications: {self._file} can be written again")
        self._problem = problem

    def _load(self) -> None:
        try:
            with self._file.open("rb") as file:
                told = json.loads(file.read(_LARGEST))
            if told["version"] != _VERSION:
                raise ValueError(f"version {told['version']!r}")
            self._topics.restore(told["topics"])
            self._outbox.restore(told["outbox"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._say("warning", f"notifications: ignoring {self._file}: {error}")
