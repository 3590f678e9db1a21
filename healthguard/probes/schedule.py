"""When each probe starts: jittered timers, from start to start.

Starts are aligned to a grid of 10 ms, so that many probes share one wake-up of the process:
with 1,000 probes a second the wake-ups, not the language, cost the most.

The rules:
- A probe never overlaps itself. One that takes longer than its interval is started again as soon
  as it has finished (the next tick).
- Few probes share their starts, as far as the jitter of each allows: a process that is woken from
  rest for one probe does a second one for a third of the price.
- No drift: a probe keeps its phase (last planned start plus interval). Jitter is laid on top and
  not summed up.
- No burst: starts missed in a stall collapse into one, never sooner than half an interval after
  the last; late starts are taken up a few per tick.
- The first starts of many probes are spread by a hash of their keys; few start at once.
"""

import asyncio
import heapq
import random
import zlib
from collections.abc import Callable, Hashable

GRID_MS = 10
FEW = 50  # up to so many probes start at once
TOGETHER = 4  # up to so many of few share a start, within the jitter of each
# A start later than this is part of a backlog, and of that only so many begin per tick.
BACKLOG_MS = 20
BACKLOG_PER_TICK = 25

_EARLY_MS = 1.0  # a loop's clock counts whole milliseconds: so much too soon is on time


class _Entry:
    __slots__ = ("interval_ms", "jitter", "key", "nominal", "phase", "planned_ms", "running",
                 "start", "started", "tick")  # fmt: skip

    def __init__(
        self,
        key: Hashable,
        start: Callable[[], None],
        interval_ms: Callable[[], int],
        jitter: float,
    ) -> None:
        self.key = key
        self.start = start
        self.interval_ms = interval_ms
        self.jitter = jitter
        self.nominal = 0.0  # of the next start, without jitter
        self.phase = 0.0  # nominal time of the last start
        self.started: float | None = None  # when it was really started
        self.planned_ms = 0  # the interval that the plan was made with
        self.tick = -1  # planned start in grid units; -1: none
        self.running = False


