"""The configuration as the switcher reads it, with the last valid one kept.

A broken edit in the afternoon must not block the rollback at night, and what root executes must
come from files that only root can write.
"""

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from healthguard.machine.files import write_atomic
from healthguard.nginx.settings import NginxSettings, PoolFiles

COPY_NAME = "last-valid.yaml"


@dataclass(frozen=True, slots=True)
class SwitcherConfig:
    """The part of the configuration that switching needs. ``socket``: None is ``inline``."""

    nginx: NginxSettings
    pools: Mapping[str, PoolFiles]
    digest: str
    socket: Path | None = None


class ConfigInvalid(Exception):
    """The file cannot be used; the message says why, one line per error."""


class NoConfig(Exception):
    """There is no valid configuration at all, not even an old one."""


class ConfigSource:
    """The newest valid configuration of the file at ``path``.

    ``read`` parses one file and raises ``ConfigInvalid``.  ``problem`` is why an older one is in
    use, "" when the file as it stands is.  ``writers``: uids that may have write access to it.
    """

    def __init__(
        self,
        path: Path,
        state_dir: Path,
        read: Callable[[Path], SwitcherConfig],
        *,
        writers: frozenset[int] | None = None,
    ) -> None:
        self._path = path
        self._copy = state_dir / COPY_NAME
        self._read = read
        self._writers = frozenset({0, os.geteuid()}) if writers is None else writers
        self._seen: tuple[int, ...] | None = None
        self._last: SwitcherConfig | None = None
        self.problem = ""

    def current(self) -> SwitcherConfig:
        """Read again if the file has changed. Raises NoConfig."""
        seen = _signature(self._path)
        if self._last is None or seen != self._seen:
            self._refresh()
            self._seen = seen
        if self._last is None:
            raise NoConfig(self.problem)
        return self._last

    def _refresh(self) -> None:
        try:
            self._last = self._read_and_keep()
            self.problem = ""
        except ConfigInvalid as err:
            self.problem = str(err)
            if self._last is None:
                self._last = self._from_copy()

    def _read_and_keep(self) -> SwitcherConfig:
        problem = untrusted(self._path, self._writers)
        if problem:
            raise ConfigInvalid(problem)
        before = _signature(self._path)
        try:
            data = self._path.read_bytes()
        except OSError as err:
            raise ConfigInvalid(f"{self._path}: {err.strerror or err}") from None
        config = self._read(self._path)
        # Kept only if what was read twice is the same file; the next change brings another chance.
        if before == _signature(self._path) and not _holds(self._copy, data):
            with suppress(OSError):  # the one in memory goes on serving
                write_atomic(self._copy, data, mode=0o600, folder_mode=0o700)
        return config

    def _from_copy(self) -> SwitcherConfig | None:
        if not self._copy.exists() or untrusted(self._copy, self._writers):
            return None
        try:
            return self._read(self._copy)
        except ConfigInvalid:
            return None


def untrusted(path: Path, writers: frozenset[int]) -> str:
    """Why others than ``writers`` could change the file or swap it; "" when none could."""
    for each, what in ((path, "file"), (path.resolve(), "file"), (path.resolve().parent, "folder")):
        try:
            seen = each.stat()
        except OSError as err:
            return f"{each}: {err.strerror or err}"
        if seen.st_uid not in writers:
            return (
                f"{each}: the {what} belongs to uid {seen.st_uid}, who could control what root "
                f"does. chown root {each}"
            )
        if stat.S_IMODE(seen.st_mode) & 0o022:
            return (
                f"{each}: the {what} is writable by group or others, who could control what root "
                f"does. chmod go-w {each}"
            )
    return ""


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return (
        seen.st_dev,
        seen.st_ino,
        seen.st_size,
        seen.st_mtime_ns,
        seen.st_ctime_ns,
        seen.st_uid,
        seen.st_mode,
    )
