"""Doubt that all pools share: is it this host, or did a bad release go out everywhere?"""

from collections.abc import Callable

import pytest

from healthguard.core.host import Turns, any_passes, ask, close, common_failure, give_back
from healthguard.core.state import State

from .story import FAIL, PASS, Story, policy


def pool(blue: str = PASS, green: str = PASS, *, later: int = 0) -> State:
    """A pool whose upstreams answer so for two seconds, beginning ``later``; then it is 30 s."""
    story = Story(policy(stable="green")).steady().live(20_000 - 500).live(later)
    story.live(2_000, blue=blue, green=green)
    return story.state


def test_all_pools_failing_at_once_without_a_passing_standby_is_taken_for_the_hosts_fault() -> None:
    states = [pool(FAIL, FAIL), pool(FAIL, FAIL)]
    assert common_failure(states) == (
        "both pools failed at once and no standby passes: probably this host, not the apps"
    )


def test_a_bad_release_in_every_pool_at_once_is_not() -> None:
    assert common_failure([pool(FAIL, PASS), pool(FAIL, PASS)]) == ""


def test_one_standby_that_passes_is_enough() -> None:
    assert common_failure([pool(FAIL, FAIL), pool(FAIL, PASS)]) == ""


def test_of_several_standbys_one_that_passes_is_enough() -> None:
    story = Story(policy("blue", "green", "red", stable="green")).steady().live(20_000)
    story.live(2_000, blue=FAIL, green=FAIL)
    assert common_failure([story.state, pool(FAIL, FAIL, later=500)]) == ""
    story.live(500, blue=FAIL, green=FAIL, red=FAIL)
    assert common_failure([story.state, pool(FAIL, FAIL, later=500)]) != ""


def test_one_pool_that_is_well_is_enough() -> None:
    assert common_failure([pool(FAIL, FAIL), pool(PASS, FAIL)]) == ""


def test_one_pool_alone_proves_nothing_about_the_host() -> None:
    assert common_failure([pool(FAIL, FAIL)]) == ""
    assert common_failure([]) == ""


@pytest.mark.parametrize(("later", "common"), [(2_000, True), (2_500, False)])
def test_within_one_interval(later: int, common: bool) -> None:
    states = [pool(FAIL, FAIL), pool(FAIL, FAIL, later=later)]
    assert bool(common_failure(states)) is common


def test_a_standby_with_its_first_fail_does_not_count_as_passing() -> None:
    story = Story().steady().live(20_000).fails("blue").fails("green")
    assert story.health("green") == "up"
    assert common_failure([story.state, story.state])


def test_what_is_active_must_be_known() -> None:
    story = Story().steady().live(20_000).live(3_000, blue=FAIL, green=FAIL)
    story.look(marker="green")  # link and workers disagree
    assert common_failure([story.state, story.state]) == ""


def test_any_passes_asks_for_a_pass_since_then() -> None:
    story = Story().steady().live(20_000)
    now = story.instant.boot_ms
    assert not any_passes([story.state], now)
    assert any_passes([story.state], now - 1_000)
    story.live(3_000, blue=FAIL, green=FAIL)
    assert not any_passes([story.state], now)
    story.live(500, blue=FAIL)
    assert any_passes([story.state, Story().state], now)
    assert not any_passes([], 0)


# ------------------------------------------------------------ turns


@pytest.mark.parametrize(
    ("turns", "act", "pool", "after"),
    [
        (Turns(), ask, "a", Turns("a")),
        (Turns("a"), ask, "a", Turns("a")),
        (Turns("a"), ask, "b", Turns("a", ("b",))),
        (Turns("a", ("b",)), ask, "b", Turns("a", ("b",))),
        (Turns("a", ("b",)), ask, "c", Turns("a", ("b", "c"))),
        (Turns("a"), give_back, "a", Turns()),
        (Turns("a", ("b", "c")), give_back, "a", Turns("b", ("c",))),
        (Turns("a", ("b", "c")), give_back, "b", Turns("a", ("c",))),
        (Turns("a", ("b",)), give_back, "x", Turns("a", ("b",))),
        (Turns(closed=True), ask, "a", Turns(None, ("a",), closed=True)),
        (Turns("a", ("b",), closed=True), give_back, "a", Turns(None, ("b",), closed=True)),
    ],
)
def test_turns(turns: Turns, act: Callable[[Turns, str], Turns], pool: str, after: Turns) -> None:
    assert act(turns, pool) == after


def test_closed_turns_let_the_holder_end_and_nobody_begin() -> None:
    turns = close(Turns("a", ("b",)))
    assert turns == Turns("a", (), closed=True)
    assert give_back(turns, "a").holder is None
