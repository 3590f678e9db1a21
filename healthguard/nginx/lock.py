"""Two locks for each nginx: one daemon for its life, one switch at a time.

The kernel drops an flock with its holder, so a crash leaves no lock behind. A lock file that
was deleted would give two holders: after locking, the file must still be the one in the folder.
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

DAEMON, ACT = "daemon", "act"
ROOT_FOLDER = Path("/run/healthguard-nginx")
_POLL = 0.005


@dataclass(frozen=True, slots=True)
class LockRefused:
    """The lock is held by another process (``holder``: its pid, 0 if unknown) or cannot be made."""

    message: str
    holder: int = 0
    busy: bool = False  # held by another process: waiting may help


class Held:
    """A lock we hold until ``release``, or until the end of a ``with``."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor: int | None = descriptor
        self.path = path

    def intact(self) -> bool:
        """False once the lock file was deleted or replaced: then we are not alone."""
        return self._descriptor is not None and _same_file(self._descriptor, self.path)

    def release(self) -> None:
        """Let go. The file stays: deleting it would make room for two holders."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "Held":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def default_folder() -> Path:
    """Where locks live: root's own place, else the service's, the session's, or one in /tmp."""
    if os.geteuid() == 0:
        return ROOT_FOLDER
    if runtime := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(runtime.split(":")[0])
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(session) / "healthguard"
    return Path(f"/tmp/healthguard-{os.geteuid()}")  # noqa: S108 - owner and mode are checked


def lock_path(config: Path, kind: str, folder: Path | None = None) -> Path:
    """The lock file for the nginx of ``config``, whatever way its path is written."""
    key = hashlib.sha256(os.path.realpath(config).encode()).hexdigest()[:16]
    return (folder or default_folder()) / f"{key}.{kind}.lock"


def try_lock(config: Path, kind: str, folder: Path | None = None) -> Held | LockRefused:
    """Take the lock now or say who has it."""
    path = lock_path(config, kind, folder)
    problem = ensure_folder(path.parent)
    if problem:
        return LockRefused(problem)
    while True:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            return LockRefused(f"the lock {path} cannot be opened: {os.strerror(error.errno or 0)}")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read_pid(descriptor)
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return LockRefused(
                    f"the lock {path} cannot be taken: {os.strerror(error.errno or 0)}"
                )
            who = f"process {holder}" if holder else "another process"
            what = "guards" if kind == DAEMON else "acts on"
            text = f"{who} already {what} the nginx of {config} (lock {path})"
            return LockRefused(text, holder, busy=True)
        if _same_file(descriptor, path):
            _write_pid(descriptor)
            return Held(descriptor, path)
        os.close(descriptor)  # deleted between open and flock: once more on the new file


async def acquire(
    config: Path, kind: str, within: float, folder: Path | None = None
) -> Held | LockRefused:
    """Take the lock within so many seconds, without ever blocking the loop."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        answer = try_lock(config, kind, folder)
        if isinstance(answer, Held) or not answer.busy or loop.time() >= deadline:
            return answer
        await asyncio.sleep(_POLL)


def ensure_folder(folder: Path) -> str:
    """Make the folder if need be; a sentence if it is not one that only we can write to."""
    try:
        folder.mkdir(mode=0o700, parents=False, exist_ok=True)
        seen = folder.lstat()
    except OSError as error:
        return f"the lock folder {folder} cannot be used: {error.strerror}"
    if not stat.S_ISDIR(seen.st_mode):
        return f"{folder} is not a folder, so it cannot hold locks"
    if seen.st_uid not in (0, os.geteuid()) or seen.st_mode & 0o022:
        return (
            f"the lock folder {folder} is writable by others: chown it to this user and chmod 0700 "
            f"it, or remove it"
        )
    return ""


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except OSError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _read_pid(descriptor: int) -> int:
    try:
        return int(os.pread(descriptor, 32, 0) or b"0")
    except (OSError, ValueError):
        return 0


def _write_pid(descriptor: int) -> None:
    # Only for people and error messages; a full disk must not keep us from the lock.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
