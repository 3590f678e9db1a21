"""A private mount namespace in which the link already names the candidate.

Everything here runs in a thread that is thrown away afterwards: the namespace lives as long as
the command started from it, and nothing of it is seen outside.
"""

import ctypes
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from healthguard.nginx import proc

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV = 0x2, 0x4
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_COPY_UP_TO = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


def entering(
    master: int, links: Mapping[Path, str], covered: Callable[[], Iterable[Path]]
) -> Callable[[], None]:
    """A setup for ``spawn.run``: our own view of the mounts in which ``links`` say these texts.

    Starts from the mounts that process ``master`` sees. ``covered`` names folders to be hidden
    under an empty one, so that nothing is created in them. OSError: not allowed here.
    """

    def setup() -> None:
        _enter(master)
        for folder in covered():
            _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")
        by_folder: dict[Path, dict[str, str]] = {}
        for link, text in links.items():
            by_folder.setdefault(link.parent, {})[link.name] = text
        for folder, texts in by_folder.items():
            _stage(folder, texts)

    return setup


def _enter(master: int) -> None:
    theirs = -1
    if proc.same_mounts(master) is False:
        theirs = os.open(f"/proc/{master}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_CLONE_NEWNS), "unshare")
        if theirs >= 0:
            _check(_libc.setns(theirs, _CLONE_NEWNS), "setns")
            _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    finally:
        if theirs >= 0:
            os.close(theirs)
    _mount(None, Path("/"), None, _MS_REC | _MS_PRIVATE)


def _stage(folder: Path, texts: Mapping[str, str]) -> None:
    """Cover ``folder`` with a copy of itself in which the links in ``texts`` say something else."""
    original = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")
        with os.scandir(original) as entries:
            for entry in entries:
                if entry.name in texts:
                    continue
                try:
                    _copy(original, entry, folder / entry.name)
                except FileNotFoundError:  # gone since the folder was read
                    continue
        for name, text in texts.items():
            (folder / name).symlink_to(text)
    finally:
        os.close(original)


def _copy(original: int, entry: "os.DirEntry[str]", target: Path) -> None:
    if entry.is_symlink():
        target.symlink_to(os.readlink(entry.name, dir_fd=original))
        return
    seen = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(seen.st_mode) and seen.st_size <= _COPY_UP_TO:
        source = os.open(entry.name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=original)
        with os.fdopen(source, "rb") as file:
            target.write_bytes(file.read())
        return
    # Folders, big files, pipes: themselves, by a bind mount.
    if stat.S_ISDIR(seen.st_mode):
        target.mkdir()
    else:
        target.touch()
    _mount(f"/proc/self/fd/{original}/{entry.name}", target, None, _MS_BIND | _MS_REC)


def _mount(
    source: str | None, target: Path, kind: str | None, flags: int, options: str = ""
) -> None:
    done = _libc.mount(
        None if source is None else os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )
    _check(done, f"mount on {target}")


def _check(done: int, what: str) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
