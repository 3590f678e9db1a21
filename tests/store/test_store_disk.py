"""The store on disks that are full or read-only, and killed at every system call."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.machine.store import Store

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    options = "size=64k,nr_inodes=20,mode=0750"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@needs_root
async def test_a_full_disk_keeps_the_old_and_falls_back(tiny: Path, tmp_path: Path) -> None:
    store = Store(tiny, tmp_path / "run")
    assert (await store.save("threader", {"n": 1})).durable
    (tiny / "filler").write_bytes(b"x" * (64 * 1024 - 4096))
    saved = await store.save("threader", {"n": 2, "text": "y" * 8000})
    assert not saved.durable
    assert "No space left" in saved.problem
    assert Store(tiny).load("threader").document == {"n": 1}
    assert names(tiny) == ["filler", "threader.json"]
    newest = Store(tiny, tmp_path / "run").load("threader").document
    assert newest is not None
    assert newest["n"] == 2
    (tiny / "filler").unlink()
    assert (await store.save("threader", {"n": 3})).durable


@needs_root
async def test_a_read_only_disk_falls_back(tiny: Path, tmp_path: Path) -> None:
    store = Store(tiny, tmp_path / "run")
    await store.save("threader", {"n": 1})
    make_read_only(tiny)
    saved = await store.save("threader", {"n": 2})
    assert not saved.durable
    assert "Read-only file system" in saved.problem
    assert Store(tiny, tmp_path / "run").load("threader").document == {"n": 2}


@needs_root
def test_a_broken_file_on_a_read_only_disk_is_told(tiny: Path) -> None:
    (tiny / "threader.json").write_bytes(b"")
    make_read_only(tiny)
    loaded = Store(tiny).load("threader")
    assert loaded.document is None
    assert "could not be moved aside" in loaded.problem


def make_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WRITER = [sys.executable, str(Path(__file__).with_name("crash_writer.py"))]
SIZE = 5000
# What write_atomic does to the file system, in this order.
CALLS = ["unlink,unlinkat", "openat", "fchmod", "write", "fsync", "rename,renameat,renameat2"]


def strace(inject: str, target: Path, *, log: Path) -> int:
    """Run the writer with a fault; only calls on the target's folder count."""
    paths = [
        option for path in (target, temporary(target), target.parent) for option in ("-P", path)
    ]
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-o",
            log,
            *paths,
            "-e",
            f"inject={inject}",
            *WRITER,
            target,
            "n",
            str(SIZE),
        ],
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.returncode


def temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.tmp")


@needs_strace
@pytest.mark.parametrize("calls", CALLS)
def test_killed_at_any_call_the_file_is_old_or_new(tmp_path: Path, calls: str) -> None:
    target = tmp_path / "state" / "threader.json"
    target.parent.mkdir()
    killed = 0
    for when in range(1, 9):
        target.write_bytes(b"o" * SIZE)
        log = tmp_path / "strace.log"
        code = strace(f"{calls}:signal=KILL:when={when}", target, log=log)
        assert target.read_bytes() in (b"o" * SIZE, b"n" * SIZE)
        if code == 0:
            assert target.read_bytes() == b"n" * SIZE
            break
        killed += 1
        assert code in (-signal.SIGKILL, 128 + signal.SIGKILL), log.read_text()
    assert killed >= 1, f"{calls} was never called: the test is not about the code any more"
    # What the dead one left is no trouble for the next.
    assert subprocess.run([*WRITER, str(target), "m", "3"], check=False).returncode == 0
    assert target.read_bytes() == b"mmm"
    assert names(target.parent) == ["threader.json"]


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EROFS", "EIO"])
@pytest.mark.parametrize("calls", CALLS[1:])
def test_an_error_at_any_call_is_raised_and_leaves_a_whole_file(
    tmp_path: Path, calls: str, error: str
) -> None:
    target = tmp_path / "state" / "threader.json"
    target.parent.mkdir()
    target.write_bytes(b"o" * SIZE)
    code = strace(f"{calls}:error={error}:when=1", target, log=tmp_path / "strace.log")
    assert code != 0
    assert target.read_bytes() == b"o" * SIZE
    assert names(target.parent) == ["threader.json"]


@needs_strace
def test_the_file_is_synced_before_the_rename_and_the_folder_after(tmp_path: Path) -> None:
    target = tmp_path / "state" / "threader.json"
    log = tmp_path / "strace.log"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", "trace=fsync,rename,renameat,renameat2"]
    subprocess.run([*command, *WRITER, str(target), "n", "10"], check=True, capture_output=True)
    text = re.sub(r"^\d+ +", "", log.read_text(), flags=re.MULTILINE)
    calls = [line for line in text.splitlines() if "state" in line or f"<{tmp_path}>" in line]
    order = [line.split("(")[0].replace("renameat2", "rename") for line in calls]
    assert order == ["fsync", "fsync", "rename", "fsync"], text  # new folder, file, rename, folder
    assert f"<{tmp_path}>" in calls[0]
    assert str(temporary(target)) in calls[1]
    assert f"<{target.parent}>" in calls[3]
