"""Finding and reading segments of the record. Damage is reported, and the rest is used."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from healthguard.replay.record import Decoder, Header, Input, read_header
from healthguard.replay.recorder import CLOSED, OPEN, code_version

_BATCH = 2_000  # lines parsed at once: one call of the C parser instead of many


class UnreadableRecord(Exception):
    """There is nothing to replay; one sentence."""


class ForbiddenRecord(UnreadableRecord):
    """It may not be read by this user."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """One segment: where it is, and when it begins (0: its name does not say)."""

    path: Path
    first: int
    wall_ms: int


class Segment:
    """One opened segment. ``inputs`` can be read once; ``damage`` says where it had to stop."""

    def __init__(self, path: Path) -> None:
        """UnreadableRecord if even its beginning cannot be read."""
        self.path = path
        self.damage = ""
        self._closed = path.name.endswith(".gz")
        self._lines = self._read()
        first = next(self._lines, None)
        if first is None:
            raise UnreadableRecord(f"{path}: {self.damage or 'is empty'}")
        try:
            self.header: Header = read_header(json.loads(first))
        except ValueError as problem:
            raise UnreadableRecord(f"{path}: {problem}") from problem

    def inputs(self) -> Iterator[Input]:
        """Every input up to the end or the first damage."""
        exact = self.header.version == code_version()
        decoder, number = Decoder(self.header, exact=exact), 1
        while batch := list(islice(self._lines, _BATCH)):
            for raw in _parsed(batch):
                number += 1
                try:
                    found = decoder.read(json.loads(raw) if isinstance(raw, bytes) else raw)
                except (ValueError, RecursionError) as problem:
                    self.damage = f"line {number} is damaged ({problem}); the rest is not used"
                    return
                if found is not None:
                    yield found

    def _read(self) -> Iterator[bytes]:
        try:
            with self._open() as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
                    elif self._closed:  # the open segment is being written: no damage
                        self.damage = "its last line is incomplete"
        except (OSError, EOFError, zlib.error) as problem:
            self.damage = f"cannot be read to its end: {problem}"

    def _open(self) -> IO[bytes] | gzip.GzipFile:
        return gzip.open(self.path, "rb") if self._closed else self.path.open("rb")


def _parsed(lines: list[bytes]) -> list[Any]:
    """The lines as values, or as they are when one of them is no JSON."""
    try:
        values: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return lines
    return values if len(values) == len(lines) else lines


def find(path: Path) -> dict[str, list[SegmentFile]]:
    """Segments by pool, in order: ``path`` is a segment, a pool's folder or a whole record.

    UnreadableRecord if there is none.
    """
    try:
        if path.is_dir():
            own = _segments(path)
            if own:
                return {path.name: own}
            found = {folder.name: _segments(folder) for folder in sorted(path.iterdir())}
            pools = {pool: segments for pool, segments in found.items() if segments}
            if not pools:
                raise UnreadableRecord(f"{path}: contains no record")
            return pools
        if not path.exists():
            raise UnreadableRecord(f"{path}: no such file or folder")
    except PermissionError as problem:
        raise ForbiddenRecord(f"{problem.filename or path}: no permission to read it") from problem
    except OSError as problem:
        raise UnreadableRecord(f"{path}: {problem.strerror}") from problem
    return {path.parent.name: [_named(path)]}


def since(segments: list[SegmentFile], wall_ms: int) -> list[SegmentFile]:
    """Those that end after ``wall_ms``: a segment can only be replayed from its beginning."""
    keep = 0
    for index, segment in enumerate(segments):
        if segment.wall_ms <= wall_ms:
            keep = index
    return segments[keep:]


def _segments(folder: Path) -> list[SegmentFile]:
    if not folder.is_dir():
        return []
    closed = [path for path in folder.iterdir() if path.name.endswith(CLOSED)]
    done = {path.name for path in closed}
    still_open = [
        path
        for path in folder.iterdir()
        if path.name.endswith(OPEN) and path.name + ".gz" not in done
    ]
    named = [_named(path) for path in (*closed, *still_open)]
    return sorted(named, key=lambda each: (each.first, each.wall_ms))


def _named(path: Path) -> SegmentFile:
    first, _, rest = path.name.partition("-")
    wall = rest.partition(".")[0]
    if first.isdigit() and wall.isdigit():
        return SegmentFile(path, int(first), int(wall))
    return SegmentFile(path, 0, 0)
