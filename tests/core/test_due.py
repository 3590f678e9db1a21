"""What depends on time alone happens at its moment, to the millisecond, though nothing else does.

The world is silent here: only the wakes that the core asked for come. Each of them must be
asked for early enough; the last one falls on the very moment.
"""

from dataclasses import replace

import pytest

from healthguard.core.charges import spent
from healthguard.core.events import Checked
from healthguard.core.model import Answer, Expect
from healthguard.core.now import now_of

from .story import BOOT_MS, FAIL, Story, policy


def steady(**rest: object) -> Story:
    story = Story(policy(**{"stable": "green", **rest}))  # type: ignore[arg-type]
    return story.steady().live(20_000).forget()


def wakes_at(story: Story, due: int) -> Story:
    """Follows the wakes until ``due``; there must be one at that very moment."""
    while story.now < due:
        assert story.now < story.wake <= due, f"at {story.now}: next {story.wake}, due {due}"
        story.woke_at(story.wake)
    return story


def charged(story: Story) -> int:
    """When the last automatic switch was charged, in the story's time."""
    return story.memory.charges.at_ms[-1] - BOOT_MS


def test_the_min_down_is_over() -> None:
    story = steady(rollback={"min_down_ms": 4_000}).fails("blue", 3)
    since = story.state.upstreams["blue"].probes["health"].first_fail_ms
    assert since is not None
    wakes_at(story, since - BOOT_MS + 4_000)
    assert "AskTurn" in story.said


def test_a_pause_is_told_of_and_ends() -> None:
    story = steady().order("pause", for_ms=400_000).forget()
    end = story.now + 400_000
    wakes_at(story, end - 300_000)
    assert story.said.count("paused") == 1
    wakes_at(story, end)
    assert story.said.count("paused") == 1
    assert "resumed" in story.said


def test_a_cooldown_and_a_budget_are_over() -> None:
    limits = {"cooldown_ms": 60_000, "budget_switches": 1, "budget_per_ms": 90_000}
    story = steady(rollback=limits).live(4_000, blue=FAIL)
    at = charged(story)
    wakes_at(story, at + 60_000)
    assert "cooldown" not in story.closed("blue")
    assert spent(now_of(story.state))
    wakes_at(story, at + 90_000)
    assert not spent(now_of(story.state))


@pytest.mark.parametrize("age", [59_999, 60_000])
def test_a_cooldown_ends_at_its_very_millisecond(age: int) -> None:
    story = steady(rollback={"cooldown_ms": 60_000}).live(4_000, blue=FAIL)
    story.at(charged(story) + age).woke()
    assert ("cooldown" in story.closed("blue")) is (age < 60_000)


def test_a_day_of_switches_is_over_after_a_day() -> None:
    story = steady(rollback={"daily_budget": 1}).live(4_000, blue=FAIL)
    day = charged(story) + 86_400_000
    story.at(day - 1).woke()
    assert spent(now_of(story.state)) == "1 automatic switch in 24h (limit 1)"
    story.at(day).woke()
    assert spent(now_of(story.state)) == ""


def test_an_observation_becomes_too_old() -> None:
    story = steady()
    looked = story.now
    story.at(looked + 15_000).woke()
    assert "link_unmanaged" not in story.closed()
    wakes_at(story, looked + 15_001)
    assert "link_unmanaged" in story.closed()


def test_what_is_overdue_is_drawn_by_whatever_comes_before_the_timer() -> None:
    story = steady().after(20_000)
    story.send(Checked(story.instant, "gone", "health", Answer(1, 200)))
    story.says("hold starting", only=("hold",))
    assert "link_unmanaged" in story.closed()


def test_the_passes_of_the_standby_lapse() -> None:
    story = steady()
    passed = story.state.upstreams["green"].probes["health"].last_pass_ms
    assert passed is not None
    lapse = passed - BOOT_MS + 2 * story.policy.health.interval_ms
    story.at(lapse).woke()
    assert "standby_not_up" not in story.closed()
    wakes_at(story, lapse + 1)
    assert "standby_not_up" in story.closed()


def test_an_order_that_waits_for_a_fact_is_refused_in_the_end() -> None:
    story = steady()
    story.auto_test = False
    story.look(stamp="files-new").order("switch", "green")
    given = story.now
    story.live(10_000).look()
    assert "o1" not in story.replies
    wakes_at(story, given + 10_001)
    assert story.replies["o1"].error == "config_invalid"


def test_a_switch_that_nobody_knows_the_end_of_is_lost() -> None:
    story = steady()
    story.auto_end = None
    story.order("switch", "green").after(100).finished("").after(100)
    story.hand_moves("green", reload=False).look().forget()
    due = story.state.doing.settled_ms - BOOT_MS + 60_000
    while story.now < due:  # somebody looks all the time: only the settling waits
        assert story.now < story.wake <= due
        story.woke_at(story.wake)
        if story.now < due:
            story.look().never("switch_lost")
    assert "switch_lost blue->green manual" in story.said


@pytest.mark.parametrize(("blue", "wait"), [(FAIL, 5_000), ("pass", 30_000)])
def test_a_refused_prepare_is_asked_for_again(blue: str, wait: int) -> None:
    story = steady()
    story.auto_test = False
    story.look(stamp="files-new").live(2_000, blue=blue)
    story.tested("green", "config_invalid").forget()
    story.live(wait - 500, blue=blue).never("Prepare green")
    story.live(1_500, blue=blue)
    assert any(line.startswith("Prepare green") for line in story.said)


def test_a_veto_ends_with_a_question() -> None:
    story = Story(policy(stable="green", dependencies={"db": Expect()}))
    story.needs = {"db": "pass"}
    story.steady().live(20_000).forget()
    story.needs = {"db": FAIL}
    story.live(4_000, blue=FAIL)
    since = story.state.doing.veto_ms
    assert since is not None
    story.live(since - BOOT_MS + 119_000 - story.now, blue=FAIL).never("proposal")
    story.live(1_500, blue=FAIL)
    assert "proposal_opened blue->green" in story.said


def test_while_a_switch_may_be_wanted_a_refused_prepare_is_not_forgotten_in_silence() -> None:
    story = steady()
    story.auto_test = False
    story.look(stamp="files-new").live(2_000, blue=FAIL)
    story.tested("green", "config_invalid").forget()
    refused = story.now
    while "Prepare green!" not in story.said:
        assert story.now < story.wake <= story.now + 5_000
        story.woke_at(story.wake)
    assert refused + 5_000 <= story.now < refused + 10_000


def test_files_that_change_during_a_prepare_are_tested_again() -> None:
    """What it tested is what they were when it was asked for."""
    story = steady()
    story.auto_test = False
    story.look(stamp="files-new").says("Prepare green").look(stamp="files-newer")
    story.tested("green").says("Prepare green")
    story.tested("green").never("Prepare green")


def test_a_refusal_by_nginx_stays_until_link_or_nginx_are_seen_to_change() -> None:
    story = steady()
    story.auto_test = False
    story.look(stamp="files-new").tested("green", "nginx_upgrading").forget()
    story.after(1_000).look(disabled="").look(disabled=None).never("Prepare")
    story.look(nginx=replace(story.nginx, master="200:2")).says("Prepare green", only=("Prepare",))


def test_what_the_link_names_is_not_tested_while_nobody_knows_what_is_in_use() -> None:
    """nginx would load it itself at its next reload: the way to it needs an order anyhow."""
    story = steady().hand_moves("green", reload=False).look()
    assert "active_unknown" in story.closed()
    story.live(3_000).says("Prepare blue", only=("Prepare",))
