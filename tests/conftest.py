"""For every test: nothing may be left running, and a full run must really have run."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

GRACE_S = 2.0  # what a test has ended may need this long to be gone


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--at-least N``: fewer passed tests than that is a failure."""
    parser.addoption("--at-least", type=int, default=0, help="fail if fewer tests have passed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A suite that silently skips half of itself must not be green."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    floor = session.config.getoption("--at-least")
    passed = len(reporter.stats.get("passed", [])) if reporter else 0
    if session.exitstatus == pytest.ExitCode.OK and reporter and passed < floor:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(
            f"\nonly {passed} tests have passed, tests/floor wants {floor}", red=True
        )


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
