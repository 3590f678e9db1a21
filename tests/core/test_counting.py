"""Answers -> results -> rise and fall -> health of an upstream: tables of edges."""

import pytest

from healthguard.core.health import (
    Tally,
    Upstream,
    count,
    fresh_passes,
    interval_ms,
    judge,
    upstream_health,
)
from healthguard.core.model import Answer, Expect, HealthPolicy, Instant, Result
from healthguard.core.now import pace_ms

from .story import Story

AT = Instant(1_000, 2_000)


@pytest.mark.parametrize(
    ("answer", "expect", "outcome", "reason"),
    [
        (Answer(10, 200), Expect(), "pass", ""),
        (Answer(10, 299), Expect(), "pass", ""),
        (Answer(10, 199), Expect(), "fail", "status"),
        (Answer(10, 300), Expect(), "fail", "status"),
        (Answer(10, 401), Expect(status=((200, 200), (401, 401))), "pass", ""),
        (Answer(10, 402), Expect(status=((200, 200), (401, 401))), "fail", "status"),
        (Answer(10, None), Expect(), "pass", ""),  # tcp and exec have no status
        (Answer(10, None, "refused"), Expect(), "fail", "refused"),
        (Answer(10, 200, "body"), Expect(), "fail", "body"),
        (Answer(10, 500, "reset"), Expect(), "fail", "reset"),  # the wire comes first
        (Answer(10, None, None, "no_descriptors"), Expect(), "inconclusive", "no_descriptors"),
        (Answer(10, None, "timeout", "loop_late"), Expect(), "inconclusive", "loop_late"),
        (Answer(10, 200, verdicts=(("body", True), ("json", True))), Expect(), "pass", ""),
        (Answer(10, 200, verdicts=(("body", True), ("json", False))), Expect(), "fail", "json"),
        (Answer(10, 500, verdicts=(("body", False),)), Expect(), "fail", "status"),
        (Answer(800, 200), Expect(max_latency_us=800), "pass", ""),
        (Answer(801, 200), Expect(max_latency_us=800), "fail", "slow"),
        (Answer(9_000, 500), Expect(max_latency_us=800), "fail", "status"),
        (Answer(9_000, 200, verdicts=(("body", False),)), Expect(max_latency_us=8), "fail", "body"),
    ],
)
def test_judge(answer: Answer, expect: Expect, outcome: str, reason: str) -> None:
    result = judge(answer, expect, AT)
    assert (result.outcome, result.reason, result.at) == (outcome, reason, AT)


def counted(results: str, fall: int = 3, rise: int = 2, window: tuple[int, int] = (0, 0)) -> str:
    """Health after each of ``results`` (p f i), as a string of u U D: unknown Up Down."""
    policy = HealthPolicy(fall=fall, rise=rise, window_fails=window[0], window_of=window[1])
    outcomes = {"p": "pass", "f": "fail", "i": "inconclusive"}
    tally, seen = Tally(), ""
    for n, each in enumerate(results):
        tally = count(tally, Result(outcomes[each], "", Instant(n, n), 0), policy, fall)
        seen += {"unknown": "u", "up": "U", "down": "D"}[tally.health]
    return seen


@pytest.mark.parametrize(
    ("results", "health", "how"),
    [
        ("pp", "uU", {}),
        ("pfp", "uuu", {}),
        ("pfpp", "uuuU", {}),
        ("fff", "uuD", {}),
        ("ffpfff", "uuuuuD", {}),
        ("pipiip", "uuUUUU", {}),
        ("ppffpffp", "uUUUUUUU", {}),
        ("ppfff", "uUUUD", {}),
        ("ppffiif", "uUUUUUD", {}),
        ("fffpp", "uuDDU", {}),
        ("fffpfp", "uuDDDD", {}),
        ("fffpipf", "uuDDDUU", {}),
        ("p", "U", {"rise": 1}),
        ("f", "D", {"fall": 1}),
        ("pfpf", "UDUD", {"rise": 1, "fall": 1}),
        ("ppfpfpf", "uUUUUUD", {"window": (3, 5)}),
        ("ppfppfppf", "uUUUUUUUU", {"window": (3, 5)}),
        ("ppfpfpfpp", "uUUUUUDDU", {"window": (3, 5)}),
        ("ppfpfpfpff", "uUUUUUDDDD", {"window": (3, 5)}),
        ("ppfpfpfppf", "uUUUUUDDUU", {"window": (3, 5)}),  # up again: an old window is over
        ("ppfpififipf", "uUUUUUUDDDD"[:11], {"window": (3, 5)}),
    ],
)
def test_rise_fall_and_window(results: str, health: str, how: dict[str, int]) -> None:
    assert counted(results, **how) == health  # type: ignore[arg-type]


