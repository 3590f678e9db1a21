"""The switch in process: prepare, commit, reconcile. See ``ports.Switcher`` for the promise.

Order of a commit: lock, look again, intent on disk, link, reload, confirm; undo if refuted. Once
begun it runs to its end even if nobody waits for it any more.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from healthguard.core.events import Commit
from healthguard.core.model import COMPLETED, REFUSED, UNCLEAR, Done, Instant, PrepareFact
from healthguard.nginx import link, lock, proc
from healthguard.nginx.act import Hands, Timings
from healthguard.nginx.confirm import PROVEN, REFUTED, Confirmation
from healthguard.nginx.fingerprint import Files
from healthguard.nginx.intent import Intent, Intents
from healthguard.nginx.master import Master, MasterFinder
from healthguard.nginx.ports import Recovered
from healthguard.nginx.reconcile import Reconciler
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.nginx.trial import Refusal, Trial, Trials

DISABLE_FILE = Path("/etc/healthguard/DISABLE")
TICKET_LIFE = 60.0  # s
LOCK_WAIT = 30.0  # s: as long as another switch of the same nginx may reasonably take


@dataclass(frozen=True, slots=True)
class _Ticket:
    pool: str
    to: str
    trial: Trial
    made: float


class InlineSwitcher:
    """Fulfils ``ports.Switcher`` for one nginx and its pools.

    ``state_dir`` keeps the intents; ``lock_folder`` is for tests, else the place of ``lock``.
    """

    def __init__(
        self,
        settings: NginxSettings,
        pools: Mapping[str, PoolFiles],
        state_dir: Path,
        *,
        disable_file: Path = DISABLE_FILE,
        lock_folder: Path | None = None,
        allow_namespace: bool = True,
    ) -> None:
        self._settings = settings
        self._pools = pools
        self._disable_file = disable_file
        self._lock_folder = lock_folder
        self._hands = Hands(settings, MasterFinder(settings))
        self._trials = Trials(
            settings, Files(settings, pools), self._hands.finder, allow_namespace=allow_namespace
        )
        self._intents = Intents(state_dir, lock_folder or lock.default_folder())
        self._tickets: dict[str, _Ticket] = {}
        self._acts: set[asyncio.Task[Done]] = set()

    # ----------------------------------------------------------- prepare

    async def prepare(self, pool: str, upstream: str) -> PrepareFact:
        """Test everything a switch to ``upstream`` needs; the ticket is good for 60 s."""
        at, began = _now(), time.monotonic()
        stamp = self._trials.stamp()
        found = await self._try_out(pool, upstream)
        took = round((time.monotonic() - began) * 1000)
        if isinstance(found, Refusal):
            return PrepareFact(at, None, found.gate, found.message, stamp, took)
        ticket = self._issue(_Ticket(pool, upstream, found, began))
        return PrepareFact(at, ticket, stamp=stamp, took_ms=took)

    async def _try_out(self, name: str, to: str) -> Trial | Refusal:
        pool = self._pools.get(name)
        if pool is None or to not in pool.upstreams:
            return Refusal(
                "config_invalid", f"the configuration has no pool {name} with an upstream {to}"
            )
        fact = link.read_link(pool)
        if fact.upstream is None:
            return Refusal("link_unmanaged", fact.problem)
        master = self._running()
        if isinstance(master, Refusal):
            return master
        return await self._trials.run(pool, to, master)

    def _running(self) -> Master | Refusal:
        fact, master = self._hands.finder.find()
        if master is None:
            return Refusal("nginx_down", fact.detail)
        if fact.state != "running":
            return Refusal("nginx_upgrading", fact.detail)
        return master

    def _issue(self, ticket: _Ticket) -> str:
        limit = time.monotonic() - TICKET_LIFE
        self._tickets = {key: each for key, each in self._tickets.items() if each.made > limit}
        name = secrets.token_hex(16)
        self._tickets[name] = ticket
        return name

    # ----------------------------------------------------------- commit

    async def commit(self, order: Commit) -> Done:
        """Switch; the caller may be cancelled, the switch is not (see ``drain``)."""
        act = asyncio.get_running_loop().create_task(self._commit(order))
        self._acts.add(act)
        act.add_done_callback(self._acts.discard)
        return await asyncio.shield(act)

    async def drain(self) -> None:
        """Wait until every switch that was begun has ended."""
        await asyncio.gather(*self._acts, return_exceptions=True)

    async def _commit(self, order: Commit) -> Done:
        timings = Timings()
        held = await lock.acquire(self._settings.config, lock.ACT, LOCK_WAIT, self._lock_folder)
        if isinstance(held, lock.LockRefused):
            gate = "switch_in_flight" if held.busy else "switcher_unavailable"
            return _refused(Refusal(gate, held.message), timings)
        with held:
            try:
                return await self._act(order, held, timings)
            except Exception as error:
                text = f"internal error ({type(error).__name__}): {error}"
                return Done(UNCLEAR, message=text, timings_ms=timings.total())

    async def _act(self, order: Commit, held: lock.Held, timings: Timings) -> Done:
        checked = await self._look_again(order, timings)
        if isinstance(checked, Refusal):
            return _refused(checked, timings)
        pool, master = self._pools[order.pool], checked
        if order.origin == order.to:
            found = await self._hands.reload_and_confirm(pool, master, order.to, timings)
            return self._only_reloaded(pool, found, timings)
        fresh = link.make_fresh(pool, order.to)
        if isinstance(fresh, link.Trouble):
            return _refused(Refusal("switcher_unavailable", fresh.message), timings)
        intent = self._intent(order, pool, fresh, master)
        durable = await asyncio.to_thread(self._intents.write, intent)
        if held.intact():
            trouble = await self._hands.move(pool, fresh, intent.origin, timings)
        else:
            link.discard(fresh)
            trouble = link.Trouble(f"the lock {held.path} was deleted while it was held")
        if trouble is not None:
            gate = "active_unknown" if trouble.moved else "switcher_unavailable"
            done = _refused(Refusal(gate, trouble.message), timings)
        else:
            done = await self._after_swap(order, pool, master, intent, timings)
        done = self._hands.finish(pool, replace(done, durable=durable), timings)
        await asyncio.to_thread(self._intents.close, intent, done)
        return done

    async def _look_again(self, order: Commit, timings: Timings) -> Master | Refusal:
        """Everything that prepare checked, again, now that no other switch of ours runs."""
        ticket = self._tickets.pop(order.ticket, None)
        if ticket is None or (ticket.pool, ticket.to) != (order.pool, order.to):
            return Refusal("config_invalid", "this switch has not been tested; order it again")
        if time.monotonic() - ticket.made > TICKET_LIFE:
            return Refusal(
                "config_invalid", "the test of this switch is older than 60 s; order it again"
            )
        disabled = read_disable(self._disable_file)
        if disabled is not None and not order.force:
            return Refusal(
                "disabled",
                f"switching is off: {self._disable_file} exists ({disabled or 'no reason given'})",
            )
        pool = self._pools[order.pool]
        fact = link.read_link(pool)
        if fact.upstream is None:
            return Refusal("link_unmanaged", fact.problem)
        if fact.upstream != order.origin:
            text = (
                f"{pool.link} points to {fact.upstream}, not {order.origin}: it was changed by "
                f"something else"
            )
            return Refusal("active_unknown", text)
        master = self._running()
        if isinstance(master, Refusal):
            return master
        if order.origin != order.to and not master.active():
            return Refusal(
                "nginx_down", f"nginx master {master.pid} has no worker that accepts connections"
            )
        if not await self._trials.still_true(pool, ticket.trial, master):
            began = time.monotonic()
            again = await self._trials.run(pool, order.to, master, urgent=True)
            timings.add("prepare", began)
            if isinstance(again, Refusal):
                return again
        return master

    async def _after_swap(
        self, order: Commit, pool: PoolFiles, master: Master, intent: Intent, timings: Timings
    ) -> Done:
        standing = frozenset(intent.workers)
        try:
            found = await self._hands.reload_and_confirm(pool, master, order.to, timings)
        except Exception as error:
            found = Confirmation(REFUTED, f"internal error ({type(error).__name__}): {error}")
        if found.verdict == PROVEN:
            return Done(COMPLETED, message=found.evidence, confirm=found.verdict)
        if found.verdict != REFUTED and not order.undo_unclear:
            text = f"{found.evidence}; the link is left on {order.to}"
            return Done(UNCLEAR, message=text, confirm=found.verdict)
        outcome, said = await self._hands.put_back(
            pool, master, intent.inode, order.to, intent.origin, timings, standing
        )
        return Done(outcome, message=f"{found.evidence}; {said}", confirm=found.verdict)

    def _only_reloaded(self, pool: PoolFiles, found: Confirmation, timings: Timings) -> Done:
        """The link was right already: nothing to put back, whatever came out."""
        outcome = COMPLETED if found.verdict == PROVEN else UNCLEAR
        done = Done(outcome, message=found.evidence, confirm=found.verdict)
        return self._hands.finish(pool, done, timings)

    def _intent(self, order: Commit, pool: PoolFiles, fresh: link.Fresh, master: Master) -> Intent:
        assert order.origin is not None
        return Intent(
            switch_id=order.switch_id,
            pool=order.pool,
            origin=order.origin,
            to=order.to,
            link=str(pool.link),
            inode=fresh.inode,
            at_wall_ms=_now().wall_ms,
            boot_id=proc.boot_id(),
            master=master.identity,
            workers=tuple(each.key for each in master.active()),
        )

    # ----------------------------------------------------------- reconcile

    async def reconcile(self) -> tuple[Recovered, ...]:
        """End what a crash left open; tell of each pool how its latest switch ended."""
        reconciler = Reconciler(self._settings, self._pools, self._hands, self._intents)
        held = await lock.acquire(self._settings.config, lock.ACT, LOCK_WAIT, self._lock_folder)
        if isinstance(held, lock.LockRefused):
            return ()
        with held:
            return await reconciler.run()


def read_disable(path: Path) -> str | None:
    """The text of the DISABLE file; None if there is none. One that cannot be read disables."""
    try:
        return path.read_text(errors="replace").strip()[:500]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _refused(refusal: Refusal, timings: Timings) -> Done:
    return Done(REFUSED, gate=refusal.gate, message=refusal.message, timings_ms=timings.total())


def _now() -> Instant:
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return Instant(boot, time.time_ns() // 1_000_000)