class Schedule:
    """One per daemon; use it in the loop's thread only.

    ``now_ms``: a clock in milliseconds that never goes back. ``lateness`` gets, for each start,
    by how many milliseconds it came after its place on the grid.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        now_ms: Callable[[], float],
        *,
        rng: random.Random,
        lateness: Callable[[float], None] | None = None,
    ) -> None:
        self._loop = loop
        self._now_ms = now_ms
        self._rng = rng
        self._lateness = lateness
        self._entries: dict[Hashable, _Entry] = {}
        self._fresh: list[_Entry] = []  # added, not yet planned
        self._buckets: dict[int, list[_Entry]] = {}  # tick -> who may be due then
        self._ticks: list[int] = []  # heap of the keys of _buckets
        self._timer: asyncio.Handle | None = None
        self._timer_tick = -1
        self._planning: asyncio.Handle | None = None

    # ------------------------------------------------------------ for the runner

    def add(
        self,
        key: Hashable,
        start: Callable[[], None],
        interval_ms: Callable[[], int],
        jitter: float = 0.05,
    ) -> None:
        """Call ``start`` again and again; each start must be answered by ``finished(key)``.

        ``interval_ms`` is asked at every start and end. ``jitter``: share of the interval, both
        ways. All that is added before the loop runs on is planned together. A known key is
        replaced.
        """
        self.remove(key)
        entry = _Entry(key, start, interval_ms, jitter)
        self._entries[key] = entry
        self._fresh.append(entry)
        if self._planning is None:
            self._planning = self._loop.call_soon(self._plan_fresh)

    def finished(self, key: Hashable) -> None:
        """The probe has ended. Looks at its interval again; unknown keys are ignored."""
        entry = self._entries.get(key)
        if entry is None or not entry.running:
            return
        entry.running = False
        if entry.interval_ms() != entry.planned_ms:
            self._replan(entry)
        elif entry.tick < 0:  # its turn came while it ran
            self._place(entry, self._now_ms())

    def poke(self, key: Hashable) -> None:
        """The interval has changed: plan again, from the last start. Unknown keys are ignored."""
        entry = self._entries.get(key)
        if entry is not None and entry.started is not None:
            self._replan(entry)

    def remove(self, key: Hashable) -> None:
        """Stop starting it. A running one is not stopped; unknown keys are ignored."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.tick = -1

    def close(self) -> None:
        """Forget everything."""
        for handle in (self._timer, self._planning):
            if handle is not None:
                handle.cancel()
        self._timer = self._planning = None
        self._entries.clear()
        self._fresh.clear()
        self._buckets.clear()
        self._ticks.clear()

    # ------------------------------------------------------------ plans

    def _plan_fresh(self) -> None:
        self._planning = None
        fresh, self._fresh = self._fresh, []
        now = self._now_ms()
        few = len(self._entries) <= FEW
        for entry in fresh:
            if self._entries.get(entry.key) is not entry:
                continue
            share = 0.0 if few else zlib.crc32(repr(entry.key).encode()) / 2**32
            entry.planned_ms = entry.interval_ms()
            entry.nominal = now + share * entry.planned_ms
            self._place(entry, entry.nominal)

    def _replan(self, entry: _Entry) -> None:
        """The next start, from the last one and the interval as it is now."""
        started = entry.started
        if started is None:
            return
        entry.planned_ms = interval = max(GRID_MS, entry.interval_ms())
        nominal = entry.phase + interval
        soonest = started + interval / 2
        if nominal < soonest:  # after a stall: skip what was missed, keep the phase
            nominal += -(-(soonest - nominal) // interval) * interval
        entry.nominal = nominal
        self._place(entry, self._jittered(nominal, entry.jitter * interval))

    def _jittered(self, nominal: float, wobble: float) -> float:
        """Somewhere within ``wobble``; few probes join others that are planned there already."""
        if len(self._entries) <= FEW:
            for tick, others in self._buckets.items():
                if abs(tick * GRID_MS - nominal) <= wobble and len(others) < TOGETHER:
                    return tick * GRID_MS
        return nominal + self._rng.uniform(-wobble, wobble) if wobble else nominal

    def _place(self, entry: _Entry, due: float) -> None:
        tick = max(self._next_tick(), -int(-due // GRID_MS))
        if tick == entry.tick:
            return
        entry.tick = tick
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = [entry]
            heapq.heappush(self._ticks, tick)
        else:
            bucket.append(entry)
        self._arm()

    def _next_tick(self) -> int:
        return int(self._now_ms() // GRID_MS) + 1

    def _arm(self) -> None:
        """One timer, for the earliest tick."""
        if not self._ticks or (self._timer is not None and self._timer_tick <= self._ticks[0]):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_tick = self._ticks[0]
        delay_ms = max(0.0, self._timer_tick * GRID_MS - self._now_ms())
        self._timer = self._loop.call_later(delay_ms / 1000, self._on_tick)

    # ------------------------------------------------------------ starts

    def _on_tick(self) -> None:
        self._timer = None
        now = self._now_ms()
        backlog = 0
        while self._ticks and self._ticks[0] * GRID_MS <= now + _EARLY_MS:
            tick = heapq.heappop(self._ticks)
            late = now - tick * GRID_MS
            for entry in self._buckets.pop(tick):
                if entry.tick != tick:
                    continue  # removed, or moved meanwhile
                if entry.running:
                    entry.tick = -1  # again as soon as it has finished
                    continue
                if late > BACKLOG_MS:
                    backlog += 1
                    if backlog > BACKLOG_PER_TICK:
                        self._place(entry, now + GRID_MS * (backlog // BACKLOG_PER_TICK))
                        continue
                self._begin(entry, now, late)
        self._arm()

    def _begin(self, entry: _Entry, now: float, late: float) -> None:
        entry.tick = -1
        entry.phase = entry.nominal
        entry.started = now
        entry.running = True
        self._replan(entry)
        if self._lateness is not None:
            self._lateness(max(0.0, late))
        try:
            entry.start()
        except Exception as error:  # one bad probe must not take its neighbours' starts
            entry.running = False
            self._loop.call_exception_handler(
                {"message": f"probe {entry.key!r} did not start", "exception": error}
            )
