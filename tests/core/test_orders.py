"""What people and signals may order, and what they are answered."""

import pytest

from .story import Story, policy


def steady(pol: object = None) -> Story:
    story = Story(pol) if pol is not None else Story()  # type: ignore[arg-type]
    story.steady().live(20_000)
    return story.forget()


def test_a_manual_switch() -> None:
    story = steady().order("switch", "green")
    said = ("order", "AskTurn", "switch", "Commit", "GiveBackTurn", "bake", "Reply")
    story.says(
        "order o1 switch",
        "AskTurn",
        "switch_started blue->green manual",
        "Commit blue->green",
        "GiveBackTurn",
        "switch_completed blue->green manual",
        "bake_started green",
        "Reply o1 0",
        only=said,
    )
    assert story.replies["o1"].data["to"] == "green"


def test_what_is_active_already_is_done() -> None:
    steady().order("switch", "blue").says("order o1 switch", "Reply o1 0")


def test_what_the_link_names_but_nobody_uses_is_reloaded_and_confirmed() -> None:
    story = steady().hand_moves("green", reload=False).look().forget()
    story.order("switch", "green")
    assert "Commit green->green" in story.said
    assert story.memory.active == "green"


def test_an_unknown_upstream_and_verb_are_usage() -> None:
    story = steady().order("switch", "red").says("Reply o1 2 unknown_upstream")
    story.order("dance").says("Reply o2 2 usage")
    story.order("switch").never("AskTurn")
    assert story.replies["o3"].code == 2


def test_a_second_order_for_the_same_target_joins_the_first() -> None:
    story = steady()
    story.auto_end = None
    story.order("switch", "green").order("switch", "green").forget().finished("completed")
    assert [story.replies[each].code for each in ("o1", "o2")] == [0, 0]


def test_a_second_order_for_another_target_is_refused() -> None:
    story = steady(policy("blue", "green", "red", stable="green"))
    story.auto_end = None
    story.order("switch", "green").forget().order("switch", "red")
    story.says("order o2 switch", "refused switch_in_flight", "Reply o2 1 switch_in_flight")


def test_an_order_for_another_target_than_the_automatic_switch_under_way_is_refused() -> None:
    story = steady(policy("blue", "green", "red", stable="green"))
    story.auto_end = None
    story.live(5_000, blue="fail").forget().order("switch", "red")
    story.says("order o1 switch", "refused switch_in_flight", "Reply o1 1 switch_in_flight")
    assert story.replies["o1"].message == "a switch to green is in progress"


@pytest.mark.parametrize("stage", ["testing", "queued", "switching"])
def test_a_second_order_at_every_stage(stage: str) -> None:
    story = steady(policy("blue", "green", "red", stable="green"))
    story.auto_test, story.auto_turn = stage != "testing", stage == "switching"
    story.auto_end = None
    if stage == "testing":
        story.look(stamp="files-new")
    story.order("switch", "green", reason="first")
    switch = story.state.doing.switch or story.memory.attempt
    assert switch is not None
    assert switch.stage == stage
    story.order("switch", "red").order("switch", "green").order("switch", "blue")
    assert story.replies["o2"].error == "switch_in_flight"
    assert "o1" not in story.replies
    assert "o3" not in story.replies
    assert story.state.doing.waiting == ("o1", "o3")


def test_an_order_joins_the_automatic_switch_under_way() -> None:
    story = steady()
    story.auto_end = None
    story.live(5_000, blue="fail").order("switch", "green").finished("completed")
    assert story.replies["o1"].code == 0


def test_a_rollback_goes_to_the_target_and_marks_what_it_leaves() -> None:
    story = steady().order("rollback")
    assert story.memory.active == "green"
    assert "mark blue bad" in story.said


def test_a_rollback_without_a_target_is_refused() -> None:
    story = steady(policy()).order("rollback")
    story.says("order o1 rollback", "refused no_target", "Reply o1 1 no_target")


