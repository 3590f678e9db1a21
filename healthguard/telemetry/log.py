"""Log lines: readable in colour on a terminal, native entries for journald, JSON otherwise.

Only the console format needs structlog, which takes 60 to 150 ms to import: its lines are kept
until ``start`` is called, so that the first probe need not wait for it.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from healthguard.telemetry import journal_fields
from healthguard.telemetry.eventlog import encode
from healthguard.telemetry.journal import ABSENT, Journal
from healthguard.telemetry.sink import Sink

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FORMATS = ("auto", "console", "journal", "json")
_KEPT = 1_000  # lines, before start

Fields = Mapping[str, object]
Render = Callable[[str, str, Fields], str]  # level, message and fields as one line


def choose_format(wanted: str, fd: int, environ: Mapping[str, str]) -> str:
    """``auto`` made definite: journal when ``fd`` leads to journald, console on a terminal."""
    if wanted != "auto":
        return wanted
    try:
        seen = os.fstat(fd)
    except OSError:
        return "json"
    if environ.get("JOURNAL_STREAM") == f"{seen.st_dev}:{seen.st_ino}":
        return "journal"
    return "console" if os.isatty(fd) else "json"


class Log:
    """The daemon's log. No call blocks, whoever does not read our stderr."""

    def __init__(
        self,
        sink: Sink,
        *,
        level: str = "info",
        style: str = "json",
        journal: Journal | None = None,
    ):
        """``style``: console, journal or json. ``level``: the least that is written.

        ``journal``: where the lines of style journal go; without it they go to ``sink`` with
        the priority as a prefix.
        """
        self.sink = sink
        self._journal = journal if style == "journal" else None
        self._level = LEVELS[level]
        self._render: Render | None = {"json": _json, "journal": _journal}.get(style)
        self._early: deque[tuple[str, str, Fields]] = deque(maxlen=_KEPT)
        self._bridge: _Bridge | None = None

    def start(self) -> None:
        """Write what was kept, and take over aiohttp's and asyncio's log."""
        if self._render is None:
            self._render = _console()
        while self._early:
            self.line(*self._early.popleft())
        if self._bridge is None:
            self._bridge = _Bridge(self)

    def line(self, level: str, message: str, fields: Fields | None = None) -> None:
        """One line; ``fields`` belong to it and are left out on a terminal."""
        if LEVELS[level] < self._level:
            return
        if self._journal is not None and self._to_journal(level, message, fields or {}):
            return
        if self._render is None:
            self._early.append((level, message, fields or {}))
            return
        self.sink.write(self._render(level, printable(message), fields or {}))

    @property
    def dropped(self) -> int:
        """Lines that nobody will ever read, because their reader did not take them."""
        return self.sink.dropped + (self._journal.dropped if self._journal else 0)

    def flush(self) -> None:
        """Write what had to wait, as far as it goes now."""
        self.sink.flush()
        if self._journal is not None:
            self._journal.flush()

    def close(self) -> None:
        """Write what is left, as far as it can be written now."""
        self.start()
        if self._bridge is not None:
            self._bridge.close()
        self.flush()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _to_journal(self, level: str, message: str, fields: Fields) -> bool:
        """False: there is no journald, so the line goes the other way."""
        assert self._journal is not None
        priority = journal_fields.priority(level, str(fields.get("event", "")))
        sent = self._journal.send(printable(message), priority, journal_fields.fields(fields))
        return sent != ABSENT


def printable(text: str) -> str:
    """``text`` as one line that cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(level: str, message: str, fields: Fields) -> str:
    head = {"ts": _now(), "level": level, "message": message}
    rest = {key: value for key, value in fields.items() if key not in head}
    return encode({**head, **rest}).decode().rstrip("\n")


def _journal(level: str, message: str, fields: Fields) -> str:
    """Where only our stderr leads to journald, it takes the priority from the prefix."""
    pairs = [f"{key}={_flat(value)}" for key, value in fields.items() if key != "ts"]
    priority = journal_fields.priority(level, str(fields.get("event", "")))
    return " ".join([f"<{priority}>{message}", *pairs])


def _flat(value: object) -> str:
    if isinstance(value, str) and value and value.isprintable() and not set(value) & set(' "='):
        return value
    return encode({"": value})[4:-2].decode()


def _console() -> Render:
    """structlog's renderer; a person reads the sentence, the rest is in the event log."""
    from structlog.dev import ConsoleRenderer

    renderer = ConsoleRenderer(colors=True, pad_event_to=0, timestamp_key="ts")

    def render(level: str, message: str, fields: Fields) -> str:
        line = {"event": message, "level": level, "ts": _now()[11:23]}
        if "id" in fields:
            line["id"] = str(fields["id"])
        return str(renderer(None, level, line))

    return render


class _Bridge(logging.Handler):
    """Warnings of the libraries, which use the standard library's logging."""

    _names = ("aiohttp", "asyncio")

    def __init__(self, log: Log):
        super().__init__(logging.WARNING)
        self._log = log
        for name in self._names:
            logger = logging.getLogger(name)
            logger.addHandler(self)
            logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        self._log.line(level, record.getMessage(), fields)

    def close(self) -> None:
        for name in self._names:
            logger = logging.getLogger(name)
            logger.removeHandler(self)
            logger.propagate = True
        super().close()
