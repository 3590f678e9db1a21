"""The event loop's side: hands events to the worker, and looks at what no event tells."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from healthguard.core.evidence import failure_sentence
from healthguard.core.model import UP, Actor
from healthguard.core.now import in_use
from healthguard.core.state import State, health_of
from healthguard.machine import clock
from healthguard.notify import compose
from healthguard.notify.levels import FAILING, HOLD, LATCH, NOT_READY
from healthguard.notify.outbox import DROPPED, FAILED, RETRIED, SENT, Delivery
from healthguard.notify.spec import Notifier
from healthguard.notify.worker import NotifyWorker
from healthguard.telemetry import Telemetry
from healthguard.views.model import PoolView

TWICE = 2
_LOOK_S = 1.0
_NOBODY_S = 10.0  # the same while nobody is to be told anything
_TRUTH_EVERY = 5  # looks
_YIELD_EVERY = 50  # pools

# The truth about each kind of trouble: an event that got lost, or a restart, must not leave
# one open for ever.
_OVER: Mapping[str, Callable[[PoolView], bool]] = {
    HOLD: lambda view: (
        view.phase not in ("holding", "starting", "switching") and view.proposal is None
    ),
    LATCH: lambda view: not view.latched,
    NOT_READY: lambda view: view.rollback_ready,
    compose.LOST: lambda view: view.lost is None and view.phase != "starting",
}


class Watched(Protocol):
    """What this room needs of the daemon."""

    @property
    def notifiers(self) -> Mapping[str, Notifier]:
        """By name; another mapping after each reload."""

    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """The notifiers of each pool, by name."""

    def states(self) -> Mapping[str, State]:
        """Every pool's state now."""

    def pool(self, name: str) -> PoolView:
        """One pool's part of status. KeyError: no such pool."""

    def record(self, event: str, by: Actor | None = None, **fields: object) -> None:
        """Say one event of the daemon itself."""


class Notifications:
    """Made before the guard starts, so that no event is missed; ``run`` for ever, ``close``."""

    def __init__(self, guard: Watched, telemetry: Telemetry, folder: Path) -> None:
        self._guard, self._telemetry = guard, telemetry
        self._loop = asyncio.get_running_loop()
        self._follower = telemetry.follow()
        self._worker = NotifyWorker(
            folder, socket.gethostname(), self._from_thread(self._told), self._say
        )
        self._configured: object = None
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Tell what happens, for ever."""
        await asyncio.gather(self._events(), self._look())

    def close(self) -> None:
        """Save what waits and end. Blocks for as long as a sender under way is given: a thread."""
        self._follower.close()
        self._worker.close()

    # ------------------------------------------------------------ what happens

    async def _events(self) -> None:
        while True:
            async for event in self._follower:
                if self._wanted() and "event" in event:
                    self._worker.event(event, clock.now().wall_ms)
            self._follower = self._telemetry.follow()  # too slow: what was missed is looked at
            await asyncio.sleep(0)

    def _wanted(self) -> bool:
        """True if anybody is to be told anything. Notices a new configuration."""
        notifiers = self._guard.notifiers
        if notifiers is not self._configured:
            self._configured = notifiers
            self._telemetry.counts.notify(notifiers)
            self._telemetry.unheard.keep(notifiers)
            self._worker.configure(notifiers, self._guard.routes())
            if notifiers:
                self._worker.start()
        return bool(notifiers)

    # ------------------------------------------------------------ what is so

    async def _look(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(_LOOK_S if self._guard.notifiers else _NOBODY_S)
            turn += 1
            if not self._wanted():
                continue
            for number, (name, state) in enumerate(self._guard.states().items()):
                if number % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
                self._look_at(name, state)
            if turn % _TRUTH_EVERY == 0:
                await self._truth()

    def _look_at(self, pool: str, state: State) -> None:
        here, _, _ = in_use(state)
        found = state.upstreams.get(here) if here is not None else None
        probes = found.probes.values() if found is not None else ()
        if here is not None and any(each.fails >= TWICE for each in probes):
            if pool not in self._failing:
                self._failing.add(pool)
                self._begins_to_fail(pool, here, state)
        elif pool in self._failing and health_of(state, here) == UP:
            self._failing.discard(pool)
            self._worker.change(compose.Ends(pool, FAILING, f"{here} passes its checks again"))

    def _begins_to_fail(self, pool: str, upstream: str, state: State) -> None:
        with suppress(KeyError):  # the pool went with a new configuration
            release = self._guard.pool(pool).upstreams[upstream].release
            words = failure_sentence(state, upstream)
            at = clock.now().wall_ms
            notice = compose.failing(pool, upstream, words, release or "", at)
            self._worker.change(compose.Begins(notice))

    async def _truth(self) -> None:
        for pool, topics in list(self._worker.open().items()):
            await asyncio.sleep(0)
            with suppress(KeyError):
                view = self._guard.pool(pool)
                for topic in topics:
                    if (topic == FAILING and pool not in self._failing) or (
                        topic in _OVER and _OVER[topic](view)
                    ):
                        self._worker.change(compose.Ends(pool, topic))

    # ------------------------------------------------------------ what became of it

    def _from_thread(self, work: Callable[[Delivery], None]) -> Callable[[Delivery], None]:
        def call(outcome: Delivery) -> None:
            with suppress(RuntimeError):  # the loop has ended before the thread
                self._loop.call_soon_threadsafe(work, outcome)

        return call

    def _say(self, level: str, message: str) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._telemetry.say, level, message)

    def _told(self, outcome: Delivery) -> None:
        self._telemetry.counts.notified(outcome.notifier, outcome.outcome, outcome.count)
        self._remember(outcome)
        if outcome.outcome == RETRIED:
            words = f"notifier {outcome.notifier}: {outcome.problem}; will retry"
            self._telemetry.say("warning", words, notifier=outcome.notifier)
        elif outcome.outcome in (FAILED, DROPPED):
            self._guard.record(
                "notification_failed",
                notifier=outcome.notifier,
                count=outcome.count,
                reason=outcome.problem or "no reason given",
            )

    def _remember(self, outcome: Delivery) -> None:
        """For the page: who is not reached."""
        unheard = self._telemetry.unheard
        if outcome.outcome == SENT:
            unheard.sent(outcome.notifier)
        else:
            given_up = outcome.outcome in (FAILED, DROPPED)
            unheard.failed(outcome.notifier, outcome.problem, given_up=given_up)
