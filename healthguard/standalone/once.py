"""One order through the real ``step``, with a state that lives no longer than the order.

What only the daemon remembers or has watched (budget, marks, pause, bake) is not known here. It
binds no order of a person, and is never shown as open.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from healthguard.config import PoolConfig
from healthguard.core.events import (
    AskTurn,
    Checked,
    Command,
    Commit,
    Event,
    Observed,
    Ordered,
    Prepare,
    Prepared,
    Reply,
    Restored,
    Say,
    SwitchFinished,
    Turn,
    Wake,
    Woke,
)
from healthguard.core.memory import Memory
from healthguard.core.model import LOST, PASS, Answer, Done, Order, Outcome, Policy, PrepareFact
from healthguard.core.pool import begin, step
from healthguard.machine import clock
from healthguard.nginx.ports import Observer, Sight, Switcher
from healthguard.probes import Prober

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What one order needs. ``probers``: by upstream and name. ``say``: takes each event.

    ``busy``: who else acts on this nginx; "" when nobody does.
    """

    switcher: Switcher
    observer: Observer
    probers: Mapping[str, Mapping[str, Prober]]
    disabled: Callable[[], str | None]
    busy: Callable[[], str]
    say: Callable[[Say], None]


class Once:
    """Carries out one order. Use it in the event loop's thread only."""

    def __init__(self, pool: PoolConfig, parts: Parts) -> None:
        self._pool = pool
        self._name = pool.policy.pool
        self._parts = parts
        self._inbox: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self._preparing: set[str] = set()
        self._prepared = self._ordered = False
        self._held = ExitStack()  # signals, while a switch is under way
        self._tasks: set[asyncio.Task[None]] = set()
        self._outcome: Outcome | None = None
        self._order = Order("switch")
        self._judged: dict[tuple[str, str], int] = {}
        self._missing: set[tuple[str, str]] = set()

    async def run(self, order: Order) -> Outcome:
        """Look, probe, prepare; then the order, to its end."""
        self._order = order
        began, sight = clock.now(), await self._parts.observer.look(self._name)
        policy = _of_interest(self._pool.policy, sight, order)
        self._state = begin(began, policy)
        boot = clock.boot_id()
        # Where it is unknown what nginx uses, the link names what probably serves.
        memory = Memory(boot, began, active=sight.link.upstream)
        self._post(Restored(began, memory, boot))
        assert order.upstream is not None
        self._start_prepare(order.upstream)
        self._post(self._observed(began.boot_ms, sight))
        self._probe(policy)
        self._task(self._look_again())
        try:
            while self._outcome is None:
                event = await self._inbox.get()
                if isinstance(event, BaseException):
                    raise event
                self._post(event)
            return self._outcome
        finally:
            await self._end()

    async def _end(self) -> None:
        """Probers first: none may answer into a task that is gone."""
        for named in self._parts.probers.values():
            for prober in named.values():
                prober.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._held.close()

    def _post(self, event: Event) -> None:
        self._state, commands = step(self._state, event)
        if any(isinstance(command, Commit) for command in commands):
            self._held.enter_context(_uninterrupted())  # before the first word of it is written
        for command in commands:
            self._do(command)
        if isinstance(event, Checked):
            self._count(event)
        self._prepared = self._prepared or isinstance(event, Prepared)
        if self._prepared and not self._missing and not self._ordered:
            self._ordered = True
            self._inbox.put_nowait(Ordered(clock.now(), self._order))

    def _count(self, event: Checked) -> None:
        """The order is given once every probe has said what it can say, and a prepare has ended."""
        place = (event.upstream, event.probe)
        tally = self._state.upstreams[event.upstream].probes[event.probe]
        self._judged[place] = self._judged.get(place, 0) + 1
        policy = self._state.policy
        enough = max(policy.health.rise, policy.rollback.standby_passes)
        if tally.recent[-1].outcome == PASS and self._judged[place] < enough:
            return
        self._missing.discard(place)

    def _do(self, command: Command) -> None:
        match command:
            case Prepare():
                self._start_prepare(command.upstream)
            case AskTurn():
                self._inbox.put_nowait(Turn(clock.now()))
            case Commit():
                self._task(self._commit(command))
            case Say():
                self._parts.say(command)
            case Reply():
                self._outcome = command.outcome
            case Wake():
                self._task(self._wake(command.at_boot_ms))

    def _task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._inbox.put_nowait(problem)  # never wait for what cannot come any more

    # ------------------------------------------------------------ what the commands want

    def _start_prepare(self, upstream: str) -> None:
        if upstream not in self._preparing:
            self._preparing.add(upstream)
            self._task(self._prepare(upstream))

    async def _prepare(self, upstream: str) -> None:
        busy = "" if self._order.force else self._parts.busy()
        if busy:
            fact = PrepareFact(clock.now(), None, "switch_in_flight", busy)
        else:
            fact = await self._parts.switcher.prepare(self._name, upstream)
        await self._look()  # a slow `nginx -t` must not make what was seen too old
        self._preparing.discard(upstream)
        self._inbox.put_nowait(Prepared(clock.now(), upstream, fact))

    async def _look_again(self) -> None:
        """Each second, as the daemon does: facts grow old, and an unknown end needs a look."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._look()

    async def _look(self) -> None:
        began = clock.now()
        sight = await self._parts.observer.look(self._name)
        self._inbox.put_nowait(self._observed(began.boot_ms, sight))

    async def _commit(self, command: Commit) -> None:
        try:
            done = await self._parts.switcher.commit(command)
        except Exception as problem:  # an edge broke its promise: a person must look
            done = Done(LOST, message=f"commit failed: {problem!r}", confirm="unclear")
        self._inbox.put_nowait(SwitchFinished(clock.now(), command.switch_id, done))

    async def _wake(self, at_boot_ms: int) -> None:
        await asyncio.sleep(max(0, at_boot_ms - clock.now().boot_ms) / 1000)
        self._inbox.put_nowait(Woke(clock.now()))

    def _observed(self, began_ms: int, sight: Sight) -> Observed:
        return Observed(
            clock.now(),
            sight.link,
            sight.nginx,
            began_ms,
            sight.marker,
            sight.marker_problem,
            self._parts.disabled(),
            sight.stamp,
        )

    # ------------------------------------------------------------ probes

    def _probe(self, policy: Policy) -> None:
        places = [(name, probe) for name in policy.upstreams for probe in self._parts.probers[name]]
        self._missing = set(places)
        for upstream, probe in places:
            self._task(self._ask(upstream, probe, self._parts.probers[upstream][probe]))

    async def _ask(self, upstream: str, probe: str, prober: Prober) -> None:
        """Again and again until the end: passes must be fresh when the turn comes."""
        loop, pause_s = asyncio.get_running_loop(), self._pool.policy.health.fast_interval_ms / 1000
        while True:
            began = loop.time()
            answer: asyncio.Future[Answer] = loop.create_future()
            prober.start(answer.set_result)
            event = Checked(clock.now(), upstream, probe, await answer)
            self._inbox.put_nowait(replace(event, at=clock.now()))
            await asyncio.sleep(max(0.0, began + pause_s - loop.time()))


def _of_interest(policy: Policy, sight: Sight, order: Order) -> Policy:
    """Only what the order is about: where it goes, and what may serve now."""
    wanted = {order.upstream, sight.link.upstream, sight.marker}
    upstreams = {name: each for name, each in policy.upstreams.items() if name in wanted}
    return replace(policy, upstreams=upstreams, dependencies={}, stable=None)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A key press or a lost terminal must not end the process between link and confirm."""

    def wait(number: signal.Signals) -> None:
        with suppress(OSError):
            sys.stderr.write(f"{number.name}: finishing the running switch first\n")

    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, wait, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
