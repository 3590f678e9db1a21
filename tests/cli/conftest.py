"""The command line as a process, against a fake guard behind the real control API."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from healthguard.control.server import start_control
from tests.control.fakes import FakeGuard


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class Cli:
    """Runs ``healthguard``; ``path`` is the socket, given by --socket unless told otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __call__(self, *words: str, socket: bool = True, **env: str) -> Ended:
        process = await self.start(*words, socket=socket, **env)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def start(
        self, *words: str, socket: bool = True, **env: str
    ) -> asyncio.subprocess.Process:
        given = ["--socket", str(self.path)] if socket else []
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-m", "healthguard", *given, *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TZ": "UTC", **env},
        )


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hg-") as name:
        yield Path(name)


@pytest.fixture
def guard() -> FakeGuard:
    return FakeGuard()


@pytest.fixture
async def cli(guard: FakeGuard, folder: Path) -> AsyncIterator[Cli]:
    server = await start_control(folder / "control.sock", [], guard)
    yield Cli(server.path)
    await server.close(grace_s=0.2)
