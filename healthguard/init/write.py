"""Writing a plan to the disk, all of it or nothing."""

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from healthguard.machine.files import write_atomic

_TEST_S = 30.0


def write_all(files: Mapping[Path, str], links: Mapping[Path, str], test: Callable[[], str]) -> str:
    """Write, then ``test``; if it has a complaint (or writing fails) everything is as before.

    "" when it is done, else what was wrong. A file that is there keeps its owner and mode; a link
    that is there is never touched.
    """
    before: dict[Path, tuple[bytes, os.stat_result] | None] = {}
    folders: list[Path] = []
    made: list[Path] = []
    try:
        before = {path: _read(path) for path in files}
        folders = _missing_folders([*files, *links])
        for folder in folders:
            folder.mkdir(mode=0o755)
        for path, text in files.items():
            _replace(path, text.encode(), before[path])
        for path, target in links.items():
            if not path.is_symlink():
                path.symlink_to(target)
                made.append(path)
        problem = test()
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}"
    if problem:
        _undo(before, made, folders)
    return problem


def test_nginx(binary: Path, config: Path) -> str:
    """What ``nginx -t`` complains of; "" when the configuration is good."""
    try:
        done = subprocess.run(
            [str(binary), "-t", "-q", "-c", str(config)],
            capture_output=True,
            text=True,
            timeout=_TEST_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{binary} -t cannot be run: {error}"
    return (
        "" if done.returncode == 0 else ((done.stderr or done.stdout).strip() or "nginx -t failed")
    )


def _read(path: Path) -> tuple[bytes, os.stat_result] | None:
    try:
        return path.read_bytes(), path.stat()
    except FileNotFoundError:
        return None


def _missing_folders(paths: list[Path]) -> list[Path]:
    missing = {each for path in paths for each in path.parents if not each.exists()}
    return sorted(missing, key=lambda each: len(each.parts))


def _replace(path: Path, data: bytes, old: tuple[bytes, os.stat_result] | None) -> None:
    if old is None:
        write_atomic(path, data, mode=0o644)
    else:
        kept = old[1]
        mode, owner = kept.st_mode & 0o7777, (kept.st_uid, kept.st_gid)
        write_atomic(path, data, mode=mode, owner=owner)


def _undo(
    before: Mapping[Path, tuple[bytes, os.stat_result] | None],
    made: list[Path],
    folders: list[Path],
) -> None:
    for path in made:
        path.unlink(missing_ok=True)
    for path, old in before.items():
        with suppress(OSError):
            if old is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != old[0]:
                _replace(path, old[0], old)
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
