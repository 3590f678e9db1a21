"""The one story that all others vary: the active upstream fails, the other one takes over."""

import json

import pytest

from healthguard.core.model import Answer

from .story import BOOT_MS, Story, policy


def test_a_start_on_a_fresh_host() -> None:
    story = Story().begins().says("Prepare green")
    story.passes("blue").quiet()
    story.after(500).passes("blue")
    story.says("health blue up", "left starting", "not ready: standby_not_up")
    story.passes("green").after(500).passes("green").says("health green up", "ready")


def armed() -> Story:
    """Blue is down and has been failing for long enough; the turn is asked for."""
    story = Story().steady().live(40_000).forget()
    story.auto_turn, story.auto_end = False, None
    story.after(500).fails("blue").says("Prepare green!")
    story.after(1_000).fails("blue").passes("green").quiet()
    story.after(1_000).fails("blue").passes("green").says("health blue down")
    story.after(999).look().woke().quiet()
    return story.after(1).woke().says("AskTurn")


def test_it_is_armed_at_the_first_fail_and_charged_before_the_link_moves() -> None:
    story = armed()
    assert story.memory.charges.at_ms == ()
    story.after(10).turn().says("switch_started blue->green automatic", "Commit blue->green")
    saved = json.loads(story.document)["memory"]
    assert saved["charges"]["at_ms"] == [BOOT_MS + story.now]
    assert saved["attempt"]["to"] == "green"
    story.after(140).finished("completed").says(
        "GiveBackTurn",
        "switch_completed blue->green automatic",
        "mark blue bad",
        "Prepare blue",
        "not ready: no_target",
    )


def test_what_is_said_about_it_explains_itself() -> None:
    story = armed().after(10).turn()
    started = story.record("switch_started")
    assert started["detection_ms"] == 3_010
    assert started["actor"] is None
    assert started["reason"] == (
        "blue has been failing for 3s: 3 checks in a row failed: connection refused"
    )
    evidence = started["evidence"]
    assert isinstance(evidence, list)
    assert [row["reason"] for row in evidence] == ["refused"] * 3
    ended = story.finished("completed").record("switch_completed")
    assert ended["timings_ms"] == {"prepare": 9, "total": 130}
    assert ended["detection_ms"] == 3_010
    assert ended["durable"] is True


def test_a_recovery_just_before_the_turn_withdraws_it() -> None:
    story = armed().passes("blue").after(1).passes("blue")
    story.says("health blue up")
    story.turn().says("GiveBackTurn")
    assert story.memory.charges.at_ms == ()


def test_one_pass_does_not_withdraw_it_but_an_inconclusive_result_counts_for_nothing() -> None:
    story = armed().unsure("blue").quiet()
    story.turn().says("switch_started blue->green automatic", "Commit blue->green")


def test_a_standby_that_fails_just_before_the_turn_withdraws_it_and_is_a_hold() -> None:
    story = armed().fails("green").says("hold standby_not_up")
    story.turn().says("GiveBackTurn")


@pytest.mark.parametrize("cause", ["pause", "disable", "doubt", "hand"])
def test_what_comes_between_asking_and_turn_stops_it(cause: str) -> None:
    story = armed()
    if cause == "pause":
        story.order("pause", for_ms=60_000)
    elif cause == "disable":
        story.look(disabled="hands off")
    elif cause == "doubt":
        story.doubt("this host was suspended for 20.0 s")
    else:
        story.hand_moves("green").look()
    story.turn().never("Commit", "switch_started")
    assert story.memory.charges.at_ms == ()


def test_an_order_beats_the_waiting_automatic_switch() -> None:
    story = armed().order("switch", "green")
    story.says("order o1 switch", "GiveBackTurn", "AskTurn")
    story.turn().says("switch_started blue->green manual", "Commit blue->green")
    assert story.memory.charges.at_ms == ()


def test_a_turn_nobody_asked_for_is_given_back() -> None:
    Story().steady().turn().says("GiveBackTurn")


def test_files_that_change_between_test_and_turn_are_tested_again() -> None:
    story = armed()
    story.auto_test = False
    story.look(stamp="files-9").says("Prepare green!")
    story.turn().says("GiveBackTurn")
    story.after(30).tested("green").says("AskTurn")
    story.turn().says("switch_started blue->green automatic", "Commit blue->green")


def test_both_down_is_a_hold_said_once_and_loudly() -> None:
    story = Story().steady().live(20_000, blue="fail", green="fail")
    story.says("hold standby_not_up", only=("hold", "AskTurn", "Commit"))
    story = Story().steady().live(20_000, blue="fail", green="fail")
    held = story.record("hold_entered")
    assert held["both_down"] is True
    assert held["wanted"] is True
    story.forget().live(5_000, blue="fail")
    # Not on old verdicts: the active must fail once more after the hold has ended.
    story.says(
        "left standby_not_up", "AskTurn", "Commit blue->green", only=("left", "AskTurn", "Commit")
    )


def test_a_check_that_was_on_its_way_when_a_hold_ended_does_not_decide() -> None:
    """A network that swallowed everything is back: green passes, and blue's last loss is told."""
    story = Story().steady().live(20_000, blue="fail", green="fail")
    story.passes("green", times=2).forget()
    story.after(300).answer("blue", Answer(2_000_000, failure="timeout"))
    story.never("AskTurn", "Commit")
    story.after(100).answer("blue", Answer(50_000, failure="timeout"))
    assert "AskTurn" in story.said


def test_unknown_is_never_down() -> None:
    story = Story().begins()
    for _ in range(2):
        story.passes("green").after(500)
    story.live(60_000, blue="silent").never("AskTurn", "Commit")
    story.live(60_000, blue="unsure").never("AskTurn", "Commit")


def test_three_upstreams_go_to_the_target_and_never_to_a_further_choice() -> None:
    story = Story(policy("blue", "green", "red", stable="green")).steady()
    story.live(20_000, blue="fail", green="fail").never("AskTurn", "Commit")
    assert story.hold() == "standby_not_up"
