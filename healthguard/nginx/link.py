"""The link: what it names, who may move it, and moving it by compare-and-swap.

Names of temporary links begin with a dot, so that no include pattern of nginx loads them.
"""

import contextlib
import ctypes
import functools
import os
import pwd
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from healthguard.core.model import LinkFact
from healthguard.machine.files import sync_folder
from healthguard.nginx.settings import PoolFiles

_EXCHANGE = 2
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A temporary link that waits to be exchanged with the live one."""

    path: Path
    target: str
    inode: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the link was not moved. ``moved``: something else changed it."""

    message: str
    moved: bool = False


def read_link(pool: PoolFiles) -> LinkFact:
    """What the link is now, and a sentence if it is not ours to move."""
    link = pool.link
    try:
        seen = link.lstat()
    except OSError as error:
        return LinkFact(None, f"{link} cannot be accessed: {error.strerror}")
    if not stat.S_ISLNK(seen.st_mode):
        kind = "a regular file" if stat.S_ISREG(seen.st_mode) else "not a symlink"
        return LinkFact(None, f"{link} is {kind}: not managed by healthguard", _identity(seen, ""))
    try:
        target = os.readlink(link)  # noqa: PTH115 - the text, not a path
    except OSError as error:
        return LinkFact(None, f"{link} cannot be read: {error.strerror}")
    upstream = named_by(pool, target)
    problem = _folder_problem(link.parent)
    if upstream is None:
        allowed = ", ".join(path.name for path in pool.upstreams.values())
        problem = f"{link} points to {target}, which is not a file of its upstreams ({allowed})"
    elif not problem:
        problem = _target_problem(pool.upstreams[upstream])
    return LinkFact(
        upstream=None if problem else upstream,
        problem=problem,
        identity=_identity(seen, target),
        changed_wall_ms=seen.st_ctime_ns // 1_000_000,
        hand=_user(seen.st_uid),
    )


def candidate_problem(pool: PoolFiles, upstream: str) -> str:
    """A sentence if the file of ``upstream`` must not be linked to, else ""."""
    path = pool.upstreams.get(upstream)
    if path is None:
        return f"pool {pool.pool} has no upstream {upstream}"
    return _target_problem(path)


def named_by(pool: PoolFiles, target: str) -> str | None:
    """The upstream whose file the text of a link names. No further link is followed."""
    path = os.path.normpath(pool.link.parent / target)
    for name, file in pool.upstreams.items():
        if os.path.normpath(file) == path:
            return name
    return None


def target_text(pool: PoolFiles, upstream: str) -> str:
    """What the link must say to name ``upstream``: the bare name within its folder."""
    return os.path.relpath(pool.upstreams[upstream], pool.link.parent)


def inode_of(identity: str) -> int:
    """The inode in a LinkFact's identity; 0 if there is none."""
    head = identity.split(":", 1)[0]
    return int(head) if head.isdigit() else 0


def make_fresh(pool: PoolFiles, upstream: str) -> Fresh | Trouble:
    """A temporary link to ``upstream`` next to the live one."""
    text = target_text(pool, upstream)
    path = pool.link.with_name(f".{pool.link.name}.hg-{secrets.token_hex(6)}")
    try:
        path.symlink_to(text)
        return Fresh(path, text, path.lstat().st_ino)
    except OSError as error:
        return Trouble(f"cannot create a link in {path.parent}: {error.strerror}")


def exchange(pool: PoolFiles, fresh: Fresh, expected: str, inode: int = 0) -> Trouble | None:
    """Put ``fresh`` in the place of the live link, if that names upstream ``expected``.

    ``inode``: the live link must also be this very one. What came out is looked at; anything
    else than the expected is put back and nothing has changed. Folder synced, ``fresh`` gone.
    """
    link = pool.link
    error = _rename_exchange(fresh.path, link)
    if error:
        discard(fresh)
        return Trouble(f"{link} cannot be replaced: {os.strerror(error)}")
    if not _is_expected(pool, fresh.path, expected, inode):
        back = _rename_exchange(fresh.path, link)
        if back:  # what the other hand put there is safe under the temporary name
            return Trouble(
                f"{link} was changed by something else, and that change could not be restored "
                f"({os.strerror(back)}); it is kept as {fresh.path}",
                moved=True,
            )
        discard(fresh)
        return Trouble(f"{link} was changed by something else; left unchanged", moved=True)
    discard(fresh)
    with contextlib.suppress(OSError):  # moved it is; that it stays, the disk would not promise
        sync_folder(link.parent)
    return None


def discard(fresh: Fresh) -> None:
    """Remove the temporary name; what cannot be removed is cleaned up at the next start."""
    with contextlib.suppress(OSError):
        fresh.path.unlink()


def swap(pool: PoolFiles, expected: str, to: str, inode: int = 0) -> Trouble | None:
    """Move the link from upstream ``expected`` to ``to``, or say why not."""
    fresh = make_fresh(pool, to)
    return fresh if isinstance(fresh, Trouble) else exchange(pool, fresh, expected, inode)


def clean_leftovers(pool: PoolFiles) -> tuple[Path, ...]:
    """Remove temporary links a crash left behind. Only under the act lock."""
    mine = re.compile(rf"\.{re.escape(pool.link.name)}\.hg-[0-9a-f]{{12}}")
    removed = []
    try:
        names = os.listdir(pool.link.parent)  # noqa: PTH208
    except OSError:
        return ()
    for name in names:
        path = pool.link.with_name(name)
        if mine.fullmatch(name) and path.is_symlink():
            try:
                path.unlink()
                removed.append(path)
            except OSError:
                continue
    return tuple(removed)


def _is_expected(pool: PoolFiles, path: Path, expected: str, inode: int) -> bool:
    try:
        seen = path.lstat()
        if not stat.S_ISLNK(seen.st_mode) or (inode and seen.st_ino != inode):
            return False
        return named_by(pool, os.readlink(path)) == expected  # noqa: PTH115
    except OSError:
        return False


def _rename_exchange(one: Path, other: Path) -> int:
    """renameat2 with RENAME_EXCHANGE; 0 or errno. Both names exist at every moment."""
    done = _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE)
    return ctypes.get_errno() if done else 0


def _folder_problem(folder: Path) -> str:
    try:
        seen = folder.stat()
    except OSError as error:
        return f"the folder {folder} cannot be accessed: {error.strerror}"
    return _others_write(folder, seen)


def _target_problem(path: Path) -> str:
    try:
        seen = path.lstat()
    except OSError as error:
        return f"{path} cannot be accessed: {error.strerror}"
    if not stat.S_ISREG(seen.st_mode):
        return f"{path} is not a regular file"
    return _others_write(path, seen)


def _others_write(path: Path, seen: os.stat_result) -> str:
    # Anyone who can write to a file that nginx includes has root's rights.
    if seen.st_uid not in (0, os.geteuid()):
        return (
            f"{path} belongs to {_user(seen.st_uid)}, and anyone who can write there controls "
            f"nginx. chown root {path}"
        )
    if seen.st_mode & 0o022:
        return (
            f"{path} is writable by group or others (mode {seen.st_mode & 0o7777:04o}); refusing "
            f"to use it. chmod go-w {path}"
        )
    return ""


def _identity(seen: os.stat_result, target: str) -> str:
    return f"{seen.st_ino}:{seen.st_ctime_ns}:{target}"


@functools.lru_cache(maxsize=16)  # it reads /etc/passwd; names hardly change while we run
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
