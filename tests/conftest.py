"""For every test: nothing may be left running."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

GRACE_S = 2.0  # what a test has ended may need this long to be gone


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves processes or threads behind."""
    processes, threads = _children(), _threads()
    yield
    deadline = time.monotonic() + GRACE_S
    while left := [*map(_describe, _children() - processes), *(_threads() - threads)]:
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {', '.join(map(str, left))}")
        time.sleep(0.02)


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.daemon}


def _children() -> set[int]:
    """Our living children. Zombies do not count: they are only unread exit statuses."""
    pids: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            pids.update(map(int, (task / "children").read_text().split()))
    return {pid for pid in pids if _alive(pid)}


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and "multiprocessing.resource_tracker" not in _describe(pid)


def _describe(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        command = "(gone)"
    return f"{pid} {command}"
