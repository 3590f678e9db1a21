"""Runs a story through the real core: timers, nginx, people and the guard's own life, simulated.

Virtual time, one heap of things to come. Nothing here decides: every decision is ``step``'s, the
doubt that all pools share is ``common_failure``'s, whose turn it is is ``core.host``'s. A ``seed``
gives the phases and the jitter of the timers; a right answer holds for all of them.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from healthguard.core import events as ev
from healthguard.core import host as turns
from healthguard.core.gates import evaluate
from healthguard.core.health import interval_ms
from healthguard.core.memory import Memory
from healthguard.core.model import Instant, Outcome
from healthguard.core.now import Finding, in_use, now_of, pace_ms
from healthguard.core.pool import begin, step
from healthguard.core.state import State
from healthguard.machine.memory import load_memory, save_memory
from tests.stories.nginx import Commit, Nginx
from tests.stories.people import Person, person
from tests.stories.transcript import Story, StoryError, duration
from tests.stories.world import Eyes, World, policy_of

BOOT_MS = 100_000_000
WALL_MS = 1_700_000_000_000
WARM_UP_MS = 60_000
WEEKS_MS = 50_000_000
BOOTS = "the host boots at "
PREPARE_MS = 15
JITTER = 0.05
LATE_MS = 1_000  # service/doubt.py: so late, and the guard doubts itself; and so long afterwards


@dataclass(frozen=True)
class Said:
    """One event of the event log. ``at``: milliseconds since the story began."""

    at: int
    pool: str
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """One pool at one moment."""

    state: State
    gates: tuple[Finding, ...]


@dataclass
class Run:
    """What came of it."""

    story: Story
    seed: int
    said: list[Said] = field(default_factory=list)
    replies: dict[int, Outcome] = field(default_factory=dict)
    snapshots: dict[tuple[str, int], Snapshot] = field(default_factory=dict)


@dataclass
class Probe:
    """A timer of one check. ``name`` of an upstream or a dependency."""

    pool: str
    name: str
    probe: str
    nominal: float = 0.0  # of the next start, without jitter
    last: float | None = None  # nominal time of the last start
    began: int = 0  # when it really was
    running: bool = False
    plan: int = 0  # number of the plan that counts


class Pool:
    """What the guard knows of one pool while it runs."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.wake = 0
        self.commits: list[Commit] = []
        self.probes: list[Probe] = []


