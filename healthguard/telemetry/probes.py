"""What probes said: counted for the metrics, and told when it changes.

This is the hot path: it runs once for each probe of each upstream, 1,000 times a second on a
large host.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable

from healthguard.core.durations import shown
from healthguard.core.evidence import what_failed
from healthguard.core.model import FAIL, INCONCLUSIVE, PASS, Result

Key = tuple[str, str, str]  # pool, upstream, probe
Say = Callable[[str, str, dict[str, object]], None]  # level, message, fields

BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)  # seconds
_BOUNDS_US = tuple(int(bound * 1e6) for bound in BUCKETS)
_REASONS = 32  # different ones of one probe; more is a mistake somewhere
_QUIET_MS = 30_000  # between two lines of one probe
_LINES, _PER_MS = 20, 10_000  # of all probes together


class Series:
    """All that is counted about one probe."""

    __slots__ = ("counts", "durations", "run", "run_from_ms", "said_ms", "seconds", "unsaid")

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {(PASS, ""): 0}
        self.durations = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.run = PASS  # outcome of the present run of results
        self.run_from_ms = 0
        self.said_ms = -_QUIET_MS
        self.unsaid = 0


class ProbeResults:
    """Counts results and says when a probe begins to fail and when it recovers."""

    def __init__(self, say: Say):
        self.series: dict[Key, Series] = {}
        self._say = say
        self._window_ms = 0
        self._lines = 0
        self._unsaid = 0

    def configure(self, keys: Iterable[Key]) -> None:
        """The probes there are now; series of others are dropped, those that stay go on."""
        old = self.series
        self.series = {key: old.get(key) or Series() for key in keys}

    def add(self, pool: str, upstream: str, probe: str, result: Result) -> None:
        """Count one result."""
        series = self.series.get((pool, upstream, probe))
        if series is None:
            series = self.series.setdefault((pool, upstream, probe), Series())
        outcome = result.outcome
        kind = (outcome, result.reason)
        counts = series.counts
        if kind in counts:
            counts[kind] += 1
        else:
            kind = kind if len(counts) < _REASONS else (outcome, "other")
            counts[kind] = counts.get(kind, 0) + 1
        if outcome != INCONCLUSIVE:
            series.durations[bisect_left(_BOUNDS_US, result.latency_us)] += 1
            series.seconds += result.latency_us / 1e6
        if outcome != series.run:
            self._changed((pool, upstream, probe), series, result)

    def _changed(self, key: Key, series: Series, result: Result) -> None:
        now = result.at.boot_ms
        lasted = now - series.run_from_ms
        before, series.run, series.run_from_ms = series.run, result.outcome, now
        if now - series.said_ms < _QUIET_MS or not self._may_say(now):
            series.unsaid += 1
            return
        series.said_ms = now
        more, series.unsaid = series.unsaid, 0
        level, text = _sentence(before, lasted, result)
        if more:
            text += f" ({more} earlier change{'s' if more > 1 else ''} not logged)"
        fields = {"pool": key[0], "upstream": key[1], "probe": key[2]}
        self._say(
            level, f"{key[0]}/{key[1]} {key[2]}: {text}", {**fields, "result": result.outcome}
        )

    def _may_say(self, now: int) -> bool:
        if now - self._window_ms >= _PER_MS:
            self.summarise()
            self._window_ms, self._lines = now, 0
        self._lines += 1
        if self._lines > _LINES:
            self._unsaid += 1
        return self._lines <= _LINES

    def summarise(self) -> None:
        """Say how many changes were not logged one by one. Called every few seconds."""
        if self._unsaid:
            count, self._unsaid = self._unsaid, 0
            now = {FAIL: 0, INCONCLUSIVE: 0, PASS: 0}
            for series in self.series.values():
                now[series.run] += 1
            text = f"{count} more probes changed; now {now[FAIL]} fail, {now[PASS]} pass"
            self._say("warning", text + f", {now[INCONCLUSIVE]} are inconclusive", {})


def _sentence(before: str, lasted_ms: int, result: Result) -> tuple[str, str]:
    if result.outcome == FAIL:
        took = shown(result.latency_us // 1000)
        return "warning", f"check failed after {took}: {what_failed(result)}"
    if result.outcome == INCONCLUSIVE:
        return "warning", f"inconclusive (local problem): {what_failed(result)}"
    word = "failing" if before == FAIL else "inconclusive"
    return "info", f"passes again after {shown(lasted_ms)} {word}"
