"""When probes start, told by a clock that the test moves."""

import asyncio
import random
import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from healthguard.probes.schedule import BACKLOG_PER_TICK, FEW, GRID_MS, TOGETHER, Schedule


class Timer:
    def __init__(self, due: float, call: Callable[..., None], args: tuple[Any, ...]) -> None:
        self.due, self.call, self.args, self.cancelled = due, call, args, False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Just enough of an event loop: time goes on only from timer to timer, or by a stall."""

    def __init__(self) -> None:
        self.ms = 1_000_003.7
        self.timers: list[Timer] = []
        self.wakeups = 0
        self.troubles: list[dict[str, Any]] = []

    def now(self) -> float:
        return self.ms

    def call_later(self, delay: float, call: Callable[..., None], *args: Any) -> Timer:
        self.timers.append(Timer(self.ms + max(0.0, delay) * 1000, call, args))
        return self.timers[-1]

    def call_soon(self, call: Callable[..., None], *args: Any) -> Timer:
        return self.call_later(0, call, *args)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.troubles.append(context)

    def run(self, ms: float) -> None:
        end = self.ms + ms
        while True:
            self.timers = [each for each in self.timers if not each.cancelled]
            due = [each for each in self.timers if each.due <= end]
            if not due:
                break
            timer = min(due, key=lambda each: each.due)
            self.timers.remove(timer)
            self.ms = max(self.ms, timer.due)
            self.wakeups += 1
            timer.call(*timer.args)
        self.ms = max(self.ms, end)

    def stall(self, ms: float) -> None:
        """The process stands still: time goes on, timers do not."""
        self.ms += ms


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.late: list[float] = []
        self.schedule = Schedule(
            self.clock,  # type: ignore[arg-type]
            self.clock.now,
            rng=random.Random(1),
            lateness=self.late.append,
        )
        self.starts: dict[Any, list[float]] = {}
        self.running: set[Any] = set()
        self.interval: dict[Any, int] = {}
        self.takes: dict[Any, float] = {}

    def add(self, key: Any, interval: int, takes: float = 1, jitter: float = 0.0) -> None:
        self.starts[key], self.interval[key], self.takes[key] = [], interval, takes

        def finish() -> None:
            self.running.discard(key)
            self.schedule.finished(key)

        def start() -> None:
            assert key not in self.running, "overlap"
            self.running.add(key)
            self.starts[key].append(self.clock.ms)
            self.clock.call_later(self.takes[key] / 1000, finish)

        self.schedule.add(key, start, lambda: self.interval[key], jitter)

    def gaps(self, key: Any) -> list[float]:
        starts = self.starts[key]
        return [later - earlier for earlier, later in pairwise(starts)]


@pytest.fixture
def world() -> World:
    return World()


def test_few_start_at_once(world: World) -> None:
    for key in range(FEW):
        world.add(key, 2000)
    world.clock.run(GRID_MS + 1)
    assert all(len(starts) == 1 for starts in world.starts.values())


def test_many_are_spread_over_their_interval_the_same_each_time(world: World) -> None:
    other = World()
    for key in range(1000):
        world.add(("pool", key), 1000)
        other.add(("pool", key), 1000)
    for each in (world, other):
        each.clock.run(1000 + GRID_MS + 1)
    firsts = [starts[0] for starts in world.starts.values()]
    assert firsts == [starts[0] for starts in other.starts.values()]
    per_tick = [firsts.count(first) for first in set(firsts)]
    assert max(per_tick) < 40
    assert len(per_tick) > 90
    assert world.clock.wakeups < 102 + 1020 + 5  # a hundred ticks, and our own ends of probes


def test_starts_lie_on_the_grid(world: World) -> None:
    world.add("a", 333, jitter=0.05)
    world.clock.run(10_000)
    assert {round(start % GRID_MS, 6) % GRID_MS for start in world.starts["a"]} == {0.0}


def test_no_drift_over_hours(world: World) -> None:
    world.add("a", 2000, jitter=0.05)
    world.clock.run(4 * 3600_000)
    starts = world.starts["a"]
    first = starts[0]
    assert len(starts) == pytest.approx(7200, abs=1)
    assert all(
        abs(start - first - index * 2000) <= 100 + 2 * GRID_MS for index, start in enumerate(starts)
    )


def test_jitter_is_uniform_in_both_directions(world: World) -> None:
    world.add("a", 2000, jitter=0.05)
    world.clock.run(4000_000)
    offsets = [start - world.starts["a"][0] - i * 2000 for i, start in enumerate(world.starts["a"])]
    assert min(offsets[1:]) < -80
    assert max(offsets) > 80
    assert abs(statistics.mean(offsets)) < 15


def test_few_share_their_starts_within_the_jitter_of_each(world: World) -> None:
    for key in range(2 * TOGETHER):
        world.add(key, 2000, jitter=0.05)
    world.clock.run(400_000)
    starts = [round(at, 3) for each in world.starts.values() for at in each[1:]]
    shared = [starts.count(at) for at in set(starts)]
    assert statistics.mode(shared) == TOGETHER  # now and then a lot falls on another's tick
    assert shared.count(TOGETHER) > 0.8 * len(shared)
    for each in world.starts.values():
        offsets = [start - each[0] - number * 2000 for number, start in enumerate(each)]
        assert max(offsets) > 80
        assert min(offsets) < -80
        assert max(map(abs, offsets)) <= 100 + 2 * GRID_MS


def test_many_do_not_wait_for_each_other(world: World) -> None:
    for key in range(FEW + 1):
        world.add(key, 2000, jitter=0.05)
    world.clock.run(10_000)
    seconds = [round(each[1], 3) for each in world.starts.values()]
    assert len(set(seconds)) > FEW / 2


def test_a_hang_is_probed_back_to_back(world: World) -> None:
    world.add("a", 500, takes=2000)
    world.clock.run(20_000)
    assert all(2000 <= gap <= 2000 + GRID_MS for gap in world.gaps("a")), world.gaps("a")
    assert len(world.starts["a"]) >= 9


def test_a_hang_that_ends_falls_back_into_the_interval(world: World) -> None:
    world.add("a", 500, takes=2000)
    world.clock.run(4100)
    world.takes["a"] = 5
    world.clock.run(6000)
    assert all(gap >= 250 for gap in world.gaps("a"))
    assert world.gaps("a")[-5:] == [500.0] * 5


def test_a_shorter_interval_counts_from_the_last_start(world: World) -> None:
    world.add("a", 2000)
    world.clock.run(100)
    world.interval["a"] = 500
    world.schedule.poke("a")
    world.clock.run(3000)
    assert world.gaps("a")[:3] == [500.0] * 3
    world.clock.run(200)
    world.interval["a"] = 100  # already over
    world.schedule.poke("a")
    world.clock.run(GRID_MS)
    assert world.clock.ms - world.starts["a"][-1] <= GRID_MS


def test_the_end_of_a_probe_looks_at_the_interval_by_itself(world: World) -> None:
    world.add("a", 2000, takes=30)
    world.clock.run(20)
    world.interval["a"] = 500
    world.clock.run(1600)
    assert world.gaps("a")[:3] == [500.0] * 3
    world.takes["a"] = 600  # hangs beyond its interval, and is then asked more rarely
    world.clock.run(400)
    world.interval["a"] = 5000
    world.clock.run(10_000)
    assert world.gaps("a")[-1] == 5000.0


@pytest.mark.parametrize("stall", [400, 2345, 10_000, 3600_000])
def test_a_stall_makes_neither_a_burst_nor_a_new_phase(world: World, stall: float) -> None:
    for key in range(1000):
        world.add(key, 1000)
    world.clock.run(5000)
    phase = {key: starts[-1] % 1000 for key, starts in world.starts.items()}
    before = {key: len(starts) for key, starts in world.starts.items()}
    world.clock.stall(stall)
    resumed = world.clock.ms
    world.clock.run(3000)
    again = [start for starts in world.starts.values() for start in starts if start >= resumed]
    assert max(again.count(start) for start in set(again)) <= BACKLOG_PER_TICK + 40
    for key, starts in world.starts.items():
        assert len(starts) - before[key] <= 4
        assert min(world.gaps(key)) >= 500 - 2 * GRID_MS
        assert starts[-1] % 1000 == pytest.approx(phase[key], abs=GRID_MS)
    assert max(world.late) >= stall - 1000


def test_lateness_is_told_for_each_start(world: World) -> None:
    world.add("a", 100)
    world.clock.run(1000)
    assert len(world.late) == len(world.starts["a"])
    assert max(map(abs, world.late)) < 0.01
    world.clock.stall(60)
    world.clock.run(100)
    assert max(world.late) > 30


def test_removed_probes_stop_and_others_go_on(world: World) -> None:
    world.add("a", 100)
    world.add("b", 100)
    world.clock.run(500)
    world.schedule.remove("a")
    world.schedule.remove("a")
    count = len(world.starts["a"])
    world.clock.run(500)
    world.schedule.finished("a")
    world.schedule.poke("a")
    world.clock.run(500)
    assert len(world.starts["a"]) == count
    assert len(world.starts["b"]) >= 14
    world.schedule.close()
    world.clock.run(1000)
    assert len(world.starts["b"]) <= 16
    assert all(each.cancelled for each in world.clock.timers)


def test_a_start_that_raises_hurts_only_itself(world: World) -> None:
    def broken() -> None:
        raise ValueError("broken")

    world.schedule.add("broken", broken, lambda: 100, 0)
    world.add("b", 100)
    world.clock.run(1000)
    assert len(world.starts["b"]) == 10
    assert len(world.clock.troubles) == 10
    assert "broken" in world.clock.troubles[0]["message"]


def test_one_wakeup_for_many(world: World) -> None:
    for key in range(20):
        world.add(key, 1000, takes=1e9)
    world.clock.run(100)
    assert world.clock.wakeups == 2  # the plan, and one tick for all


async def test_on_a_real_loop() -> None:
    loop = asyncio.get_running_loop()
    seen = asyncio.Event()
    starts: list[float] = []

    def start() -> None:
        starts.append(loop.time())
        schedule.finished("a")  # also from inside start()
        if len(starts) == 5:
            seen.set()

    schedule = Schedule(loop, lambda: loop.time() * 1000, rng=random.Random(1))
    schedule.add("a", start, lambda: 20)
    await seen.wait()
    schedule.close()
