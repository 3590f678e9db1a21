"""The record: every input that the pools' cores consumed, for ``healthguard replay``.

``note`` only remembers; a thread of its own writes, so neither a slow disk nor the encoding is
felt by the event loop. Inputs that led to something are written within two seconds, those that
changed nothing within ten, because waking the thread costs more than what it does. A crash loses
what was not written. When the disk cannot take it (full, read-only), recording rests, says so
once, and begins a new segment later; nothing else of healthguard knows or cares.

    state_dir/record/POOL/000000001234-1700000000000.jsonl.gz    first input, wall time in ms

The open segment has no ``.gz``. The oldest go when a pool has more than its share.
"""

import gzip
import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from healthguard import __version__, core
from healthguard.core.events import Command, Event, Restored
from healthguard.core.state import State
from healthguard.machine.files import write_atomic
from healthguard.replay.record import Encoder, Header, header_line

POOL_BYTES = 64 << 20  # compressed, per pool
TOTAL_BYTES = 512 << 20  # of all pools together
SEGMENT_BYTES = 4 << 20  # before compression: about a day of one pool at the defaults
SEGMENT_MS = 6 * 3_600_000
FREE_BYTES = 32 << 20  # left to others on the file system, above all to healthguard's own state
WAITING = 50_000  # inputs kept in memory for a slow disk; more are dropped, and a segment ends
FLUSH_S = 2.0  # after an input that led to something, or when MANY wait
MANY = 100
CALM_FLUSH_S = 10.0  # at other times
REST_S = 60.0
MODE = 0o640

OPEN, CLOSED = ".jsonl", ".jsonl.gz"
_GAP = None


@cache
def code_version() -> str:
    """The version, and a digest of the code that decides: what else must be equal for a replay."""
    digest = hashlib.sha256()
    try:
        for path in sorted(Path(core.__path__[0]).glob("*.py")):
            digest.update(path.read_bytes())
    except OSError:  # installed without sources
        return __version__
    return f"{__version__}+{digest.hexdigest()[:8]}"


class _Noted(NamedTuple):
    before: State
    event: Event
    commands: tuple[Command, ...]


