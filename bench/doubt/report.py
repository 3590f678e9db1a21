"""docs/self-doubt.md."""

import statistics
from collections.abc import Iterable, Sequence

from bench.doubt.host import ANSWER, FAST, INTERVAL, LIMIT, SLOW, TIMEOUT
from bench.doubt.measure import GIVEN_UP, LOST, Found
from bench.report import table

MASKED = 10  # times as long as without trouble: as good as not seen
_HEAD = ("trouble", "times", "pass", "**fail**", "inconclusive", "reported down", "**switches**",
         "`self_unhealthy` held", "other holds", "steady again after, s")  # fmt: skip
_HEAD_REAL = ("blue", "when", "times", "seen", "**masked**", "after, s", "x normal",
              "`self_unhealthy` held")  # fmt: skip


def page(found: Sequence[Found], command: str, where: str, calm: str) -> str:
    """The whole page."""
    harmless = [each for each in found if not each.case.fails]
    real = [each for each in found if each.case.fails]
    normal = {
        each.case.fails: statistics.median(seen)
        for each in real
        if each.case.title == "none" and (seen := [s for s in each.seen if s is not None])
    }
    return "\n".join([
        "# Doubting ourselves, measured\n",
        f"Made by `{command}`, which writes this file. {where}. {calm}\n",
        _METHOD.format(
            interval=INTERVAL, fast=FAST, timeout=TIMEOUT, limit=LIMIT, answer=ANSWER
        ).strip(),
        "",
        _summary(harmless, real, normal),
        "## Trouble of our own, both apps are well\n",
        _ABOUT_HARMLESS.format(lost=LOST).strip() + "\n",
        table(_HEAD, [_harmless(each) for each in harmless]),
        "## Real failures in the middle of it\n",
        _ABOUT_REAL.format(masked=MASKED, given_up=GIVEN_UP, slow=SLOW, limit=LIMIT).strip() + "\n",
        table(_HEAD_REAL, [_real(each, normal) for each in real]),
        _NOT_HERE.strip() + "\n",
    ])  # fmt: skip


_METHOD = """
A real daemon, a real nginx with the samples of `nginx/`, and two real apps that answer after
{answer} ms, so that a check is often in progress. Checks every {interval} ms ({fast} ms while a
result is changing), timeout {timeout} ms, fall 3, rise 2. Each app has two probes, one of them with
`max_latency` {limit} ms. `min_down` and cooldown are 0. That is ten times as fast as the defaults,
and ten times as sensitive. The apps run with real-time priority: they are healthy however busy the
machine is. Only the guard is late.
"""
_ABOUT_HARMLESS = """
Results are those of all probes from the first trouble to the end of the last. All fails are false.
Steady again: the time from the end of the trouble until active and standby were up and a rollback
was possible, for good; median / maximum, sampled every 50 ms. Not recovered: not steady within
{lost:g} s, and restarted.
"""
_ABOUT_REAL = """
Blue is active and is killed (connections are refused), stopped (connections are accepted, nothing
answers) or slow (answers after {slow} ms, {limit} ms are allowed). The time runs from the moment
when blue has failed *and* the guard's own trouble is over (where it continues: when blue has
failed) until the switch to green was proven; median / maximum. Masked: not within {masked} times
the median without trouble. A case ends after {given_up:g} s.
"""
_NOT_HERE = """
A suspend is not caused by this program. Tests cover what it does to the clocks: a check measures
its time on the clock that continues during a suspend, and the stories of a suspended host in
[incidents](incidents.md) run through the core.
"""


def _summary(harmless: Sequence[Found], real: Sequence[Found], normal: dict[str, float]) -> str:
    found = (*harmless, *real)
    fails = sum(_of(each, "fail") for each in harmless)
    doubts = sum(_of(each, "inconclusive") for each in harmless)
    switches = sum(each.switches for each in harmless)
    times = sum(each.times for each in harmless)
    seen = sum(_in_time(each, normal) for each in real)
    tried = sum(len(each.seen) for each in real)
    starved = sum(len(each.seen) - _in_time(each, normal) for each in real if each.case.starving)
    rows = [
        ("false switches", f"{switches} in {times} troubles"),
        ("false results", f"{fails} fails, next to {doubts} inconclusive"),
        ("real failures masked", f"{tried - seen} of {tried} (starved for good: {starved})"),
        ("guards that had to be restarted", str(sum(each.stuck for each in found))),
    ]
    return table(("what", "found"), rows)


def _harmless(found: Found) -> Sequence[str]:
    return (
        found.case.title + (f" ({found.trouble})" if found.trouble else ""),
        str(found.times),
        str(_of(found, "pass")),
        _reasons(found, "fail"),
        _reasons(found, "inconclusive"),
        str(found.downs),
        str(found.switches),
        str(found.doubted),
        ", ".join(f"`{gate}` {count}" for gate, count in sorted(found.holds.items())),
        _median_max(found.steady) + _stuck(found),
    )


def _real(found: Found, normal: dict[str, float]) -> Sequence[str]:
    seen = [each for each in found.seen if each is not None]
    usual = normal.get(found.case.fails)
    ratio = f"{statistics.median(seen) / usual:.1f}" if seen and usual else ""
    return (
        {"kill": "killed", "hang": "stopped", "slow": "slow"}[found.case.fails],
        found.case.title + (f" ({found.trouble})" if found.trouble else ""),
        str(len(found.seen)),
        str(len(seen)),
        str(len(found.seen) - _in_time(found, normal)),
        _median_max(seen) + _stuck(found),
        ratio,
        str(found.doubted),
    )


def _in_time(found: Found, normal: dict[str, float]) -> int:
    limit = MASKED * normal.get(found.case.fails, GIVEN_UP)
    return sum(each is not None and each <= limit for each in found.seen)


def _of(found: Found, result: str) -> int:
    return sum(count for (name, _), count in found.results.items() if name == result)


def _reasons(found: Found, result: str) -> str:
    """``3 (timeout 2, slow 1)``."""
    each = {why: count for (name, why), count in found.results.items() if name == result and count}
    words = ", ".join(f"{why} {count}" for why, count in sorted(each.items()))
    return f"{sum(each.values())} ({words})" if each else "0"


def _stuck(found: Found) -> str:
    return f"; **not recovered: {found.stuck}**" if found.stuck else ""


def _median_max(values: Iterable[float]) -> str:
    some = list(values)
    return f"{statistics.median(some):.1f} / {max(some):.1f}" if some else ""