class Simulation:
    """One run of one story."""

    def __init__(self, story: Story, seed: int, looks: tuple[tuple[str, int], ...] = ()) -> None:
        self.story, self.world = story, World(story)
        self.run_ = Run(story, seed)
        self.rng = random.Random(f"{story.name}-{seed}")
        self.eyes = Eyes(self.world)
        self.heap: list[tuple[int, int, bool, int, Callable[[], None]]] = []
        self.count = 0
        self.life = 0  # of the daemon: what an earlier life planned is void
        self.alive = False
        self.now = self._start = self._first_moment()
        self.boot, self.boot_base, self.wall_shift = "boot-1", BOOT_MS, 0
        self.disk: dict[str, Any] = {}
        self.durable = True
        self.doubt = ""
        self.common_ms: int | None = None
        self.turns = turns.Turns()
        self.nginx = {
            pool: Nginx(self.world, self.wall(self._start) - 1_000_000) for pool in story.pools
        }
        self.pools: dict[str, Pool] = {}
        self.policies = {pool: policy_of(story, pool) for pool in story.pools}
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

    def wall(self, at: int) -> int:
        return WALL_MS + self.wall_shift + at

    @property
    def instant(self) -> Instant:
        return Instant(self.boot_base + self.now, self.wall(self.now))

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
        old, self.pools = self.pools, {}
        for name, policy in self.policies.items():
            self.pools[name] = pool = Pool(begin(self.instant, policy))
            pool.commits = old[name].commits if name in old else []
            document = self.disk.get(name)
            memory = load_memory(document) if document is not None else self._long_since()
            self.post(name, ev.Restored(self.instant, memory, self.boot))
            self._reconcile(name)
            self._look_for_ever(name)
            for upstream in policy.upstreams:
                for probe in policy.upstreams[upstream].probes:
                    self._first(Probe(name, upstream, probe))
            for dependency in policy.dependencies:
                self._first(Probe(name, dependency, ""))

    def _long_since(self) -> Memory | None:
        """Before the story the guard has run for weeks, unless it begins with a boot."""
        if self.boots:
            return None
        weeks = self.instant.boot_ms - WEEKS_MS
        return Memory(self.boot, self.instant, grace_from_ms=weeks)

    def _dies(self) -> None:
        self.alive = False
        self.life += 1

    def _reconcile(self, name: str) -> None:
        attempt = self.pools[name].state.memory.attempt
        if attempt is None:
            return
        for commit in self.pools[name].commits:
            if commit.switch_id == attempt.begun.switch_id:
                self.later(commit.ends_at, self._recoverer(name, commit), guard=True)
                return
        done = ev.SwitchFinished(self.instant, attempt.begun.switch_id, Commit.unknown)
        self.post(name, done)

    def _recoverer(self, name: str, commit: Commit) -> Callable[[], None]:
        def recover() -> None:
            done = replace(commit.done, recovered=True)
            self.post(name, ev.SwitchFinished(self.instant, commit.switch_id, done))

        return recover

    # ------------------------------------------------------------ checks

    def _pace(self, probe: Probe) -> int:
        state = self.pools[probe.pool].state
        if not probe.probe:
            return interval_ms(state.dependencies[probe.name], state.policy.health, False)
        return pace_ms(state, probe.name, probe.probe)

    def _first(self, probe: Probe) -> None:
        self.pools[probe.pool].probes.append(probe)
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
        seen = self.eyes.check(probe.pool, probe.name, probe.probe, began)
        doubt = self.world.doubt(began)

        def end() -> None:
            probe.running = False
            late = self.now > began + seen.took_ms + 200
            why = doubt or ("loop_late" if late else "")
            answer = replace(seen.answer, status=None) if not probe.probe else seen.answer
            if why:
                answer = replace(answer, status=None, failure=None, verdicts=(), inconclusive=why)
            if probe.probe:
                event: ev.Event = ev.Checked(self.instant, probe.name, probe.probe, answer)
            else:
                event = ev.DependencyChecked(self.instant, probe.name, answer)
            self.post(probe.pool, event)
            self._next(probe)
            self._watch_all()

        self.later(began + seen.took_ms, end, guard=True)

    def _next(self, probe: Probe) -> None:
        """As service/schedule.py does: start to start, keeping the phase after a stall."""
        if probe.last is None or probe.running:
            return
        interval = self._pace(probe)
        nominal = probe.last + interval
        while nominal < probe.began + interval / 2:
            nominal += interval
        at = nominal + self.rng.uniform(-JITTER, JITTER) * interval
        if at < self.now:
            nominal = at = self.now + 10.0
        probe.nominal = nominal
        self._plan(probe, at)

    def _watch_all(self) -> None:
        """What service/doubt.py does every tenth of a second: a failure that all pools share."""
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
        for name in self.pools:
            self.post(name, ev.HostDoubt(self.instant, reason))

    def _thawer(self, length: int) -> Callable[[], None]:
        def thaw() -> None:
            if self.alive and length > LATE_MS:
                self._host(f"stopped or asleep for {length} ms")
                self.later(self.now + LATE_MS + 100, lambda: self._host(""), guard=True)

        return thaw

    # ------------------------------------------------------------ link and nginx

    def _look_for_ever(self, name: str) -> None:
        life = self.life

        def look() -> None:
            if self.life == life:
                self._look(name)
                self.later(self.now + self.look_ms, look, guard=True)

        look()

    def _look(self, name: str) -> None:
        nginx, now = self.nginx[name], self.instant
        self.post(
            name,
            ev.Observed(
                now,
                nginx.link,
                nginx.fact(self.now),
                now.boot_ms,
                disabled=nginx.disabled,
                stamp=nginx.stamp(self.now),
            ),
        )

    def _nginx_starts(self) -> None:
        for nginx in self.nginx.values():
            nginx.start(self.wall(self.now))

    # ------------------------------------------------------------ the core, and what it wants

    def post(self, name: str, event: ev.Event) -> None:
        """One event into ``step``, and its commands carried out, in order."""
        pool = self.pools[name]
        bake = pool.state.memory.bake is None
        pool.state, commands = step(pool.state, event)
        for command in commands:
            self._do(name, pool, command)
        if (pool.state.memory.bake is None) != bake:
            for probe in pool.probes:
                self._next(probe)

    def _do(self, name: str, pool: Pool, command: ev.Command) -> None:
        match command:
            case ev.Save(memory):
                self.durable = not self.world.is_so("the disk is full", self.now)
                self.disk[name] = save_memory(memory)  # on a full disk in /run
            case ev.Wake(at):
                pool.wake = at
                self.later(at - self.boot_base, self._waker(name, at), guard=True)
            case ev.Prepare(upstream, _):
                self.later(self.now + PREPARE_MS, self._tester(name, upstream), guard=True)
            case ev.AskTurn():
                self._turns(turns.ask(self.turns, name))
            case ev.GiveBackTurn():
                self._turns(turns.give_back(self.turns, name))
            case ev.Commit():
                self._commit(name, pool, command)
            case ev.Reply(order, outcome):
                if self.asked.get(order):
                    self.run_.replies[self.asked[order]] = outcome
            case ev.Say():
                self._record(command)

    def _record(self, record: ev.Say) -> None:
        fields = dict(record.fields)
        if "durable" in fields or record.event.startswith("switch_"):
            fields["durable"] = bool(fields.get("durable", True)) and self.durable
        fields["id"] = record.event_id
        self.run_.said.append(Said(self.now, record.pool, record.event, fields))

    def _waker(self, name: str, at: int) -> Callable[[], None]:
        def wake() -> None:
            if self.pools[name].wake == at:
                self.post(name, ev.Woke(self.instant))

        return wake

    def _tester(self, name: str, upstream: str) -> Callable[[], None]:
        def test() -> None:
            fact = self.nginx[name].prepare(upstream, self.now, self.instant, PREPARE_MS)
            self.post(name, ev.Prepared(self.instant, upstream, fact))

        return test

    def _turns(self, new: turns.Turns) -> None:
        before, self.turns = self.turns.holder, new
        holder = new.holder
        if holder is not None and holder != before:
            self.later(self.now, lambda: self.post(holder, ev.Turn(self.instant)), guard=True)

    def _commit(self, name: str, pool: Pool, command: ev.Commit) -> None:
        commit = Commit(self.nginx[name], command, self.now, self.commit_ms)
        pool.commits.append(commit)
        life = self.life

        def end() -> None:  # the switcher's work: it ends even if the daemon has died
            commit.end(self.now, self.wall(self.now))
            if self.alive and self.life == life:
                finished = ev.SwitchFinished
                self.later(
                    self.now,
                    lambda: self.post(name, finished(self.instant, command.switch_id, commit.done)),
                    guard=True,
                )

        self.later(commit.ends_at, end)

    # ------------------------------------------------------------ people and fate

    def _orderer(self, somebody: Person, number: int) -> Callable[[], None]:
        def order() -> None:
            if not self.alive:
                self.run_.replies[number] = Outcome(3, "no_daemon", "no daemon is reachable")
                return
            order_id = f"o{number}-{self.count}"
            self.asked[order_id] = number
            event = somebody.order(self.instant, order_id)
            self.post(somebody.pool, event)
            self._look(somebody.pool)

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
                for nginx in self.nginx.values():
                    nginx.happens(what, self.wall(self.now), self.now)

        return happen

    def _away(self, ms: int) -> None:
        self._dies()
        self.later(self.now + ms, self._daemon_starts)

    def _reboots(self, ms: int) -> None:
        self._dies()

        def back() -> None:
            self.boot += "'"
            self.boot_base = 20_000 - self.now
            self._nginx_starts()
            self._daemon_starts()

        self.later(self.now + ms, back)

    def _snapper(self, pool: str, at: int) -> Callable[[], None]:
        def snap() -> None:
            state = replace(self.pools[pool].state, at=self.instant)
            now = now_of(state)
            snapshot = Snapshot(state, evaluate(now, now.target))
            self.run_.snapshots[(pool, at)] = snapshot

        return snap


def active_of(snapshot: Snapshot) -> str | None:
    """What the guard takes to be active."""
    return in_use(snapshot.state)[0]
