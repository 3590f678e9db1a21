"""Files that a power loss leaves old or new, never torn.

Temporary file, fsync, rename, fsync of the folder: without the first fsync the file can be empty
afterwards, without the second the old one can come back.
"""

import os
from contextlib import suppress
from pathlib import Path


def write_atomic(
    path: Path,
    data: bytes,
    mode: int = 0o640,
    folder_mode: int = 0o750,
    owner: tuple[int, int] | None = None,
) -> None:
    """Replace ``path`` so that a crash leaves the old or the new content. Raises OSError.

    A missing folder is made. ``owner``: uid and gid; None is this process's own. The temporary
    name begins with a dot, so that no include pattern of nginx loads it. Only one writer per path
    at a time. An error of the last fsync leaves the new content, which may not be durable.
    """
    make_folder(path.parent, folder_mode)
    temporary = path.with_name(f".{path.name}.tmp")
    # A left-over may belong to someone else: remove it, do not write into it.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, mode)
    try:
        try:
            _fill(handle, data, mode, owner)
        finally:
            os.close(handle)
        temporary.rename(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def make_folder(folder: Path, mode: int = 0o750) -> None:
    """Create ``folder`` with ``mode`` when it is missing; an existing one keeps its mode."""
    try:
        folder.mkdir(mode=mode, parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    folder.chmod(mode)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power loss. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fill(handle: int, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    if owner is not None and owner != (os.geteuid(), os.getegid()):
        os.fchown(handle, *owner)
    os.fchmod(handle, mode)  # after the owner, which clears some bits; whatever the umask says
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)
