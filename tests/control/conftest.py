"""A control API around a fake guard, in the test's own loop: the stock one, then the daemon's."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from healthguard.control.server import ControlServer, start_control
from tests.control.fakes import FakeGuard


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Their transports and sockets differ, and the daemon runs on uvloop where it can."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


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
