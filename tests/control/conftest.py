"""A control API around a fake guard, in the test's own loop."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from healthguard.service.control.server import ControlServer, start_control
from tests.control.fakes import FakeGuard


@pytest.fixture
def guard() -> FakeGuard:
    return FakeGuard()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, and open to every user of the host: pytest's own folder is neither."""
    with tempfile.TemporaryDirectory(prefix="hg-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
async def server(guard: FakeGuard, folder: Path) -> AsyncIterator[ControlServer]:
    running = await start_control(folder / "control.sock", ["staff", "no-such-group"], guard)
    yield running
    await running.close(grace_s=0.2)