def test_a_signal_twice_does_not_flip_back() -> None:
    story = steady(policy(stable="green")).order("good", "blue").forget()
    story.order("rollback", trigger="signal")
    assert story.memory.active == "green"
    assert "mark blue bad" in story.said
    story.live(5_000).forget().order("rollback", trigger="signal")
    story.says("order o3 rollback", "refused known_bad", "Reply o3 1 known_bad")


def test_a_forced_rollback_passes_the_mark() -> None:
    story = steady(policy(stable="green")).order("good", "blue").order("rollback")
    story.live(5_000).forget().order("rollback", force=True)
    assert story.memory.active == "blue"


# ---------------------------------------------------------------- known bad


@pytest.mark.parametrize(
    ("how", "marked"),
    [
        ("automatic", True),
        ("signal", True),
        ("rollback", True),
        ("manual, it was up", False),
        ("manual, it was down", True),
        ("manual, it was baking", True),
        ("deploy, it was baking", False),
        ("external", False),
    ],
)
def test_who_is_marked_when_it_is_left(how: str, marked: bool) -> None:
    story = steady(policy("blue", "green", stable="green"))
    if "baking" in how:
        story.hand_moves("green").look().hand_moves("blue").look()  # blue bakes
        assert story.memory.bake is not None
        assert story.memory.bake.upstream == "blue"
    match how.split(",")[0]:
        case "automatic":
            story.live(5_000, blue="fail")
        case "signal":
            story.order("rollback", trigger="signal")
        case "rollback":
            story.order("rollback")
        case "external":
            story.hand_moves("green").look()
        case "deploy":
            story.order("switch", "green", trigger="deploy")
        case _:
            if "down" in how:
                story.order("pause", for_ms=3_600_000).live(5_000, blue="fail")
            story.order("switch", "green")
    assert story.memory.active == "green", story.said
    assert ("blue" in story.memory.marks) is marked


@pytest.mark.parametrize("by", ["clear", "clear all", "good", "switch", "external"])
def test_who_may_forget_a_mark(by: str) -> None:
    story = steady().order("rollback").live(3_000).forget()
    assert "blue" in story.memory.marks
    match by:
        case "clear":
            story.order("clear", "blue")
        case "clear all":
            story.order("clear")
        case "good":
            story.order("good", "blue")
        case "switch":
            story.order("switch", "blue")
        case _:
            story.hand_moves("blue").look()
    assert story.memory.marks == {} or by == "switch"
    assert "blue" not in story.memory.marks
    assert "mark blue cleared" in story.said


def test_no_automatic_way_back_to_what_was_left() -> None:
    story = steady(policy(stable="green")).order("good", "blue").live(4_000, blue="fail")
    assert story.memory.active == "green"
    story.live(120_000).forget().live(60_000, green="fail").never("AskTurn", "Commit")
    assert story.hold() == "known_bad"
    story.order("clear", "blue").live(1_000, green="fail")
    assert "Commit green->blue" in story.said


# ---------------------------------------------------------------- force


def test_a_forced_switch_to_what_is_down_lets_nothing_act_until_it_was_up() -> None:
    story = steady().live(5_000, green="fail").forget()
    story.order("switch", "green", force=True)
    assert story.memory.active == "green"
    story.forget().live(30_000, green="fail").never("AskTurn")
    assert story.memory.forced == "green"
    assert story.hold() == "forced"
    story.live(3_000)
    assert story.memory.forced is None


def test_after_force_the_bake_only_holds() -> None:
    story = steady().order("switch", "green", force=True).live(5_000).forget()
    story.live(20_000, green="fail").never("AskTurn", "Commit")
    assert story.hold() == "forced"


def test_a_forced_order_is_over_when_another_upstream_is_made_active() -> None:
    story = steady(policy("blue", "green", "red", stable="red")).live(5_000, green="fail")
    story.order("switch", "green", force=True).live(2_000, green="fail")
    story.order("switch", "blue").live(2_000, green="fail")
    assert "forced" not in story.closed()