class Recorder:
    """``note`` is for the event loop; all the rest happens in the thread.

    ``say(level, message)`` is called from the thread.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str, str], None],
        *,
        segment_bytes: int = SEGMENT_BYTES,
        pool_bytes: int = POOL_BYTES,
        rest_s: float = REST_S,
    ) -> None:
        self._folder = folder
        self._say = say
        self._segment_bytes = segment_bytes
        self._pool_bytes = pool_bytes
        self._rest_s = rest_s
        self._waiting: deque[_Noted | None] = deque()
        self._dropping = False
        self._tracks: dict[str, _Track] = {}
        self._resting_until = 0.0
        self._problem = ""
        self._hurry = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write what was noted."""
        self._thread.start()

    def note(self, before: State, event: Event, commands: tuple[Command, ...]) -> None:
        """One input: the state it met, and the commands it led to. Takes well under 1 us."""
        if len(self._waiting) >= WAITING:
            self._dropping = True
            return
        if self._dropping:
            self._dropping = False
            self._waiting.append(_GAP)
        self._waiting.append(_Noted(before, event, commands))
        if commands or len(self._waiting) == MANY:
            self._hurry.set()

    @property
    def waiting(self) -> int:
        """Inputs that are not written yet."""
        return len(self._waiting)

    def close(self, within: float = 2.0) -> None:
        """Write what is left and end; a disk that hangs is not waited for."""
        self._end.set()
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join(within)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        code_version()  # before an upgrade can put other sources in the place of these
        while not self._end.is_set():
            if self._hurry.wait(CALM_FLUSH_S):
                self._end.wait(FLUSH_S)  # what follows from it is written along
            self._hurry.clear()
            self._safely(self._flush)
        self._safely(self._flush)
        for track in self._tracks.values():
            self._safely(track.close)

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as problem:  # nothing that goes wrong here may harm anything else
            self._stop(f"{type(problem).__name__}: {problem}")

    def _flush(self) -> None:
        if time.monotonic() < self._resting_until:
            self._waiting.clear()
            return
        if self._problem and self._waiting:  # what was dropped meanwhile is a gap
            self._tracks.clear()
        touched: dict[str, _Track] = {}
        if self._waiting:
            self._check_space()
        for _ in range(len(self._waiting)):
            noted = self._waiting.popleft()
            if noted is _GAP or noted is None:
                self._close_all("gap")
                continue
            track = self._track(noted.before.policy.pool)
            track.take(noted)
            touched[track.pool] = track
        for track in touched.values():
            track.write()
        if touched and self._problem:
            self._problem = ""
            self._say("info", "recording for `replay` has resumed")

    def _check_space(self) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        there = os.statvfs(self._folder)
        free = there.f_bavail * there.f_frsize
        if free < FREE_BYTES:
            raise OSError(
                0, f"only {free >> 20} MiB free, and {FREE_BYTES >> 20} MiB are always kept free"
            )

    def _track(self, pool: str) -> "_Track":
        found = self._tracks.get(pool)
        if found is None:
            limit = min(self._pool_bytes, TOTAL_BYTES // (len(self._tracks) + 1))
            for each in self._tracks.values():
                each.limit = min(each.limit, limit)
            found = _Track(self._folder / pool, pool, self._segment_bytes, limit)
            self._tracks[pool] = found
        return found

    def _close_all(self, reason: str) -> None:
        for track in self._tracks.values():
            track.close()
            track.next_reason = reason

    def _stop(self, problem: str) -> None:
        for track in self._tracks.values():
            track.abandon()
        self._tracks.clear()
        self._waiting.clear()
        self._resting_until = time.monotonic() + self._rest_s
        if not self._problem:
            self._say("warning", f"recording for `replay` has stopped: {self._folder}: {problem}")
        self._problem = problem


class _Track:
    """The segments of one pool."""

    def __init__(self, folder: Path, pool: str, segment_bytes: int, limit: int) -> None:
        self.pool = pool
        self.limit = limit
        self.next_reason = "start"
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._file: int | None = None
        self._path = folder
        self._encoder: Encoder | None = None
        self._lines: list[str] = []
        self._room = 0  # bytes until the next segment
        self._began_ms = 0
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for left in folder.glob(f"*{CLOSED}.tmp"):
            left.unlink(missing_ok=True)
        for left in sorted(folder.glob(f"*{OPEN}")):
            _compress(left)  # of a life that did not end as it should
        self._seq = _next_seq(folder)

    def take(self, noted: _Noted) -> None:
        """One more input, into a new segment if it is time for one."""
        old = noted.event.at.boot_ms - self._began_ms > SEGMENT_MS
        restored = isinstance(noted.event, Restored)
        if self._encoder is None or restored or old or self._room <= 0:
            rolled = self._encoder is not None and not restored
            self.close()
            self._open(noted, "restored" if restored else "rolled" if rolled else self.next_reason)
        assert self._encoder is not None
        line = self._encoder.lines(noted.event, noted.commands)
        self._seq += 1
        self._room -= len(line)
        self._lines.append(line)

    def _open(self, noted: _Noted, reason: str) -> None:
        at = noted.before.at
        self._path = self._folder / f"{self._seq:012d}-{noted.event.at.wall_ms}{OPEN}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, MODE)
        self._encoder = Encoder(at)
        header = Header(code_version(), self.pool, self._seq, reason, noted.before)
        self._lines = [header_line(header)]
        # A state can be long: its segment is longer then, or most of the record would be states.
        self._room = max(self._segment_bytes, 4 * len(self._lines[0]))
        self._began_ms = noted.event.at.boot_ms
        self.next_reason = "start"

    def write(self) -> None:
        """Hand what was taken to the operating system. OSError when it does not all go."""
        if self._file is None or not self._lines:
            return
        data = "".join(self._lines).encode()
        self._lines = []
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """End this segment, and make it small."""
        self.write()
        self.abandon()
        if self._path.suffix == OPEN and self._path.exists():
            _compress(self._path)
            self._prune()

    def abandon(self) -> None:
        """End this segment as it is."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._encoder, self._lines = None, None, []

    def _prune(self) -> None:
        sized = [(path, path.stat().st_size) for path in sorted(self._folder.glob(f"*{CLOSED}"))]
        total = sum(size for _, size in sized)
        for path, size in sized:
            if total <= self.limit:
                break
            path.unlink(missing_ok=True)
            total -= size


def _compress(path: Path) -> None:
    """``path`` as .gz next to it, complete or not at all."""
    write_atomic(
        path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes(), 6, mtime=0), MODE
    )
    path.unlink()


def _next_seq(folder: Path) -> int:
    """Higher than every number used: a segment holds fewer inputs than it has bytes."""
    last = max((path for path in folder.glob("*.jsonl*")), default=None)
    if last is None:
        return 1
    first = int(last.name.split("-")[0])
    with gzip.open(last, "rb") if last.suffix == ".gz" else last.open("rb") as file:
        try:
            return first + sum(1 for _ in file)
        except (OSError, EOFError):
            return first + (last.stat().st_size << 8)
