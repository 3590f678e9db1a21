"""A telemetry whose log lines go to a file, and whose pools a test sets."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest_asyncio

from healthguard.core.events import Say
from healthguard.core.model import Instant
from healthguard.telemetry import Log, Sink, Systemd, Telemetry
from healthguard.telemetry.eventlog import EventLog
from healthguard.views.model import PoolView

from .views import view

WALL_MS = 1_700_000_000_123


class Bench:
    """One telemetry and what it wrote."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pools: list[PoolView] = [view()]
        self.switcher_differs: bool | None = None
        self._lines = (folder / "lines").open("wb")
        self.log = Log(Sink(self._lines.fileno()), level="debug")
        self.log.start()
        self.telemetry = Telemetry(
            event_log=EventLog(folder / "log" / "events.jsonl", folder / "run"),
            log=self.log,
            systemd=Systemd({}),
            pools=self._views,
            switcher_differs=lambda: self.switcher_differs,
            wall_ms=lambda: WALL_MS,
        )

    def _views(self) -> Iterable[PoolView]:
        return iter(self.pools)

    def record(self, event: str, level: str = "info", **fields: object) -> bool:
        record = Say(f"threader-1-{event}", event, "threader", level, fields)
        return self.telemetry.record(record, Instant(5_000, WALL_MS))

    def lines(self) -> str:
        return (self.folder / "lines").read_text()

    async def close(self) -> None:
        await self.telemetry.close()
        self.log.sink.close()
        self._lines.close()
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.close()
