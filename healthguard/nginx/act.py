"""The steps that a switch, its undo and the recovery after a crash have in common.

All of them run under the act lock.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from healthguard.core.model import LOST, UNDONE, Done
from healthguard.nginx import link
from healthguard.nginx.confirm import PROVEN, REFUTED, Confirmation, confirm
from healthguard.nginx.master import Master, MasterFinder, Worker
from healthguard.nginx.reload import reload
from healthguard.nginx.settings import NginxSettings, PoolFiles

Keys = frozenset[tuple[int, int]]


@dataclass(slots=True)
class Timings:
    """Milliseconds of each part; the same part twice adds up."""

    began: float = field(default_factory=time.monotonic)
    parts: dict[str, int] = field(default_factory=dict)

    def add(self, part: str, since: float) -> None:
        """Add what went by since ``since`` (time.monotonic) to ``part``."""
        self.parts[part] = self.parts.get(part, 0) + round((time.monotonic() - since) * 1000)

    def total(self) -> Mapping[str, int]:
        """All parts and their ``total``."""
        return {**self.parts, "total": round((time.monotonic() - self.began) * 1000)}


class Hands:
    """Moves links and reloads one nginx. Never raises for what the world does."""

    def __init__(self, settings: NginxSettings, finder: MasterFinder) -> None:
        self._settings = settings
        self.finder = finder

    async def move(
        self, pool: PoolFiles, fresh: link.Fresh, expected: str, timings: Timings
    ) -> link.Trouble | None:
        """Put the fresh link in place, if the live one names ``expected``."""
        began = time.monotonic()
        try:
            return await asyncio.to_thread(link.exchange, pool, fresh, expected)
        finally:
            timings.add("swap", began)

    async def reload_and_confirm(
        self,
        pool: PoolFiles,
        master: Master,
        to: str,
        timings: Timings,
        standing: Keys = frozenset(),
    ) -> Confirmation:
        """Reload and watch what the workers use. ``standing``: workers that used ``to`` before."""
        before = master.workers()
        began = time.monotonic()
        told = await reload(self._settings, master)
        timings.add("reload", began)
        if told.problem:
            return _not_told(told.problem, to, before, standing)
        began = time.monotonic()
        found = await confirm(
            master,
            before,
            to,
            timeout_ms=self._settings.confirm_timeout_ms,
            url=pool.confirm_url,
            standing=standing,
            known=frozenset(pool.upstreams),
        )
        timings.add("confirm", began)
        return found

    async def put_back(
        self,
        pool: PoolFiles,
        master: Master | None,
        intent_inode: int,
        to: str,
        origin: str,
        timings: Timings,
        standing: Keys = frozenset(),
    ) -> tuple[str, str]:
        """Link back to ``origin``, reload, confirm: (UNDONE or LOST, sentence).

        Without the reload any later one would carry the switch out. ``intent_inode``: only the
        link that we put there is moved. No master: the link alone is put back.
        """
        began = time.monotonic()
        trouble = await asyncio.to_thread(link.swap, pool, to, origin, intent_inode)
        timings.add("swap", began)
        if trouble is not None:
            return LOST, f"the link could not be put back to {origin}: {trouble.message}"
        if master is None:
            return UNDONE, f"nginx is not running; the link points to {origin} again"
        found = await self.reload_and_confirm(pool, master, origin, timings, standing)
        if found.verdict == PROVEN:
            return UNDONE, f"back on {origin}: {found.evidence}"
        return (
            LOST,
            f"the link points to {origin} again, but nginx may not use it: {found.evidence}",
        )

    def finish(self, pool: PoolFiles, done: Done, timings: Timings) -> Done:
        """``done`` with what link and master are now, and the timings."""
        fact, _ = self.finder.find()
        identity = link.read_link(pool).identity
        return replace(done, link=identity, master=fact.master, timings_ms=timings.total())


def _not_told(problem: str, to: str, now: tuple[Worker, ...], standing: Keys) -> Confirmation:
    """A reload that was never requested changes nothing: workers that used ``to`` still do."""
    active = {each.key for each in now if not each.exiting}
    if active and active <= standing:
        return Confirmation(PROVEN, f"{problem}; the workers still use {to}")
    return Confirmation(REFUTED, problem)
