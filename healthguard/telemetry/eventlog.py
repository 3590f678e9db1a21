"""The event log: one JSON object per line, appended, never rewritten.

A full disk or a read-only folder never raises and never stops the caller: the line goes to a
bounded file under /run instead, marked ``durable: false``, and moves into the log when the log
can be written again. logrotate may move the file away at any time.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from healthguard.core.moments import iso

MODE = 0o640
SPARE_LIMIT = 4 * 1024 * 1024  # /run is memory
READ_LIMIT = 8 * 1024 * 1024  # of each file, from its end
EVENTS_LIMIT = 10_000
_OPEN = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Written:
    """Where an event went. ``durable``: into the event log itself; else ``problem`` says why."""

    durable: bool
    problem: str = ""


def encode(event: Mapping[str, object]) -> bytes:
    """``event`` as one line. Never raises for what is in it; control characters are escaped."""
    text = _dumps(event, ascii_only=False)
    if not text.isprintable():  # line ends and terminal codes beyond ASCII, lone surrogates
        text = _dumps(event, ascii_only=True)
    return text.encode() + b"\n"


def _dumps(event: Mapping[str, object], *, ascii_only: bool) -> str:
    return json.dumps(event, ensure_ascii=ascii_only, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def spare_folder(environ: Mapping[str, str]) -> Path:
    """Where lines go while the log cannot be written: systemd's folder for us, or /run's."""
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(given or "/run/healthguard")


class EventLog:
    """Writes and reads one event log. Not for use from several threads, ``read`` excepted."""

    def __init__(self, path: Path, spare: Path):
        """``spare``: folder of the stand-in file; it is only made when it is needed."""
        self.path = path
        self.problem = ""  # why the log cannot be written; "" when it can
        self._log = _Appender(path)
        self._spare = _Appender(spare / path.name, SPARE_LIMIT)

    def append(self, event: Mapping[str, object], *, sync: bool = False) -> Written:
        """Write one event; with ``sync`` it is on the disk when this returns.

        Blocks for as long as the file system takes for one small write (and one fsync).
        """
        before = self._bring_home()  # first, so that the log stays in order
        self.problem = before or self._log.write(encode(event), sync)
        if not self.problem:
            return Written(True)
        told = {**event, "durable": False}
        trouble = self._spare.write(encode(told), sync=False)
        where = f"kept in {self._spare.path}" if not trouble else f"and {trouble}"
        return Written(False, f"{self.problem}; {where}")

    def retry(self) -> bool:
        """Try again after trouble, without an event. True: the log can be written.

        Only what waits in the stand-in file can prove that; else the next event does.
        """
        if self.problem and self._spare.has_content():
            self.problem = self._bring_home()
        return not self.problem

    def _bring_home(self) -> str:
        """Move what is in the stand-in file into the log. Returns "" or what went wrong."""
        if not self._spare.has_content():
            return ""
        try:
            kept = self._spare.path.read_bytes()
        except OSError as error:
            return f"cannot read {self._spare.path}: {error.strerror}"
        if problem := self._log.write(kept if kept.endswith(b"\n") else kept + b"\n", sync=True):
            return problem
        self._spare.remove()
        return ""

    def read(self, since_wall_ms: int, pool: str | None = None) -> list[dict[str, object]]:
        """Events since then, oldest first, at most the last 10,000.

        Looks at the log, its last rotated sibling and the stand-in file, from the end of each;
        lines that are not events are passed over. Opens its own files: fit for a thread.
        """
        since = iso(max(0, since_wall_ms)).encode()
        rotated = self.path.with_name(self.path.name + ".1")
        found: list[dict[str, object]] = []
        for path in (rotated, self.path, self._spare.path):
            found.extend(_events(path, since, pool))
        return found[-EVENTS_LIMIT:]

    def close(self) -> None:
        """Close the files. A later append opens them again."""
        self._log.close()
        self._spare.close()


class _Appender:
    """One file that may vanish, be rotated or be impossible to write."""

    def __init__(self, path: Path, limit: int | None = None):
        self.path = path
        self._limit = limit
        self._fd: int | None = None

    def write(self, line: bytes, sync: bool) -> str:
        """Append by one write(). Returns "" or what went wrong, as a sentence."""
        try:
            fd = self._current()
            size = os.fstat(fd).st_size
            if self._limit is not None and size + len(line) > self._limit:
                return f"{self.path} is full ({size} bytes)"
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line  # the line before was torn by a crash or a full disk
            if (done := os.write(fd, line)) != len(line):
                _take_back(fd, done)
                return f"cannot write {self.path}: no space for the whole line"
            if sync:
                os.fsync(fd)
        except OSError as error:
            self.close()
            return f"cannot write {self.path}: {error.strerror or error}"
        return ""

    def _current(self) -> int:
        """The open file that ``path`` names now."""
        if self._fd is not None:
            try:
                named, ours = self.path.stat(), os.fstat(self._fd)
                if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
                    return self._fd
            except FileNotFoundError:
                pass
            self.close()
        self._fd = _open(self.path)
        return self._fd

    def has_content(self) -> bool:
        try:
            return self.path.stat().st_size > 0
        except OSError:
            return False

    def remove(self) -> None:
        """Best effort: what cannot be removed is at least emptied."""
        try:
            os.truncate(self.path, 0)
            self.path.unlink()
        except OSError:
            pass
        self.close()

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def _take_back(fd: int, done: int) -> None:
    """Remove the ``done`` bytes just written, unless somebody wrote after us."""
    end = os.lseek(fd, 0, os.SEEK_CUR)
    if os.fstat(fd).st_size == end:
        os.ftruncate(fd, end - done)


def _open(path: Path) -> int:
    try:
        fd = os.open(path, _OPEN)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        fd = os.open(path, _OPEN | os.O_CREAT, MODE)
        os.fchmod(fd, MODE)  # whatever the umask says
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, "not a regular file")
    return fd


def _events(path: Path, since: bytes, pool: str | None) -> Iterator[dict[str, object]]:
    for line in _tail(path):
        # The line as `encode` writes it begins with its time: most need no parser.
        if line.startswith(b'{"ts":"') and line[7 : 7 + len(since)] < since:
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            continue
        if str(event.get("ts", "")).encode() >= since and pool in (None, event.get("pool")):
            yield event


def _tail(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - READ_LIMIT)
            file.seek(start)
            lines = file.read(READ_LIMIT).split(b"\n")
    except OSError:
        return []
    return lines[1:] if start else lines
