"""Locks hold between processes, end with their holder, and notice a deleted file."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from healthguard.nginx import lock

HOLDER = """
import sys, time
from pathlib import Path
from healthguard.nginx import lock
held = lock.try_lock(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
print(type(held).__name__, flush=True)
time.sleep(60)
"""


def holder(config: Path, kind: str, folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(config), kind, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "Held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


async def test_second_holder_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    config, folder = tmp_path / "nginx.conf", tmp_path / "locks"
    process = holder(config, lock.DAEMON, folder)
    try:
        answer = lock.try_lock(config, lock.DAEMON, folder)
        assert isinstance(answer, lock.LockRefused)
        assert answer.busy
        assert answer.holder == process.pid
        assert str(process.pid) in answer.message
        act = lock.try_lock(config, lock.ACT, folder)
        assert isinstance(act, lock.Held)
        act.release()
        assert isinstance(await lock.acquire(config, lock.DAEMON, 0.05, folder), lock.LockRefused)
        other = lock.try_lock(tmp_path / "other.conf", lock.DAEMON, folder)
        assert isinstance(other, lock.Held), "another nginx has a lock of its own"
        other.release()
    finally:
        end(process)
    held = lock.try_lock(config, lock.DAEMON, folder)
    assert isinstance(held, lock.Held), "the kernel ends a lock with its holder"
    held.release()


async def test_waiting_does_not_block_the_loop_and_succeeds_when_free(tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    first = lock.try_lock(config, lock.ACT, tmp_path)
    assert isinstance(first, lock.Held)
    waiting = asyncio.create_task(lock.acquire(config, lock.ACT, 30, tmp_path))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    first.release()
    second = await waiting
    assert isinstance(second, lock.Held)
    second.release()


def test_lock_is_the_same_by_whatever_name_the_configuration_goes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    one = lock.lock_path(tmp_path / "real" / "nginx.conf", lock.ACT, tmp_path)
    assert one == lock.lock_path(tmp_path / "alias" / ".." / "alias/nginx.conf", lock.ACT, tmp_path)


def test_deleted_lock_file_is_noticed(tmp_path: Path) -> None:
    with lock.try_lock(tmp_path / "c", lock.ACT, tmp_path) as held:  # type: ignore[union-attr]
        assert held.intact()
        held.path.unlink()
        assert not held.intact()
        with lock.try_lock(tmp_path / "c", lock.ACT, tmp_path) as second:  # type: ignore[union-attr]
            assert second.intact()
            assert not held.intact()


def test_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    folder.chmod(0o777)
    answer = lock.try_lock(tmp_path / "c", lock.ACT, folder)
    assert isinstance(answer, lock.LockRefused)
    assert not answer.busy
    assert "is writable by others" in answer.message


def test_planted_symlink_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock.lock_path(tmp_path / "c", lock.ACT, tmp_path).symlink_to(victim)
    assert isinstance(lock.try_lock(tmp_path / "c", lock.ACT, tmp_path), lock.LockRefused)
    assert victim.read_text() == "precious"


def test_lock_is_not_inherited_by_commands(tmp_path: Path) -> None:
    held = lock.try_lock(tmp_path / "c", lock.ACT, tmp_path)
    assert isinstance(held, lock.Held)
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        held.release()
        again = lock.try_lock(tmp_path / "c", lock.ACT, tmp_path)
        assert isinstance(again, lock.Held)
        again.release()
    finally:
        child.kill()
        child.wait()


def test_made_folder_is_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert lock.ensure_folder(tmp_path / "new") == ""
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
