"""Probation: ends by time and health, grows while nobody looks, survives restarts."""

from dataclasses import replace

import pytest

from healthguard.core.events import Checked
from healthguard.core.model import Answer

from .story import Story, policy

TEN = {"for_ms": 10_000}


def baking(**bake: object) -> Story:
    """Green bakes since now; blue was left healthy and is where to go back to."""
    story = Story(policy(stable="green", bake={**TEN, **bake})).steady().live(20_000)
    return story.order("switch", "green").forget()


def test_it_passes_by_time_and_health_and_vouches() -> None:
    story = baking()
    assert story.memory.good == ()
    story.live(9_500).never("bake")
    story.live(1_000)
    story.says("bake_passed green", only=("bake",))
    assert story.memory.good == ("green",)
    assert story.memory.bake is None


def test_thresholds_are_stricter_and_it_goes_back_to_where_it_came_from() -> None:
    story = baking().live(3_000).forget()
    story.live(500, green="fail").never("health")
    story.live(500, green="fail")
    assert "health green down" in story.said
    story.never("AskTurn").live(1_000, green="fail").never("AskTurn")
    story.live(500, green="fail")
    assert "Commit green->blue" in story.said
    assert "mark green bad" in story.said
    assert story.memory.bake is None


def test_it_fails_when_the_upstream_goes_down_and_begins_anew_when_it_is_up() -> None:
    story = baking()
    story.configure(replace(story.policy, mode_bake="observe"))
    story.live(3_000, green="fail").live(2_000)
    story.says("bake_failed green", "bake_started green", only=("bake",))
    story.live(8_500).never("bake_passed")
    story.live(2_000)
    story.says("bake_passed green", only=("bake",))


def test_flicker_does_not_end_it() -> None:
    story = baking()
    for _ in range(10):
        story.live(500, green="fail").live(500)
    assert story.memory.bake is None or not story.memory.bake.failed
    story.never("bake_failed", "AskTurn")


def test_paused_time_extends_it() -> None:
    story = baking().live(2_000).order("pause", for_ms=6_000).live(6_000).forget()
    story.live(7_000).never("bake_passed")
    story.live(3_000)
    story.says("bake_passed green", only=("bake",))


def test_blind_time_extends_it() -> None:
    story = baking().live(2_000)
    story.doubt("suspended").live(6_000, green="silent", blue="silent").doubt("")
    story.forget().live(7_000).never("bake_passed")
    story.live(4_000)
    story.says("bake_passed green", only=("bake",))


def test_a_restart_neither_ends_nor_shortens_it() -> None:
    story = baking().live(5_000).restart(8_000).look().forget()
    story.live(3_500).never("bake_passed")
    assert story.memory.bake is not None
    story.live(9_000)
    story.says("bake_passed green", only=("bake",))


def test_a_restart_every_second_does_not_pass_it_unseen() -> None:
    story = baking()
    for _ in range(30):
        story.restart(1_000).look()
    assert story.memory.bake is not None
    story.never("bake_passed")


def test_it_survives_a_reboot() -> None:
    story = baking().live(5_000).restart(60_000, reboot=True).look()
    assert story.memory.bake is not None
    assert story.memory.bake.upstream == "green"
    story.forget().live(3_500).never("bake_passed")
    story.live(9_000)
    assert "bake_passed green" in story.said


def test_max_latency_counts_in_the_bake_only() -> None:
    slow = Answer(900_000, 200)
    story = Story(policy(stable="green", bake={**TEN, "max_latency_us": 800_000})).steady()
    story.live(20_000)
    for _ in range(5):
        story.after(500).answer("blue", slow)
    assert story.health("blue") == "up"
    story.order("switch", "green").forget()
    for _ in range(2):
        story.after(500).answer("green", slow)
    assert story.health("green") == "down"


def test_an_automatic_switch_begins_no_bake() -> None:
    story = Story().steady().live(20_000).live(5_000, blue="fail")
    assert story.memory.active == "green"
    assert story.memory.bake is None


def test_a_reload_of_the_same_upstream_does_not_end_it() -> None:
    """Law 7: link and workers disagree for a moment; proving it anew is not a switch."""
    story = baking().live(3_000)
    story.look(marker="blue").look(marker=None)
    story.link = replace(story.link, identity="touched")
    story.nginx = replace(story.nginx, workers_since_wall_ms=0)
    story.look()
    story.forget().order("switch", "green")
    assert "Commit green->green" in story.said
    assert story.memory.bake is not None
    story.never("bake_passed", "bake_failed")


def test_an_undone_switch_away_leaves_it_as_it_is() -> None:
    story = baking().live(3_000)
    story.auto_end = "undone"
    story.order("switch", "blue")
    assert story.memory.bake is not None
    assert story.memory.bake.upstream == "green"


@pytest.mark.parametrize("first", ["the timer", "a pass", "a look", "nonsense"])
def test_silence_is_not_seen_as_health(first: str) -> None:
    """The whole guard stood still, and one of these comes before anybody notices."""
    story = baking().live(1_000).forget().after(60_000)
    match first:
        case "a pass":
            story.passes("green")
        case "a look":
            story.look()
        case "nonsense":
            story.send(Checked(story.instant, "gone", "health", Answer(1, 200)))
    story.woke().never("bake_passed")
    story.look().live(8_500).never("bake_passed")
    story.live(2_000)
    story.says("bake_passed green", only=("bake",))


def test_what_was_spent_down_does_not_count_for_the_one_that_begins_anew() -> None:
    story = baking(for_ms=300_000)
    story.configure(replace(story.policy, mode_bake="observe")).live(20_500)
    story.live(9_000, green="fail").forget()
    while "bake_started green" not in story.said:
        story.live(500)
    bake = story.memory.bake
    assert bake is not None
    now = story.instant.boot_ms
    assert (bake.seen_ms, bake.counted_ms, bake.until_ms) == (0, now, now + 300_000)


@pytest.mark.parametrize("away", [0, 1, 8_000])
def test_a_restart_extends_it_by_as_long_as_it_took(away: int) -> None:
    story = baking()
    due = story.instant.boot_ms + 10_000
    story.restart(away)
    assert story.memory.bake is not None
    assert story.memory.bake.until_ms == due + away


def test_it_grows_by_the_blind_time_to_the_millisecond() -> None:
    story = baking(for_ms=300_000)
    due = story.instant.boot_ms + 300_000
    story.live(5_250).doubt("suspended")
    blind_from = story.instant.boot_ms
    story.live(4_000).doubt("").live(3_000)
    bake, green = story.memory.bake, story.state.upstreams["green"]
    assert bake is not None
    assert green.health == "up"
    assert bake.until_ms == due + green.since_ms - blind_from


@pytest.mark.parametrize(("gap", "blind"), [(30_000, False), (30_001, True)])
def test_where_answers_are_rare_silence_is_longer(gap: int, blind: bool) -> None:
    rare = {"interval_ms": 10_000, "fast_interval_ms": 10_000}
    story = Story(policy(stable="green", health=rare, bake={"for_ms": 60_000})).steady()
    story.order("switch", "green").passes("green")
    due = story.instant.boot_ms + 60_000
    story.after(gap).passes("green")
    assert story.memory.bake is not None
    assert story.memory.bake.until_ms == due + (gap if blind else 0)
