"""Answers -> results -> health of a probe -> health of an upstream.

Rise and fall are an object of their own (``Tally``), apart from every kind of probe.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from healthguard.core.model import (
    DOWN,
    FAIL,
    INCONCLUSIVE,
    PASS,
    UNKNOWN,
    UP,
    Answer,
    Expect,
    HealthPolicy,
    Instant,
    Result,
)

BLIND = 2  # inconclusive results in a row: no accident any more, our own fault
RECENT = 10  # results kept per probe: evidence, and the strip on a status page


def judge(answer: Answer, expect: Expect, at: Instant) -> Result:
    """The result of ``answer``: pass, fail with one reason, or inconclusive.

    What the upstream did wrong on the wire comes first, then status, content, latency.
    """
    outcome, reason, detail = _verdict(answer, expect)
    return Result(outcome, reason, at, answer.latency_us, answer.status, detail, answer.excerpt)


def _verdict(answer: Answer, expect: Expect) -> tuple[str, str, str]:
    if answer.inconclusive is not None:
        return INCONCLUSIVE, answer.inconclusive, answer.detail
    if answer.failure is not None:
        return FAIL, answer.failure, answer.detail
    if answer.status is not None and not expect.status_expected(answer.status):
        return FAIL, "status", f"expected {_ranges(expect.status)}"
    for name, good in answer.verdicts:
        if not good:
            return FAIL, name, answer.detail
    limit = expect.max_latency_us
    if limit is not None and answer.latency_us > limit:
        return FAIL, "slow", f"{answer.latency_us // 1000} ms, at most {limit // 1000} ms allowed"
    return PASS, "", ""


def _ranges(status: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in status)


@dataclass(frozen=True, slots=True)
class Tally:
    """Health of one probe. Times are boot milliseconds; counts are consecutive.

    ``first_fail_ms``: when the present run of fails began (in a failure window: its oldest fail).
    ``first_fail``: the result that began it, kept as evidence however long the run is.
    ``window``: (time, failed) of the last conclusive results, kept only where one is configured.
    """

    health: str = UNKNOWN
    since_ms: int = 0
    passes: int = 0
    fails: int = 0
    first_fail_ms: int | None = None
    last_pass_ms: int | None = None
    last_ms: int | None = None
    window: tuple[tuple[int, bool], ...] = ()
    recent: tuple[Result, ...] = ()
    first_fail: Result | None = None

    def asked_ms(self) -> int | None:
        """When the last check began that had a pass or a fail; None if none is remembered."""
        for result in reversed(self.recent):
            if result.outcome != INCONCLUSIVE:
                return result.at.boot_ms - result.latency_us // 1000
        return None

    def forget(self, at_ms: int) -> "Tally":
        """Old verdicts thrown away; what was seen stays readable."""
        return Tally(since_ms=at_ms, recent=self.recent)


def blind(tally: Tally) -> Result | None:
    """The last result, if it and the one before say that we cannot judge; else None."""
    last = tally.recent[-BLIND:]
    if len(last) == BLIND and all(result.outcome == INCONCLUSIVE for result in last):
        return last[-1]
    return None


def count(tally: Tally, result: Result, policy: HealthPolicy, fall: int) -> Tally:
    """``tally`` after one more result. Inconclusive counts for nothing."""
    recent = (*tally.recent[1 - RECENT :], result)
    if result.outcome == INCONCLUSIVE:
        return replace(tally, recent=recent)
    now = result.at.boot_ms
    failed = result.outcome == FAIL
    window = tally.window
    if policy.window_of:
        window = (*window, (now, failed))[-policy.window_of :]
    if failed:
        return _failed(tally, result, window, recent, policy, fall)
    passes = tally.passes + 1
    if tally.health != UP and passes >= policy.rise:
        # The window stays: two passes do not make up for a colour that fails 3 of 10.
        return Tally(UP, now, passes, 0, None, now, now, window, recent)
    if tally.health != DOWN:  # the run of fails, if there was one, is over
        return Tally(tally.health, tally.since_ms, passes, 0, None, now, now, window, recent)
    first_ms, first = tally.first_fail_ms, tally.first_fail
    return Tally(DOWN, tally.since_ms, passes, 0, first_ms, now, now, window, recent, first)


def _failed(
    tally: Tally,
    result: Result,
    window: tuple[tuple[int, bool], ...],
    recent: tuple[Result, ...],
    policy: HealthPolicy,
    fall: int,
) -> Tally:
    fails, now = tally.fails + 1, result.at.boot_ms
    first_ms, first = tally.first_fail_ms, tally.first_fail
    if first_ms is None:
        first_ms, first = now, result
    health, since = tally.health, tally.since_ms
    in_window = [at for at, bad in window if bad]
    if health != DOWN and policy.window_of and len(in_window) >= policy.window_fails:
        health, since, first_ms = DOWN, now, min(in_window[0], first_ms)
    elif health != DOWN and fails >= fall:
        health, since = DOWN, now
    passed = tally.last_pass_ms
    return Tally(health, since, 0, fails, first_ms, passed, now, window, recent, first)


def failed_in(window: tuple[tuple[int, bool], ...]) -> int:
    """How many results in a failure window are fails."""
    return sum(bad for _, bad in window)


def interval_ms(tally: Tally, policy: HealthPolicy, baking: bool, in_use: bool = False) -> int:
    """Time from this start of the probe to the next one.

    Fast while a result is changing, in a bake, and while what is ``in_use`` is down: a switch is
    wanted then, and must never be decided by what was true some seconds ago. Slow for a standby
    that is down, else the plain interval.
    """
    if tally.health == DOWN:
        return policy.fast_interval_ms if tally.passes or in_use else policy.down_interval_ms
    if baking or tally.health == UNKNOWN or tally.fails:
        return policy.fast_interval_ms
    return policy.interval_ms


@dataclass(frozen=True, slots=True)
class Upstream:
    """Health of one upstream, made of its probes."""

    probes: Mapping[str, Tally]
    health: str = UNKNOWN
    since_ms: int = 0
    release: str | None = None  # as the last answer that named one says

    def first_fail_ms(self, require: int) -> int | None:
        """When the trouble began: the open run of fails from which on ``require`` is in danger.

        Of three probes with two required, the second run counts: one may fail for hours.
        """
        times = sorted(t.first_fail_ms for t in self.probes.values() if t.first_fail_ms is not None)
        spare = len(self.probes) - require if require else 0
        return times[spare] if len(times) > spare else None

    def still_down(self, require: int, after_ms: int) -> bool:
        """True if it would be down by those probes alone whose last check failed.

        It must have begun after ``after_ms``: one that was on its way then may have failed by what
        is over by now (a packet that was lost, a database that was away).
        """
        bad = sum(
            t.health == DOWN and not t.passes and (asked := t.asked_ms()) is not None
            and asked > after_ms
            for t in self.probes.values()
        )  # fmt: skip
        return len(self.probes) - bad < (require or len(self.probes))

    def changing(self) -> bool:
        """True if a probe has failed and the upstream is not down yet."""
        return self.health != DOWN and any(t.fails for t in self.probes.values())


def upstream_health(probes: Mapping[str, Tally], require: int) -> str:
    """Up with ``require`` (0: all) probes up; down once that cannot be; else unknown."""
    need = require or len(probes)
    up = down = 0
    for tally in probes.values():
        up += tally.health == UP
        down += tally.health == DOWN
    if up >= need:
        return UP
    return DOWN if len(probes) - down < need else UNKNOWN


def fresh_passes(
    upstream: Upstream, policy: HealthPolicy, require: int, needed: int, now_ms: int
) -> tuple[bool, int]:
    """(enough probes have ``needed`` fresh passes, boot time at which that lapses).

    Fresh: the last pass is at most two of that probe's current intervals old.
    """
    lapses = sorted(
        (
            tally.last_pass_ms + 2 * interval_ms(tally, policy, False)
            for tally in upstream.probes.values()
            if tally.last_pass_ms is not None and tally.passes >= needed
        ),
        reverse=True,
    )
    need = require or len(upstream.probes)
    if len(lapses) < need:
        return False, 0
    return lapses[need - 1] >= now_ms, lapses[need - 1]
