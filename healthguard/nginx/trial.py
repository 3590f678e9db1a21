"""Baseline and candidate test of a switch, and whether they still hold."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from healthguard.nginx.configtest import ConfigTest, Verdict
from healthguard.nginx.fingerprint import Files
from healthguard.nginx.master import Master, MasterFinder
from healthguard.nginx.settings import NginxSettings, PoolFiles

BASELINE_LIFE = 5.0  # s: pools share a baseline as long as nothing changed
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """The gate that is closed, and why."""

    gate: str
    message: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What was tested: for which master, and the contents of all files (``also``: extra ones)."""

    master: str
    fingerprint: str
    also: tuple[Path, ...]


class Trials:
    """Runs the tests of one nginx; never touches the live link."""

    def __init__(
        self,
        settings: NginxSettings,
        files: Files,
        finder: MasterFinder,
        *,
        allow_namespace: bool = True,
    ) -> None:
        self._files = files
        self._finder = finder
        self._tests = ConfigTest(settings, allow_namespace=allow_namespace)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._baseline_turn = asyncio.Lock()
        self._told: tuple[Path, ...] = ()
        self._baseline: tuple[str, float, Verdict] | None = None

    def stamp(self) -> str:
        """The cheap fingerprint, comparable to ``Sight.stamp``."""
        return self._files.stamp()

    async def run(
        self, pool: PoolFiles, to: str, master: Master, *, urgent: bool = False
    ) -> Trial | Refusal:
        """Test baseline and candidate side by side. ``urgent``: wait for no other test."""
        if urgent:
            return await self._run(pool, to, master, fresh=True)
        async with self._slots:
            return await self._run(pool, to, master, fresh=False)

    async def _run(
        self, pool: PoolFiles, to: str, master: Master, *, fresh: bool
    ) -> Trial | Refusal:
        # Hashed before the test: what changes meanwhile is found at the commit. Files that only
        # nginx knows of are added from its own list of the last time.
        also = self._told
        contents = await asyncio.to_thread(self._files.fingerprint, pool, also)
        listing = self._files.listing()
        pid_file = self._finder.pid_file()
        baseline, candidate = await asyncio.gather(
            self._base(master, fresh=fresh),
            self._tests.candidate(pool, to, master, pid_file, listing),
        )
        if not baseline.ok:
            return Refusal(
                "config_invalid", f"the current nginx configuration is refused: {baseline.message}"
            )
        if not candidate.ok:
            return Refusal(
                "config_invalid",
                f"the nginx configuration with {to} is refused: {candidate.message}",
            )
        self._told = candidate.files
        return Trial(master.identity, contents, also)

    async def _base(self, master: Master, *, fresh: bool) -> Verdict:
        if fresh:
            return await self._test_base(master)
        async with self._baseline_turn:
            now = time.monotonic()
            state = f"{self._files.stamp()} {self._files.links()}"
            known = self._baseline
            if known and known[0] == state and now - known[1] < BASELINE_LIFE:
                return known[2]
            verdict = await self._test_base(master)
            self._baseline = (state, time.monotonic(), verdict)
            return verdict

    async def _test_base(self, master: Master) -> Verdict:
        return await self._tests.baseline(master, self._finder.pid_file(), self._files.listing())

    async def still_true(self, pool: PoolFiles, trial: Trial, master: Master) -> bool:
        """True if the same master would read the very same contents as in the test."""
        if trial.master != master.identity:
            return False
        now = await asyncio.to_thread(self._files.fingerprint, pool, trial.also)
        return now == trial.fingerprint
