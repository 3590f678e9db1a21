"""One pool at work: events into ``step``, its commands carried out in order.

``step`` runs at once and never waits. Commands go through one queue per pool, so that what is
to be saved is on disk before what comes after it is done.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace

from healthguard.config import DEPENDENCIES, PoolConfig
from healthguard.core.events import (
    AskTurn,
    Checked,
    Command,
    Commit,
    Configured,
    DependencyChecked,
    Event,
    GiveBackTurn,
    HostDoubt,
    Observed,
    Ordered,
    Prepare,
    Prepared,
    Reply,
    Restored,
    Save,
    Say,
    SwitchFinished,
    Turn,
    Wake,
    Woke,
)
from healthguard.core.health import interval_ms
from healthguard.core.memory import Memory
from healthguard.core.model import LOST, Answer, Done, Instant, Order, Outcome, PrepareFact
from healthguard.core.now import now_of, pace_ms
from healthguard.core.pool import begin, step
from healthguard.core.state import State
from healthguard.machine import clock
from healthguard.machine.memory import load_memory, save_memory
from healthguard.probes import Prober
from healthguard.run.host import Host

LOOK_MS = 1_000  # between two looks at link and nginx
CALM_LOOK_MS = 10_000  # the same while all is well and a glance sees no change
_IDLE_MS = 30_000  # no look or no answer for longer than this (and what is due): no progress


class Runner:
    """Owns one pool's state. Use it in the event loop's thread only."""

    def __init__(self, config: PoolConfig, probers: Mapping[str, Mapping[str, Prober]], host: Host):
        self.name = config.policy.pool
        self._host = host
        self._config = config
        self._probers = probers
        self._loop = asyncio.get_running_loop()
        self._commands: deque[tuple[Command, Instant]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._orders: dict[str, asyncio.Future[Outcome]] = {}
        self._order_count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._durable = True
        self._looker: asyncio.Task[None] | None = None
        self._look_now = asyncio.Event()
        self._seen: object = None  # by the last glance that led to a look
        self._committing: asyncio.Task[None] | None = None
        now = clock.now()
        self._last_check_ms = self._last_look_ms = now.boot_ms
        self.state: State = begin(now, config.policy)
        self._ending = False
        host.on_turn[self.name] = self._my_turn

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """Remember, begin to probe and to look."""
        self.post(Restored(clock.now(), self._load(), self._host.boot_id))
        self._schedule()
        self._looker = self._loop.create_task(self._look_forever(), name=f"look:{self.name}")

    def _load(self) -> Memory | None:
        loaded = self._host.store.load(self.name)
        if loaded.problem:
            self._host.telemetry.say("error", f"{self.name}: memory: {loaded.problem}")
        if loaded.document is None:
            return None
        try:
            return load_memory(loaded.document)
        except ValueError as problem:
            self._host.telemetry.say("error", f"{self.name}: memory is not used: {problem}")
            return None

    def _schedule(self) -> None:
        for upstream, probers in self._probers.items():
            for probe, prober in probers.items():
                key = (self.name, upstream, probe)
                self._host.schedule.add(
                    key,
                    self._starter(upstream, probe, prober),
                    self._pace(upstream, probe),
                    self._config.jitter,
                )

    def _starter(self, upstream: str, probe: str, prober: Prober) -> Callable[[], None]:
        key = (self.name, upstream, probe)

        def done(answer: Answer) -> None:
            self._checked(upstream, probe, answer)
            self._host.schedule.finished(key)

        return lambda: prober.start(done)

    def _pace(self, upstream: str, probe: str) -> Callable[[], int]:
        def pace() -> int:
            if upstream == DEPENDENCIES:
                return interval_ms(self.state.dependencies[probe], self.state.policy.health, False)
            return pace_ms(self.state, upstream, probe)

        return pace

    def reconfigure(self, config: PoolConfig, probers: Mapping[str, Mapping[str, Prober]]) -> None:
        """A new definition: probes that are the same keep their counters."""
        self._stop_probing()
        self._config, self._probers = config, probers
        self.post(Configured(clock.now(), config.policy))
        self._schedule()
        self._look_now.set()

    def busy(self) -> bool:
        """True in the middle of a switch, or while something is being saved."""
        return any(
            each is not None and not each.done() for each in (self._worker, self._committing)
        )

    async def idle(self) -> None:
        """Back when no switch is under way any more, nor one whose charge is being saved."""
        await self._drain()
        while self._committing is not None and not self._committing.done():
            await asyncio.wait([self._committing])
            await self._drain()

    async def stop(self) -> None:
        """End; a commit under way is waited for, and its end is written."""
        self._ending = True
        self._stop_probing()
        await self.idle()
        tasks = [task for task in (self._looker, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drain()
        if self._timer is not None:
            self._timer.cancel()
        self._host.give_back_turn(self.name)  # or nobody would get one after us
        self._host.on_turn.pop(self.name, None)
        for waiting in self._orders.values():
            if not waiting.done():
                waiting.set_result(Outcome(1, "stopping", "the daemon is stopping"))

    def _my_turn(self) -> None:
        if self._ending:
            self._host.give_back_turn(self.name)
        else:
            self.post(Turn(clock.now()))

    async def _drain(self) -> None:
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    def _stop_probing(self) -> None:
        for upstream, probers in self._probers.items():
            for probe, prober in probers.items():
                self._host.schedule.remove((self.name, upstream, probe))
                prober.cancel()

    def progress(self, now_ms: int) -> bool:
        """True while probes answer and the pool is looked at: what the watchdog asks."""
        health = self._config.policy.health
        slowest = max(health.interval_ms, health.down_interval_ms) + self._config.timeout_ms
        checked = now_ms - self._last_check_ms < 2 * slowest + _IDLE_MS
        return checked and now_ms - self._last_look_ms < _IDLE_MS

    # ------------------------------------------------------------ what comes in

    def post(self, event: Event) -> None:
        """One event into ``step``; its commands are queued, or done at once where they can be."""
        before, bake = self.state, self.state.memory.bake
        self.state, commands = step(before, event)
        self._host.note(before, event, commands)
        for command in commands:
            self._take(command, event.at)
        if (self.state.memory.bake is None) != (bake is None):
            self._poke()

    def _poke(self) -> None:
        for upstream, probers in self._probers.items():
            for probe in probers:
                self._host.schedule.poke((self.name, upstream, probe))

    def _checked(self, upstream: str, probe: str, answer: Answer) -> None:
        at = clock.now()
        if upstream == DEPENDENCIES:
            self.post(DependencyChecked(at, probe, answer))
            return
        self._last_check_ms = at.boot_ms
        self.post(Checked(at, upstream, probe, answer))
        found = self.state.upstreams.get(upstream)
        tally = found.probes.get(probe) if found is not None else None
        if tally is not None and tally.recent:
            self._host.telemetry.checked(self.name, upstream, probe, tally.recent[-1])

    async def _look_forever(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as problem:  # an edge broke its promise: the next look may see again
                self._host.telemetry.say("error", f"{self.name}: not looked at: {problem!r}")
            await self._look_now.wait()
            self._look_now.clear()

    def glance(self) -> None:
        """Look now if something seems to have changed since the last look, or if it is time."""
        if self._ending:
            return  # the observer may not know this pool any more
        seen = (self._host.observer.glance(self.name), self._host.disabled())
        since = clock.now().boot_ms - self._last_look_ms
        if seen != self._seen or since >= (CALM_LOOK_MS if self.calm() else LOOK_MS):
            self._seen = seen
            self._look_now.set()

    def calm(self) -> bool:
        """True while nothing hinges on link and nginx: a look now and then will do."""
        state = self.state
        busy = state.doing.switch is not None
        return state.calm and not busy and now_of(state).failing_since is None

    async def look(self) -> None:
        """One look at link, nginx and marker."""
        began = clock.now().boot_ms
        sight = await self._host.observer.look(self.name)
        at = clock.now()
        self._last_look_ms = at.boot_ms
        self.post(
            Observed(
                at,
                sight.link,
                sight.nginx,
                began,
                sight.marker,
                sight.marker_problem,
                self._host.disabled(),
                sight.stamp,
            )
        )

    def doubt(self, reason: str) -> None:
        """This host's own word is doubtful; "" ends it."""
        self.post(HostDoubt(clock.now(), reason))

    async def order(self, order: Order) -> Outcome:
        """Carry out ``order`` (its id is given here) and wait for the end."""
        self._order_count += 1
        order_id = f"{self.name}-o{self._order_count}"
        self._orders[order_id] = self._loop.create_future()
        self._look_now.set()
        try:
            self.post(Ordered(clock.now(), replace(order, order_id=order_id)))
            return await asyncio.shield(self._orders[order_id])
        finally:
            self._orders.pop(order_id, None)

    def recovered(self, switch_id: str, done: Done) -> None:
        """What was found of a switch that a crash had left open."""
        self.post(SwitchFinished(clock.now(), switch_id, done))

    def lost_track(self, switch_id: str) -> None:
        """Nobody knows how this switch ended: link and workers will tell."""
        self.recovered(switch_id, Done("", recovered=True))

    # ------------------------------------------------------------ what is to be done

    def _take(self, command: Command, at: Instant) -> None:
        """Commands that touch no disk are done at once, unless one before them has to wait."""
        idle = self._worker is None or self._worker.done()
        if idle and not self._commands and not isinstance(command, Save):
            self._do(command, at)
            return
        self._commands.append((command, at))
        if idle:
            self._worker = self._loop.create_task(self._work(), name=f"commands:{self.name}")

    async def _work(self) -> None:
        while self._commands:
            command, at = self._commands.popleft()
            if isinstance(command, Save):
                await self._save(command)
            else:
                self._do(command, at)

    async def _save(self, command: Save) -> None:
        saved = await self._host.store.save(self.name, save_memory(command.memory))
        if self._durable and not saved.durable:
            self._host.telemetry.say("error", f"{self.name}: memory is not saved: {saved.problem}")
        self._durable = saved.durable

    def _do(self, command: Command, at: Instant) -> None:
        match command:
            case Say():
                self._say(command, at)
            case Reply():
                waiting = self._orders.get(command.order_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(command.outcome)
            case Wake():
                self._wake(command.at_boot_ms)
            case AskTurn():
                self._host.ask_turn(self.name)
            case GiveBackTurn():
                self._host.give_back_turn(self.name)
            case Prepare():
                self._task(self._prepare(command))
            case Commit():
                self._committing = self._loop.create_task(
                    self._commit(command), name=f"commit:{self.name}"
                )
            case Save():
                raise AssertionError("saves are awaited")

    def _say(self, said: Say, at: Instant) -> None:
        if "durable" in said.fields or said.event.startswith("switch_"):
            durable = bool(said.fields.get("durable", True)) and self._durable
            said = replace(said, fields={**said.fields, "durable": durable})
        self._host.telemetry.record(said, at)

    def _wake(self, at_boot_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0, at_boot_ms - clock.now().boot_ms) / 1000
        self._timer = self._loop.call_later(delay, lambda: self.post(Woke(clock.now())))

    def _task(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prepare(self, command: Prepare) -> None:
        try:
            fact = await self._host.prepare(self.name, command.upstream, command.urgent)
        except Exception as problem:  # an edge broke its promise: the gate says so, nothing dies
            fact = PrepareFact(
                clock.now(), None, "switcher_unavailable", f"prepare failed: {problem!r}"
            )
        self.post(Prepared(clock.now(), command.upstream, fact))

    async def _commit(self, command: Commit) -> None:
        try:
            done = await self._host.switcher.commit(command)
        except Exception as problem:  # an edge broke its promise: a person must look
            done = Done(LOST, message=f"commit failed: {problem!r}", confirm="unclear")
        self.post(SwitchFinished(clock.now(), command.switch_id, done))
        self._look_now.set()
