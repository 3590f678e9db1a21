"""After a crash: bring every open switch to an end, and leave nothing lying about.

The link is the truth about what was done, the workers about what is used, the intent says what
was meant. Proven on the new one: completed. Else put back. A link that another hand moved
meanwhile is left alone and reported. Runs under the act lock.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from healthguard.core.model import COMPLETED, LOST, UNCLEAR, UNDONE, Done
from healthguard.nginx import link, marker, proc, sibling
from healthguard.nginx.act import Hands, Timings
from healthguard.nginx.confirm import NOTHING_NEW, POLL, PROVEN, RUN
from healthguard.nginx.intent import Intent, Intents
from healthguard.nginx.master import UPGRADING, Master, wall_ms
from healthguard.nginx.ports import Recovered
from healthguard.nginx.settings import NginxSettings, PoolFiles

_ASK_TIMEOUT = 1.0


class Reconciler:
    """Ends open intents of one nginx."""

    def __init__(
        self,
        settings: NginxSettings,
        pools: Mapping[str, PoolFiles],
        hands: Hands,
        intents: Intents,
    ) -> None:
        self._config = settings.config
        self._pools = pools
        self._hands = hands
        self._intents = intents

    async def run(self) -> tuple[Recovered, ...]:
        """Clean up, then end each open intent; the ends of all latest switches."""
        self.clean()
        ended = []
        for intent in self._intents.read_all(self._pools):
            done = intent.done
            if done is None:
                done = await self._end(intent, self._pools[intent.pool])
                await asyncio.to_thread(self._intents.close, intent, done)
            done = replace(done, recovered=True)
            ended.append(Recovered(intent.switch_id, intent.pool, intent.to, done))
        return tuple(ended)

    def clean(self) -> tuple[Path, ...]:
        """Remove temporary links and test copies whose makers are gone."""
        removed = [path for pool in self._pools.values() for path in link.clean_leftovers(pool)]
        return (*removed, *sibling.clean_leftovers(self._config.parent))

    async def _end(self, intent: Intent, pool: PoolFiles) -> Done:
        timings = Timings()
        done = await self._decide(intent, pool, timings)
        return self._hands.finish(pool, done, timings)

    async def _decide(self, intent: Intent, pool: PoolFiles, timings: Timings) -> Done:
        fact, master = self._hands.finder.find()
        if str(pool.link) != intent.link or not {intent.origin, intent.to} <= set(pool.upstreams):
            return Done(
                UNCLEAR,
                message="left unchanged: the pool's link or upstreams have been reconfigured since",
            )
        if fact.state == UPGRADING:
            return Done(UNCLEAR, message=f"left unchanged: {fact.detail}")
        identity = link.read_link(pool).identity
        named = link.named_by(pool, identity.split(":", 2)[-1])
        if named == intent.to and link.inode_of(identity) == intent.inode:
            return await self._on_new(intent, pool, master, timings)
        if named == intent.origin:
            return await self._on_origin(intent, pool, master, timings)
        text = f"{pool.link} has been changed by something else since; left unchanged"
        return Done(UNCLEAR, message=text)

    async def _on_new(
        self, intent: Intent, pool: PoolFiles, master: Master | None, timings: Timings
    ) -> Done:
        if master is not None:
            await self._let_reload_end(intent, master)
            proof = await self._proof(intent, pool, master, timings)
            if proof:
                return Done(COMPLETED, message=f"after a crash: {proof}", confirm=PROVEN)
        outcome, said = await self._hands.put_back(
            pool, master, intent.inode, intent.to, intent.origin, timings, _standing(intent, master)
        )
        text = f"after a crash it could not be confirmed that nginx uses {intent.to}; {said}"
        return Done(outcome, message=text, confirm="unclear")

    async def _on_origin(
        self, intent: Intent, pool: PoolFiles, master: Master | None, timings: Timings
    ) -> Done:
        """Not moved yet, or moved back already: workers may still use the new one."""
        if master is None:
            text = f"after a crash: nginx is not running; the link points to {intent.origin}"
            return Done(UNDONE, message=text)
        await self._let_reload_end(intent, master)
        found = await self._hands.reload_and_confirm(
            pool, master, intent.origin, timings, _standing(intent, master)
        )
        outcome = UNDONE if found.verdict == PROVEN else LOST
        text = f"after a crash the link points to {intent.origin}: {found.evidence}"
        return Done(outcome, message=text, confirm=found.verdict)

    async def _let_reload_end(self, intent: Intent, master: Master) -> None:
        """A reload that was asked for before the crash must not be taken for the next one."""
        old = frozenset(intent.workers)
        left = NOTHING_NEW - (time.time_ns() // 1_000_000 - intent.at_wall_ms) / 1000
        same = intent.boot_id == proc.boot_id() and intent.master == master.identity
        deadline = time.monotonic() + (min(left, NOTHING_NEW) if same else 0)

        def waiting() -> bool:
            old_serve = any(each.key in old for each in master.active())
            return old_serve and time.monotonic() < deadline

        while waiting():  # noqa: ASYNC110 - nobody tells us, we must look
            await asyncio.sleep(POLL)

    async def _proof(
        self, intent: Intent, pool: PoolFiles, master: Master, timings: Timings
    ) -> str:
        """Evidence that the workers use the new upstream; "" if there is none."""
        if pool.confirm_url:
            for _ in range(RUN):
                said = await marker.ask(pool.confirm_url, _ASK_TIMEOUT)
                if said.name != intent.to:
                    return ""
            return f"nginx uses {intent.to}: {RUN} marker answers in a row"
        moved = link.read_link(pool).changed_wall_ms
        active = master.active()
        if active and wall_ms(master.start) > moved:
            return f"nginx was started after the link was switched to {intent.to}"
        if not active or any(each.key in frozenset(intent.workers) for each in active):
            return ""
        # All workers are newer than the switch: a reload, or crashed ones started again from the
        # old configuration. One more reload of what was ordered and tested tells.
        found = await self._hands.reload_and_confirm(pool, master, intent.to, timings)
        return found.evidence if found.verdict == PROVEN else ""


def _standing(intent: Intent, master: Master | None) -> frozenset[tuple[int, int]]:
    same = master is not None and master.identity == intent.master
    return frozenset(intent.workers) if same else frozenset()
