"""How a commit may end, and what is believed, charged, marked and said afterwards."""

import pytest

from healthguard.core.evidence import evidence
from healthguard.core.moments import iso
from healthguard.views.pool import why_view

from .story import Story, policy


def switching(trigger: str = "automatic", pol: object = None) -> Story:
    """A switch blue->green is under way: blue is down, or a person wants it."""
    story = Story(pol) if pol is not None else Story()  # type: ignore[arg-type]
    story.steady().live(20_000)
    story.auto_end = None
    if trigger == "automatic":
        story.live(5_000, blue="fail")
    else:
        story.order("switch", "green")
    assert story.said[-1] == "Commit blue->green" or "Commit blue->green" in story.said
    return story.forget()


def test_completed_automatically() -> None:
    story = switching().finished("completed")
    story.says(
        "GiveBackTurn",
        "switch_completed blue->green automatic",
        "mark blue bad",
        "Prepare blue",
        "not ready: no_target",
    )
    assert story.memory.active == "green"
    assert story.memory.bake is None
    assert story.memory.attempt is None
    assert len(story.memory.charges.at_ms) == 1


@pytest.mark.parametrize("end", ["completed", "undone", "lost"])
def test_why_tells_how_the_last_decision_ended(end: str) -> None:
    story = switching("manual")
    begun = why_view(story.state, story.instant).last_decision
    story.finished(end)
    ended = why_view(story.state, story.instant).last_decision
    assert begun["event"] == "switch_started"  # type: ignore[index]
    assert ended["event"] == f"switch_{end}"  # type: ignore[index]
    assert ended["message"] == f"it {end}"  # type: ignore[index]
    assert ended["at_wall_ms"] == begun["at_wall_ms"]  # type: ignore[index]


def test_by_hand_is_never_the_way_onto_the_one_that_failed() -> None:
    """Unclear, the link left on green, blue down: the command makes green so."""
    story = switching().finished("unclear")
    story.look(marker_problem="the marker is silent", marker=None)
    why = why_view(story.state, story.instant)
    assert (why.active, why.target) == (None, None)
    assert why.by_hand[0] == "healthguard switch app green --reason TEXT"


def test_completed_by_hand_begins_a_bake_and_marks_nobody_who_was_well() -> None:
    story = switching("manual").finished("completed")
    story.says(
        "GiveBackTurn",
        "switch_completed blue->green manual",
        "bake_started green",
        "Reply o1 0",
        "Prepare blue",
        only=("GiveBackTurn", "switch", "bake", "mark", "Reply", "Prepare"),
    )
    assert story.memory.charges.at_ms == ()
    assert story.memory.bake is not None
    assert story.memory.bake.origin == "blue"


def test_undone_is_not_a_switch_but_keeps_its_charge() -> None:
    story = switching().finished("undone")
    story.says(
        "GiveBackTurn",
        "switch_undone blue->green automatic",
        "hold cooldown",
        only=("GiveBackTurn", "switch", "mark", "hold", "AskTurn", "Commit"),
    )
    assert story.memory.active == "blue"
    assert story.memory.marks == {}
    assert len(story.memory.charges.at_ms) == 1


def test_undone_is_not_tried_again_before_the_cooldown() -> None:
    story = switching().finished("undone").forget()
    story.look().never("AskTurn", "Commit")
    ended = story.now
    story.live(60_000 - 5_500, blue="fail").never("AskTurn", "Commit")
    story.live(10_000, blue="fail")
    assert "Commit blue->green" in story.said
    assert story.now - ended >= 60_000 - 5_500