def test_the_run_of_fails_begins_with_its_first_one() -> None:
    policy = HealthPolicy()
    tally = Tally()
    for now, outcome in ((1, "fail"), (2, "pass"), (3, "fail"), (4, "inconclusive"), (5, "fail")):
        tally = count(tally, Result(outcome, "", Instant(now, now), 0), policy, 3)
    assert (tally.first_fail_ms, tally.fails) == (3, 2)


def test_a_verdict_is_as_old_as_the_answer_that_changed_it() -> None:
    tally, since = Tally(), []
    for now, outcome in enumerate(["pass"] * 4 + ["fail"] * 4 + ["pass"] * 3, 1):
        tally = count(tally, Result(outcome, "", Instant(now, now), 0), HealthPolicy(), 3)
        since.append(tally.since_ms)
    assert since == [0, 2, 2, 2, 2, 2, 7, 7, 7, 10, 10]


UP, DOWN, UNKNOWN = Tally("up"), Tally("down"), Tally("unknown")


@pytest.mark.parametrize(
    ("probes", "require", "health"),
    [
        ([UP], 0, "up"),
        ([UP, UNKNOWN], 0, "unknown"),
        ([UP, DOWN], 0, "down"),
        ([UNKNOWN, DOWN], 0, "down"),
        ([UP, DOWN], 1, "up"),
        ([UNKNOWN, DOWN], 1, "unknown"),
        ([DOWN, DOWN], 1, "down"),
        ([UP, UP, DOWN], 2, "up"),
        ([UP, DOWN, DOWN], 2, "down"),
        ([UP, UNKNOWN, DOWN], 2, "unknown"),
        ([UP, UP, DOWN], 3, "down"),
    ],
)
def test_require(probes: list[Tally], require: int, health: str) -> None:
    assert upstream_health(dict(enumerate(probes)), require) == health  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tally", "baking", "wanted"),
    [
        (Tally("unknown"), False, 500),
        (Tally("up", passes=5), False, 2_000),
        (Tally("up", passes=5), True, 500),
        (Tally("up", fails=1), False, 500),
        (Tally("down", fails=3), False, 5_000),
        (Tally("down", fails=3), True, 5_000),
        (Tally("down", passes=1), False, 500),
    ],
)
def test_pacing(tally: Tally, baking: bool, wanted: int) -> None:
    assert interval_ms(tally, HealthPolicy(), baking) == wanted


@pytest.mark.parametrize(
    ("ages", "passes", "require", "fresh"),
    [
        ([4_000], [2], 0, True),
        ([4_001], [2], 0, False),
        ([0], [1], 0, False),
        ([None], [0], 0, False),
        ([0, 4_001], [2, 2], 0, False),
        ([0, 4_001], [2, 2], 1, True),
        ([0, 0], [2, 1], 0, False),
        ([0, 0], [2, 1], 1, True),
    ],
)
def test_fresh_passes(ages: list[int | None], passes: list[int], require: int, fresh: bool) -> None:
    probes = {
        str(n): Tally("up", passes=count, last_pass_ms=None if age is None else 50_000 - age)
        for n, (age, count) in enumerate(zip(ages, passes, strict=True))
    }
    found, lapses = fresh_passes(Upstream(probes, "up"), HealthPolicy(), require, 2, 50_000)
    assert found is fresh
    if fresh:
        assert lapses >= 50_000


def test_one_pass_of_what_is_down_does_not_make_its_trouble_a_new_one() -> None:
    tally = Tally()
    for now, outcome in enumerate(["fail"] * 3 + ["pass", "fail"], 1):
        tally = count(tally, Result(outcome, "", Instant(now, now), 0), HealthPolicy(), 3)
    assert (tally.health, tally.first_fail_ms, tally.fails) == ("down", 1, 1)


def test_in_a_window_the_trouble_began_with_its_oldest_fail() -> None:
    policy, tally = HealthPolicy(window_fails=3, window_of=6), Tally()
    for now, outcome in enumerate(["pass", "fail", "pass", "fail", "pass", "fail"], 1):
        tally = count(tally, Result(outcome, "", Instant(now, now), 0), policy, 3)
    assert (tally.health, tally.first_fail_ms) == ("down", 2)


def test_the_last_ten_results_are_kept() -> None:
    tally = Tally()
    for now in range(1, 15):
        tally = count(tally, Result("pass", "", Instant(now, now), 0), HealthPolicy(), 3)
    assert [result.at.boot_ms for result in tally.recent] == list(range(5, 15))


def test_what_is_in_use_and_down_is_asked_at_the_fast_interval() -> None:
    story = Story().steady().live(20_000).live(10_000, blue="fail", green="fail")
    assert story.health("blue") == story.health("green") == "down"
    assert [pace_ms(story.state, name, "health") for name in ("blue", "green")] == [500, 5_000]
