"""Runs a story through the real core: timers, nginx, people and the guard's own life, simulated.

Virtual time, one heap of things to come. Nothing here decides: every decision is ``step``'s, the
doubt that all pools share is ``common_failure``'s, whose turn it is is ``core.host``'s. A ``seed``
gives the phases and the jitter of the timers; a right answer holds for all of them.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace

from healthguard.core import host as turns
from healthguard.core.memory import Memory
from healthguard.core.model import Outcome
from tests.stories.people import Person, person
from tests.stories.pool import Probe, StoryPool
from tests.stories.run import Run, Snapshot
from tests.stories.transcript import Story, StoryError, duration
from tests.stories.world import Eyes, World, policy_of
from tests.support.pool import Clock, findings

BOOT_MS = 100_000_000
WARM_UP_MS = 60_000
WEEKS_MS = 50_000_000
BOOTS = "the host boots at "
JITTER = 0.05
LATE_MS = 1_000  # daemon/doubt.py: so late, and the guard doubts itself; and so long afterwards


class Simulation(Clock):
    """One run of one story."""

    def __init__(self, story: Story, seed: int, looks: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__(BOOT_MS)
        self.story, self.world = story, World(story)
        self.run_ = Run(story, seed)
        self.rng = random.Random(f"{story.name}-{seed}")
        self.eyes = Eyes(self.world)
        self.heap: list[tuple[int, int, bool, int, Callable[[], None]]] = []
        self.count = 0
        self.life = 0  # of the daemon: what an earlier life planned is void
        self.alive = False
        self.now = self._start = self._first_moment()
        self.durable = True
        self.doubt = ""
        self.common_ms: int | None = None
        self.turns = turns.Turns()
        self.pools = {name: StoryPool(self, policy_of(story, name)) for name in story.pools}
        self.asked: dict[str, int] = {}  # order id -> its number in the story
        self.look_ms, self.commit_ms = 1_000, 150
        self._read_sentences()
        self._plan_story(looks)

    def _first_moment(self) -> int:
        self.boots = [each for each in self.story.sentences if each.startswith(BOOTS)]
        return duration(self.boots[0].removeprefix(BOOTS)) if self.boots else -WARM_UP_MS

    def _read_sentences(self) -> None:
        for each in self.story.sentences:
            if each.startswith("commits take "):
                self.commit_ms = duration(each.removeprefix("commits take "))
            elif each.startswith("looks every "):
                self.look_ms = duration(each.removeprefix("looks every "))
            elif not each.startswith(BOOTS):
                raise StoryError(f"nothing known: {each!r}")

    def _plan_story(self, looks: tuple[tuple[str, int], ...]) -> None:
        for pair in (self.story.setup.get("releases") or "").split(","):
            name, _, release = pair.strip().partition(" ")
            for pool in self.story.pools if release else ():
                self.eyes.releases[(pool, name)] = release
        self.later(self._start, self._daemon_starts)
        vouched = self.story.setup.get("vouched", "green").split(",")
        for pool in self.story.pools:
            for n, name in enumerate(vouched):
                if name.strip() != "nothing":
                    words = Person("dana", "good", pool, name.strip(), "in use for weeks")
                    self.later(-5_000 + n, self._orderer(words, 0))
        number = 0
        for happening in self.story.happenings:
            somebody = person(happening.what, self.story.pools)
            number += somebody is not None
            if somebody is not None:
                self.later(happening.at, self._orderer(somebody, number))
            else:
                self.later(happening.at, self._happener(happening.what))
        for start, end in self._frozen():
            self.later(end, self._thawer(end - start), guard=True)
        for each in self.world.facts:
            if each.what == "the guard is starved":
                self.later(each.start + 1_200, lambda: self._host("starved of CPU"), guard=True)
                self.later(each.end + LATE_MS, lambda: self._host(""), guard=True)
            elif each.what == "nginx is down":
                self.later(each.end, self._nginx_starts)
        for pool, at in looks:
            self.later(at, self._snapper(pool, at))

    def _frozen(self) -> list[tuple[int, int]]:
        frozen = ("the guard is stopped", "the host is suspended")
        return [(each.start, each.end) for each in self.world.facts if each.what in frozen]

    # ------------------------------------------------------------ time

    def later(self, at: int, do: Callable[[], None], *, guard: bool = False) -> None:
        """``do`` at that moment. ``guard``: by the daemon, so not while it is frozen or dead."""
        self.count += 1
        life = self.life if guard else -1
        heapq.heappush(self.heap, (max(at, self.now), self.count, guard, life, do))

    def run(self) -> Run:
        """To the end of the story."""
        while self.heap and self.heap[0][0] <= self.story.end:
            at, _, guard, life, do = heapq.heappop(self.heap)
            if guard and life not in (self.life, 0):
                continue
            self.now = at
            until = self.world.frozen_until(at) if guard else None
            if until is not None:
                self.count += 1
                heapq.heappush(self.heap, (until, self.count, guard, life, do))
                continue
            do()
        return self.run_

    # ------------------------------------------------------------ the life of the daemon

    def _daemon_starts(self) -> None:
        self.life += 1
        self.alive, self.turns, self.doubt, self.common_ms = True, turns.Turns(), "", None
        for pool in self.pools.values():
            pool.probes = []
            pool.starts(pool.remembered() or self._long_since())
            pool.reconciles()
            self._look_for_ever(pool)
            for upstream in pool.policy.upstreams:
                for probe in pool.policy.upstreams[upstream].probes:
                    self._first(Probe(pool, upstream, probe))
            for dependency in pool.policy.dependencies:
                self._first(Probe(pool, dependency, ""))

    def _long_since(self) -> Memory | None:
        """Before the story the guard has run for weeks, unless it begins with a boot."""
        if self.boots:
            return None
        weeks = self.instant.boot_ms - WEEKS_MS
        return Memory(self.boot, self.instant, grace_from_ms=weeks)

    def _dies(self) -> None:
        self.alive = False
        self.life += 1

    # ------------------------------------------------------------ checks

    def _first(self, probe: Probe) -> None:
        probe.pool.probes.append(probe)
        probe.nominal = self.now + self.rng.uniform(0, 500)
        self._plan(probe, probe.nominal)

    def _plan(self, probe: Probe, at: float) -> None:
        probe.plan += 1
        plan, life = probe.plan, self.life

        def start() -> None:
            if probe.plan == plan and self.life == life and not probe.running:
                self._check(probe)

        self.later(round(at), start, guard=True)

    def _check(self, probe: Probe) -> None:
        began = probe.began = self.now
        probe.last, probe.running = probe.nominal, True
        seen = self.eyes.check(probe.pool.name, probe.name, probe.probe, began)
        doubt = self.world.doubt(began)

        def end() -> None:
            probe.running = False
            late = self.now > began + seen.took_ms + 200
            why = doubt or ("loop_late" if late else "")
            answer = replace(seen.answer, status=None) if not probe.probe else seen.answer
            if why:
                answer = replace(answer, status=None, failure=None, verdicts=(), inconclusive=why)
            if probe.probe:
                probe.pool.answer(probe.name, answer, probe.probe)
            else:
                probe.pool.dependency(probe.name, answer)
            self.plan_next(probe)
            self._watch_all()

        self.later(began + seen.took_ms, end, guard=True)

    def plan_next(self, probe: Probe) -> None:
        """As probes/schedule.py does: start to start, keeping the phase after a stall."""
        if probe.last is None or probe.running:
            return
        interval = probe.pace_ms()
        nominal = probe.last + interval
        while nominal < probe.began + interval / 2:
            nominal += interval
        at = nominal + self.rng.uniform(-JITTER, JITTER) * interval
        if at < self.now:
            nominal = at = self.now + 10.0
        probe.nominal = nominal
        self._plan(probe, at)

    def _watch_all(self) -> None:
        """What daemon/doubt.py does every tenth of a second: a failure that all pools share."""
        states = [pool.state for pool in self.pools.values()]
        if self.common_ms is not None:
            if turns.any_passes(states, self.common_ms):
                self.common_ms = None
                self._host("")
        elif not self.doubt and len(states) > 1 and (why := turns.common_failure(states)):
            self.common_ms = self.instant.boot_ms
            self._host(why)

    def _host(self, reason: str) -> None:
        self.doubt = reason
        for pool in self.pools.values():
            pool.doubt(reason)

    def _thawer(self, length: int) -> Callable[[], None]:
        def thaw() -> None:
            if self.alive and length > LATE_MS:
                self._host(f"stopped or asleep for {length} ms")
                self.later(self.now + LATE_MS + 100, lambda: self._host(""), guard=True)

        return thaw

    # ------------------------------------------------------------ link and nginx

    def _look_for_ever(self, pool: StoryPool) -> None:
        life = self.life

        def look() -> None:
            if self.life == life:
                pool.look()
                self.later(self.now + self.look_ms, look, guard=True)

        look()

    def _nginx_starts(self) -> None:
        for pool in self.pools.values():
            pool.nginx_starts()

    def hand_on(self, new: turns.Turns) -> None:
        """Whose turn it is on nginx."""
        before, self.turns = self.turns.holder, new
        holder = new.holder
        if holder is not None and holder != before:
            self.later(self.now, self.pools[holder].turn, guard=True)

    # ------------------------------------------------------------ people and fate

    def _orderer(self, somebody: Person, number: int) -> Callable[[], None]:
        def order() -> None:
            if not self.alive:
                self.run_.replies[number] = Outcome(3, "no_daemon", "no daemon is reachable")
                return
            order_id = f"o{number}-{self.count}"
            self.asked[order_id] = number
            pool = self.pools[somebody.pool]
            somebody.gives(pool, order_id)
            pool.look()

        return order

    def _happener(self, what: str) -> Callable[[], None]:
        def happen() -> None:
            if ": one check " in what or " checks " in what:
                return  # the world knows
            words = what.split()
            if what.startswith("the daemon is restarted"):
                self._away(1_000)
            elif what.startswith("the daemon is killed and is back after "):
                self._away(duration(words[-1]))
            elif what.startswith("the host reboots and is back after "):
                self._reboots(duration(words[-1]))
            elif what.startswith("the wall clock jumps by "):
                self.wall_shift += duration(words[-1])
            elif "now runs" in what:
                for pool, name, _ in self.world.subjects(what.split(" now runs ")[0]):
                    self.eyes.releases[(pool, name)] = words[-1]
            else:
                for pool in self.pools.values():
                    pool.happens(what)

        return happen

    def _away(self, ms: int) -> None:
        self._dies()
        self.later(self.now + ms, self._daemon_starts)

    def _reboots(self, ms: int) -> None:
        self._dies()

        def back() -> None:
            self.reboot(20_000)
            self._nginx_starts()
            self._daemon_starts()

        self.later(self.now + ms, back)

    def _snapper(self, pool: str, at: int) -> Callable[[], None]:
        def snap() -> None:
            state = replace(self.pools[pool].state, at=self.instant)
            snapshot = Snapshot(state, findings(state))
            self.run_.snapshots[(pool, at)] = snapshot

        return snap