def test_undone_is_tried_again_when_a_file_has_changed() -> None:
    story = switching().finished("undone").forget()
    story.live(5_000, blue="fail").never("AskTurn", "Commit")
    story.look(stamp="mended").live(1_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_lost_holds_everything_until_truth_and_a_person() -> None:
    story = switching().finished("lost").live(5_000, blue="fail")
    story.says("switch_lost blue->green automatic", only=("switch_lost", "AskTurn", "Commit"))
    assert story.hold() is not None
    assert story.gates()["lost"].closed
    story.order("switch", "green").says("order o1 switch", "refused lost", "Reply o1 1 lost")
    story.order("ack").says("order o2 ack", "refused lost", "Reply o2 1 lost")
    story.hand_moves("blue").look().forget().order("ack")
    assert story.replies["o3"].code == 0
    assert not story.gates()["lost"].closed


def test_lost_answers_five_and_undone_four() -> None:
    for outcome, code in (("lost", 5), ("undone", 4), ("unclear", 5), ("completed", 0)):
        story = switching("manual").finished(outcome)
        assert story.replies["o1"].code == code, outcome


def test_unclear_leaves_the_link_says_so_and_believes_nobody() -> None:
    story = switching().finished("unclear")
    story.says("switch_lost blue->green automatic", only=("switch",))
    story.look()
    assert story.gates()["active_unknown"].closed
    story.live(10_000, blue="fail", green="fail").never("AskTurn", "Commit")
    assert story.state.told.hold == "active_unknown"
    story.order("switch", "green", force=True)  # reloads, and proves it
    assert "Commit green->green" in story.said
    story.finished("completed")
    assert story.gates()["active_unknown"].closed is False


def test_an_unclear_one_is_undone_only_if_what_was_left_is_up() -> None:
    assert switching("automatic").switch.undo_unclear is False
    assert switching("manual").switch.undo_unclear is True


def test_refused_gives_the_charge_back_and_names_the_gate() -> None:
    story = switching().finished("refused", "nginx_upgrading")
    story.says(
        "GiveBackTurn",
        "switch_undone blue->green automatic (nginx_upgrading)",
        "hold nginx_upgrading",
        only=("GiveBackTurn", "switch", "AskTurn", "hold"),
    )
    assert story.memory.charges.at_ms == ()
    assert story.memory.attempt is None


def test_refused_because_a_file_changed_is_tested_once_more_at_once_and_only_once() -> None:
    story = switching()
    story.finished("refused", "config_invalid")
    story.says(
        "GiveBackTurn",
        "switch_undone blue->green automatic (config_invalid)",
        "Prepare green!",
        "AskTurn",
        "switch_started blue->green automatic",
        "Commit blue->green",
        only=("GiveBackTurn", "switch", "Prepare", "AskTurn", "Commit"),
    )
    assert len(story.memory.charges.at_ms) == 1
    story.finished("refused", "config_invalid").never("AskTurn")
    assert story.memory.charges.at_ms == ()


def test_a_refused_order_is_told_the_gate() -> None:
    story = switching("manual").finished("refused", "link_unmanaged")
    assert (story.replies["o1"].code, story.replies["o1"].error) == (1, "link_unmanaged")


def test_an_end_of_another_switch_is_none_of_ours() -> None:
    story = switching()
    attempt = story.memory.attempt
    assert attempt is not None
    from healthguard.core.events import SwitchFinished
    from healthguard.core.model import Done

    story.send(SwitchFinished(story.instant, "app-old-1", Done("completed"))).quiet()
    assert story.memory.attempt == attempt


def test_what_was_looked_at_before_the_end_is_not_believed() -> None:
    """A look that began before the switch ended shows a link that is no more."""
    from dataclasses import replace

    from healthguard.core.events import Observed

    story = switching()
    early = Observed(story.instant, story.link, story.nginx, story.instant.boot_ms)
    story.after(100).finished("completed").after(10).forget()
    story.send(replace(early, at=story.instant)).quiet()
    assert story.gates()["active_unknown"].evidence.startswith("nginx uses green")


def test_an_end_that_is_known_before_the_first_look_is_believed() -> None:
    story = switching().restart(3_000)
    assert story.state.seen.link is None
    story.finished("completed")
    assert story.state.seen.link is not None
    assert (story.memory.active, story.state.seen.link.upstream) == ("green", "green")


def test_an_undo_does_not_make_us_believe_what_the_link_does_not_name() -> None:
    """Link green, workers blue; an order to red is undone: the link names green again."""
    pol = policy("blue", "green", "red", stable="green")
    story = Story(pol).steady().live(5_000)
    story.hand_moves("green", reload=False).look()
    assert story.gates()["active_unknown"].closed
    story.auto_end = None
    story.order("switch", "red").finished("undone").look()
    assert story.state.seen.link is not None
    assert story.state.seen.link.upstream == "green"
    assert story.gates()["active_unknown"].evidence.split()[0] != "blue"


@pytest.mark.parametrize("reloaded", [True, False])
def test_the_answer_that_never_came_is_settled_by_what_is_seen(reloaded: bool) -> None:
    story = switching("manual")
    story.after(100).finished("").forget().after(100)
    if reloaded:
        story.hand_moves("green").look()
        story.says("switch_completed blue->green manual", only=("switch",))
        assert story.replies["o1"].code == 0
    else:
        story.look().says("switch_undone blue->green manual", only=("switch",))
        assert story.replies["o1"].code == 4


def test_an_end_that_nobody_ever_learns_is_lost_after_a_minute() -> None:
    story = switching("manual")
    story.after(100).finished("").forget().after(100).hand_moves("green", reload=False)
    story.live(59_000).says(only=("switch",))
    story.live(3_000).says("switch_lost blue->green manual", only=("switch",))
    assert story.replies["o1"].code == 5
    assert "is still unknown" in story.memory.lost


def test_lost_marks_what_was_left_because_it_failed() -> None:
    story = switching().finished("lost")
    assert "blue" in story.memory.marks


def test_a_refusal_by_a_gate_nobody_knows_still_holds() -> None:
    story = switching().finished("refused", "no_such_gate").live(1_000, blue="fail")
    assert story.closed("green")[0] == "switcher_unavailable"


def test_the_first_failing_answer_is_kept_however_long_the_run() -> None:
    story = Story(policy(stable=None)).steady().live(5_000)
    story.live(500, blue="fail")
    first = story.state.upstreams["blue"].probes["health"].first_fail
    story.live(30_000, blue="fail")
    probe = story.state.upstreams["blue"].probes["health"]
    assert first is not None
    assert first not in probe.recent
    assert evidence(story.state, "blue")[0]["at"] == iso(first.at.wall_ms)
    story.live(3_000)
    assert story.state.upstreams["blue"].probes["health"].first_fail is None
