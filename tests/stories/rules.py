"""The common simple rules, run on the world of a story, for comparison.

Each looks at the active upstream every two seconds (the timeout is the story's own), knows the
link, and moves it to the next upstream. None asks whose fault a failed check is, because that is
what makes them simple; what a story calls this host's own fault is a failed check for them. None
knows releases, dependencies, probation, cooldown or budget. People, scripts and other hands
move the link for them as they do for the guard. A restart of the program forgets its counts.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.stories.people import Person, person
from tests.stories.transcript import Story, duration
from tests.stories.verdict import Actual
from tests.stories.world import Eyes, World

INTERVAL_MS = 2_000
SWITCH_MS = 150
WARM_UP_MS = 10_000


@dataclass
class Counts:
    """What a rule remembers of one pool."""

    fails: int = 0  # in a row
    total: int = 0  # since the program was started or last switched
    home_passes: int = 0  # of the first choice, in a row
    other_up: bool = True  # the standby's last check


Rule = Callable[[Counts, bool], bool]  # (counts, at home) -> switch now


def three_in_a_row(counts: Counts, _home: bool) -> bool:
    return counts.fails >= 3


def one_failure(counts: Counts, _home: bool) -> bool:
    return counts.fails >= 1


def three_in_total(counts: Counts, _home: bool) -> bool:
    return counts.total >= 3


def backup_and_back(counts: Counts, home: bool) -> bool:
    """What a load balancer does with a backup: there if it is up, back when the first one is."""
    if home:
        return counts.fails >= 3 and counts.other_up
    return counts.home_passes >= 2


RULES: dict[str, Rule] = {
    "three in a row": three_in_a_row,
    "one failure": one_failure,
    "three in total": three_in_total,
    "backup, and back": backup_and_back,
}


class _Pool:
    def __init__(self, world: World, pool: str, rule: Rule) -> None:
        self.world, self.pool, self.rule = world, pool, rule
        self.home = self.active = self.link = world.upstreams[0]
        self.counts = Counts()
        self.eyes = Eyes(world)
        self.switches: list[Actual] = []

    def other(self) -> str:
        names = self.world.upstreams
        return names[(names.index(self.active) + 1) % len(names)]

    def look(self, at: int) -> int:
        """One round of checks; when it is over (milliseconds since the story began)."""
        passed, took = self._check(self.active, at)
        if self.rule is backup_and_back:
            away = self.active != self.home
            other, _ = self._check(self.home if away else self.other(), at)
            self.counts.other_up = other
            self.counts.home_passes = self.counts.home_passes + 1 if other and away else 0
        self.counts.fails = 0 if passed else self.counts.fails + 1
        self.counts.total += not passed
        if self.rule(self.counts, self.active == self.home):
            back = self.rule is backup_and_back and self.active != self.home
            to = self.home if back else self.other()
            end = at + took
            self.switches.append(Actual(self.pool, end, self.active, to, "automatic", "completed"))
            self._move(to)
            return end + SWITCH_MS
        return at + took

    def _check(self, name: str, at: int) -> tuple[bool, int]:
        if self.world.doubt(at):
            return False, self.world.timeout_ms
        seen = [self.eyes.check(self.pool, name, probe, at) for probe in self.world.probes]
        limit = self.world.story.setup.get("max_latency")
        slow = _slower_than(limit)
        need = int(self.world.story.setup.get("require", "0")) or len(seen)
        good = sum(each.passed and not slow(each.took_ms) for each in seen)
        return good >= need, max(each.took_ms for each in seen)

    def _move(self, to: str) -> None:
        self.active = self.link = to
        self.counts = Counts()

    def order(self, order: Person) -> None:
        if order.verb == "switch" and order.upstream is not None:
            self._move(order.upstream)
        elif order.verb == "rollback":
            self._move(self.other())
        self.home = self.active  # where a person wants it

    def happens(self, what: str) -> None:
        if what.startswith("the daemon is ") or what.startswith("the host reboots"):
            self.counts = Counts()
        elif what.startswith("somebody moves the link to "):
            self.link = what.split()[5]
        if what.endswith("reloads nginx"):
            self._move(self.link)
            self.home = self.active


def _slower_than(limit: str | None) -> Callable[[int], bool]:
    most = duration(limit) if limit else None
    return lambda took: most is not None and took > most


def run(story: Story, rule: Rule) -> list[Actual]:
    """Every switch that ``rule`` makes in ``story``."""
    world = World(story)
    pools = {pool: _Pool(world, pool, rule) for pool in story.pools}
    heap: list[tuple[int, int, Callable[[], None]]] = []
    count = 0

    def later(at: int, do: Callable[[], None]) -> None:
        nonlocal count
        count += 1
        heapq.heappush(heap, (at, count, do))

    def looker(pool: _Pool, at: int) -> Callable[[], None]:
        def look() -> None:
            until = world.frozen_until(at)
            if until is not None:
                later(until, looker(pool, until))
                return
            end = pool.look(at)
            following = max(at + INTERVAL_MS, end)
            later(following, looker(pool, following))

        return look

    begin = 0 if any("the host boots" in each for each in story.sentences) else -WARM_UP_MS
    for happening in story.happenings:
        somebody = person(happening.what, story.pools)
        for pool in pools.values():
            if somebody is not None and somebody.pool == pool.pool:
                later(happening.at, _orderer(pool, somebody))
            elif somebody is None:
                later(happening.at, _happener(pool, happening.what))
    phase = random.Random(story.name).randrange(INTERVAL_MS)
    for pool in pools.values():
        later(begin + phase, looker(pool, begin + phase))
    while heap and heap[0][0] <= story.end:
        heapq.heappop(heap)[2]()
    return [switch for pool in pools.values() for switch in pool.switches]


def _orderer(pool: _Pool, order: Person) -> Callable[[], None]:
    return lambda: pool.order(order)


def _happener(pool: _Pool, what: str) -> Callable[[], None]:
    return lambda: pool.happens(what)