# ---------------------------------------------------------------- small verbs


def test_ack_with_nothing_to_acknowledge() -> None:
    steady().order("ack").says("order o1 ack", "Reply o1 0")


def test_a_fresh_install_has_no_target_until_somebody_vouches() -> None:
    story = steady(policy()).live(5_000, blue="fail")
    assert story.hold() == "no_target"
    story.order("good", "green").live(1_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_a_stopped_standby_is_nothing_to_go_back_to_and_no_alarm() -> None:
    story = Story(policy(standby="stopped", stable="blue")).begins()
    story.live(30_000, green="fail")
    assert story.closed() == ["no_target"]
    assert "stopped by design" in story.gates()["no_target"].evidence


# ---------------------------------------------------------------- what is said of it


def test_a_switch_ordered_without_a_reason_says_what_was_wrong() -> None:
    story = steady().live(1_000, blue="fail").order("switch", "green", reason="")
    failed = "blue has been failing for 500ms: 2 checks in a row failed: connection refused"
    assert story.record("switch_started")["reason"] == failed


def test_a_rollback_without_a_target_is_told_so_whatever_else_is_in_the_way() -> None:
    story = steady(policy()).look(disabled="hands off").order("rollback")
    assert (story.replies["o1"].error, story.replies["o1"].message) == (
        "no_target",
        "no upstream is known to be a safe way back. If one is: `healthguard good app UPSTREAM`",
    )


def test_an_order_refused_at_its_switch_names_it() -> None:
    story = steady()
    story.auto_end = None
    story.order("switch", "green")
    switch_id = story.switch.switch_id
    story.finished("refused", "link_unmanaged")
    assert story.replies["o1"].data == {"id": switch_id}


def test_a_dry_run_towards_what_a_reload_removes_is_told_so() -> None:
    story = steady(policy("blue", "green", "red", stable="green"))
    story.auto_test = False
    story.order("switch", "red", dry_run=True).configure(policy(stable="green"))
    said = story.replies["o1"]
    assert (said.code, said.error, said.message) == (
        2,
        "unknown_upstream",
        "a reload removed red from the configuration",
    )


def test_a_forced_order_is_warned_of_what_would_have_bound_another_one() -> None:
    story = steady().live(5_000, green="fail").look(disabled="")
    story.order("switch", "green", force=True)
    assert story.replies["o1"].data["warnings"] == [
        "disabled: switching is off: /etc/healthguard/DISABLE exists (no reason given)",
        "standby_not_up: green is down: connection refused",
    ]


# ---------------------------------------------------------------- the turn


def test_at_its_turn_an_order_waits_for_a_fact_that_has_become_too_old() -> None:
    story = steady()
    story.auto_turn = False
    story.after(14_000).passes("green", 2).order("switch", "green").forget().after(1_000).turn()
    story.says("GiveBackTurn", only=("GiveBackTurn", "AskTurn", "Commit", "Reply"))
    story.auto_turn = True
    story.look()
    assert story.replies["o1"].code == 0


def test_at_its_turn_an_order_whose_ticket_is_too_old_is_tested_anew() -> None:
    story = steady()
    story.auto_turn = False
    story.order("switch", "green").live(50_500).forget()
    story.auto_turn = True
    story.turn()
    story.says(
        "GiveBackTurn",
        "Prepare green!",
        "AskTurn",
        "Commit blue->green",
        "GiveBackTurn",
        only=("GiveBackTurn", "Prepare green!", "AskTurn", "Commit"),
    )
    assert story.replies["o1"].code == 0


def test_at_its_turn_an_order_is_refused_by_what_has_closed_meanwhile() -> None:
    story = steady()
    story.auto_turn = False
    story.order("switch", "green").look(disabled="hands off").forget().turn()
    story.says("GiveBackTurn", "refused disabled", "Reply o1 1 disabled")
    off = "switching is off: /etc/healthguard/DISABLE exists (hands off)"
    assert story.replies["o1"].message == off
