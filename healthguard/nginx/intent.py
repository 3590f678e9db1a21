"""What the switcher is about to do, on disk before it does it; and how it ended.

One file per pool, open or closed. Closed ones stay until the next switch, so that a daemon that
died before it heard the end can still learn it. A record that cannot be written on the disk goes
to /run, which a reboot empties: ``durable`` is then False.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from healthguard.core.model import Done
from healthguard.machine.codec import decode, encode
from healthguard.machine.files import write_atomic


@dataclass(frozen=True, slots=True)
class Intent:
    """One switch. ``inode`` is of the new link, ``workers`` those before the reload."""

    switch_id: str
    pool: str
    origin: str
    to: str
    link: str
    inode: int
    at_wall_ms: int
    boot_id: str
    master: str
    workers: tuple[tuple[int, int], ...]
    done: Done | None = None


class Intents:
    """The records in a state folder, with a second folder for bad days."""

    def __init__(self, folder: Path, fallback: Path) -> None:
        self._folders = (folder, fallback)

    def write(self, intent: Intent) -> bool:
        """Save it; False if it could not be made to survive a power loss."""
        text = json.dumps(encode(intent), sort_keys=True).encode()
        main, fallback = self._folders
        if _write(self._path(main, intent.pool), text):
            _forget(self._path(fallback, intent.pool))
            return True
        _write(self._path(fallback, intent.pool), text)
        return False

    def close(self, intent: Intent, done: Done) -> None:
        """Save how it ended."""
        self.write(replace(intent, done=done))

    def read(self, pool: str) -> Intent | None:
        """The latest record of this pool; None if there is none that can be read."""
        found = [_read(self._path(folder, pool)) for folder in self._folders]
        known = [each for each in found if each is not None]
        return max(known, key=lambda each: (each.at_wall_ms, each.done is not None), default=None)

    def read_all(self, pools: Iterable[str]) -> tuple[Intent, ...]:
        """The latest record of each of these pools."""
        return tuple(each for pool in pools if (each := self.read(pool)) is not None)

    @staticmethod
    def _path(folder: Path, pool: str) -> Path:
        return folder / f"intent-{pool}.json"


def _write(path: Path, text: bytes) -> bool:
    """True if it survives a power loss."""
    try:
        write_atomic(path, text, mode=0o600, folder_mode=0o700)
    except OSError:
        return False
    return True


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):  # an older record: the later time wins when both are read
        path.unlink(missing_ok=True)


def _read(path: Path) -> Intent | None:
    try:
        return decode(Intent, json.loads(path.read_bytes()), strict=True)
    except (OSError, ValueError, RecursionError):
        return None
