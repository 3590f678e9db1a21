"""A switch that waits for a person: one at a time, with its evidence and its command."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from healthguard.views.pool import pool_view, proposal_view

from .story import FAIL, Story, policy


def proposing(**rest: object) -> Story:
    pol = policy(stable="green", mode_steady="propose", mode_bake="propose", **rest)  # type: ignore[arg-type]
    return Story(pol).steady().live(20_000).forget()


def opened(**rest: object) -> Story:
    """Blue is down and a proposal is open."""
    story = proposing(**rest).live(5_000, blue=FAIL)
    assert story.memory.proposal is not None
    return story


def last_reply(story: Story) -> tuple[int, str]:
    outcome = story.replies[f"o{story.orders}"]
    return outcome.code, outcome.error


def test_it_says_what_why_and_how() -> None:
    story = opened()
    assert "hold mode" in story.said
    story.never("AskTurn", "Commit", "would_switch")
    fields = story.record("proposal_opened")
    record = next(each for each in story.records if each.event == "proposal_opened")
    assert fields["proposal"] == record.event_id
    assert (fields["from"], fields["to"]) == ("blue", "green")
    assert fields["command"] == f"healthguard approve app --id {record.event_id}"
    assert str(fields["reason"]).startswith("blue has been failing for 3s: ")
    assert fields["gates"] == ["mode"]
    evidence = fields["evidence"]
    assert isinstance(evidence, list)
    assert evidence[0]["reason"] == "refused"


def test_it_is_in_the_view_until_it_ends() -> None:
    story = opened()
    view = proposal_view(story.state)
    assert view is not None
    assert pool_view(story.state, story.instant).proposal == view
    assert (view.pool, view.to, view.gates) == ("app", "green", ("mode",))
    story.live(3_000)
    assert proposal_view(story.state) is None


def test_one_per_pool_and_it_stays_open() -> None:
    story = opened().live(240_000, blue=FAIL)
    assert story.said.count("proposal_opened blue->green") == 1
    story.never("proposal_closed")


def test_reminders_back_off() -> None:
    story = opened().forget()
    start, times = story.now, []
    for _ in range(30):
        story.live(60_000, blue=FAIL)
        if any("reminder" in line for line in story.said):
            times.append((story.now - start) // 60_000)
        story.forget()
    assert times == [5, 20]
    assert story.memory.proposal is not None
    assert story.memory.proposal.told == 3


def test_reminders_come_from_a_wake_when_nothing_else_happens() -> None:
    story = opened().forget()
    assert story.memory.proposal is not None
    due = story.memory.proposal.remind_ms - story.boot_base
    while story.now < due:
        assert story.now < story.wake <= due
        story.woke_at(story.wake)
    story.says("proposal_opened blue->green reminder 1", only=("proposal",))


# ------------------------------------------------------------ yes


def test_approving_it_switches_and_that_is_a_manual_switch() -> None:
    story = opened().order("approve", reason="seen the graphs")
    assert last_reply(story) == (0, "")
    assert "Commit blue->green" in story.said
    done = story.record("switch_completed")
    assert (done["trigger"], done["reason"]) == ("manual", "seen the graphs")
    assert done["actor"] == {"user": "dana", "uid": 1000, "pid": 4711}
    assert "proposal_closed blue->green" in story.said
    assert story.memory.proposal is None
    assert "mark blue bad" in story.said
    assert story.memory.charges.at_ms == ()


def test_it_can_be_approved_by_its_id_and_by_no_other() -> None:
    story = opened()
    assert story.memory.proposal is not None
    name = story.memory.proposal.proposal_id
    story.order("approve", proposal="app-1")
    assert last_reply(story) == (1, "no_proposal")
    assert name in story.replies["o1"].message
    story.order("approve", proposal=name)
    assert last_reply(story) == (0, "")


def test_approving_after_the_recovery_is_refused() -> None:
    story = opened().live(3_000)
    assert "proposal_closed blue->green" in story.said
    assert "recovered" in str(story.record("proposal_closed")["reason"])
    story.forget().order("approve")
    assert last_reply(story) == (1, "no_proposal")
    story.never("AskTurn", "Commit")


def test_a_recovery_before_its_turn_withdraws_an_approved_one() -> None:
    story = opened()
    story.auto_turn = False
    story.order("approve")
    assert story.said[-1] == "AskTurn"
    story.live(3_000).turn()
    assert story.memory.active == "blue"
    story.never("Commit")
    assert last_reply(story)[0] == 1


def test_approving_is_judged_again_at_that_moment() -> None:
    story = opened().live(5_000, blue=FAIL, green=FAIL).forget()
    assert story.memory.proposal is not None  # its condition, blue down, still holds
    story.order("approve")
    assert last_reply(story) == (1, "standby_not_up")
    story.never("Commit")
    story.live(3_000, blue=FAIL).order("approve")
    assert last_reply(story) == (0, "")


def test_approving_twice_joins_or_finds_nothing() -> None:
    story = opened()
    story.auto_end = None
    story.order("approve").order("approve")
    story.finished()
    assert story.replies["o1"].code == 0
    assert story.replies["o2"].code == 0
    story.order("approve")
    assert last_reply(story) == (1, "no_proposal")


def test_what_was_not_in_the_way_when_it_was_opened_is_not_passed() -> None:
    """The proposal names `mode`; the dependency that fails since is a reason to look again."""
    story = opened()
    story.disabled = "stop everything"
    story.look().order("approve")
    assert last_reply(story) == (1, "disabled")


def test_approve_and_reject_without_a_proposal() -> None:
    story = proposing().order("approve").order("reject")
    assert [story.replies[o].error for o in ("o1", "o2")] == ["no_proposal", "no_proposal"]


# ------------------------------------------------------------ no


def test_rejected_it_is_not_opened_again_before_a_recovery() -> None:
    story = opened().order("reject", reason="repairing it")
    assert last_reply(story) == (0, "")
    assert "rejected by dana: repairing it" in str(story.record("proposal_closed")["reason"])
    story.forget().live(600_000, blue=FAIL).never("proposal")
    story.live(3_000).live(5_000, blue=FAIL)
    story.says("proposal_opened blue->green", only=("proposal",))


def test_a_rejection_survives_a_restart() -> None:
    story = opened().order("reject").restart().look().forget()
    story.live(60_000, blue=FAIL).never("proposal")


# ------------------------------------------------------------ other ends


def test_it_survives_a_restart_and_can_then_be_approved() -> None:
    story = opened()
    assert story.memory.proposal is not None
    name = story.memory.proposal.proposal_id
    story.restart().look().forget().live(5_000, blue=FAIL)
    story.never("proposal_opened", "proposal_closed")
    story.order("approve", proposal=name)
    assert last_reply(story) == (0, "")


def test_a_manual_switch_ends_it() -> None:
    story = opened().order("switch", "green")
    assert "proposal_closed blue->green" in story.said
    assert story.memory.proposal is None


def test_another_target_ends_it_and_a_newer_one_is_opened() -> None:
    pol = policy("blue", "green", "red", stable="green", mode_steady="propose")
    story = Story(pol).steady().live(20_000).live(5_000, blue=FAIL).forget()
    story.configure(replace(pol, stable="red")).live(2_000, blue=FAIL)
    story.says("proposal_closed blue->green", "proposal_opened blue->red", only=("proposal",))


def test_with_mode_auto_it_is_carried_out_without_asking_any_longer() -> None:
    story = opened()
    story.configure(replace(story.policy, mode_steady="auto")).live(1_000, blue=FAIL)
    assert story.memory.active == "green"
    assert "proposal_closed blue->green" in story.said


def test_with_mode_observe_nobody_is_asked_any_longer() -> None:
    story = opened()
    story.configure(replace(story.policy, mode_steady="observe")).live(1_000, blue=FAIL)
    assert "proposal_closed blue->green" in story.said
    story.live(60_000, blue=FAIL)
    assert story.said.count("proposal_opened blue->green") == 1


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda it: it.live(3_000), "blue has recovered"),
        (lambda it: it.order("switch", "green"), "green is active now"),
        (lambda it: it.configure(replace(it.policy, stable=None)),
         "green is no longer the target"),
        (lambda it: it.configure(replace(it.policy, mode_steady="observe")),
         "the mode is observe now"),
        (lambda it: it.configure(policy("blue", "green", "red", stable="red",
                                        mode_steady="propose")).live(2_000, blue=FAIL),
         "green is no longer the target"),
        (lambda it: it.order("reject", reason=""), "rejected by dana"),
    ],
)  # fmt: skip
def test_it_says_why_it_has_ended(end: Callable[[Story], Story], reason: str) -> None:
    story = opened()
    end(story)
    assert story.record("proposal_closed")["reason"] == reason


# ------------------------------------------------------------ when it is opened


def test_per_phase() -> None:
    """{bake: auto, steady: propose}: a bad release goes back by itself, an incident asks."""
    story = Story(policy(stable="green", mode_steady="propose")).steady().live(20_000)
    story.order("switch", "green").live(5_000, green=FAIL)
    assert story.memory.active == "blue"
    story.never("proposal")


def test_nobody_is_asked_where_the_standby_could_not_take_it() -> None:
    story = proposing().live(3_000, green=FAIL).live(20_000, blue=FAIL, green=FAIL)
    story.never("proposal_opened")


def test_held_back_only_by_known_bad_a_person_is_asked_in_every_mode() -> None:
    for mode in ("auto", "propose", "observe"):
        story = Story(policy(stable="green")).steady().live(20_000)
        story.order("switch", "green").live(3_000).live(5_000, green=FAIL).live(70_000).forget()
        assert story.memory.active == "blue"
        assert story.hold() == "known_bad"
        story.configure(replace(story.policy, mode_steady=mode))
        story.live(10_000, blue=FAIL)
        story.says("proposal_opened blue->green", only=("proposal", "AskTurn", "Commit"))
        story.order("approve")
        assert story.memory.active == "green"
        assert "mark green cleared" in story.said


def test_after_a_forced_order_its_bake_only_proposes() -> None:
    story = Story(policy(stable="green")).steady().live(20_000).live(3_000, green=FAIL)
    story.order("switch", "green", force=True).live(3_000).live(1_000).forget()
    assert story.memory.active == "green"
    story.live(5_000, green=FAIL)
    story.says("proposal_opened green->blue", only=("proposal", "AskTurn", "Commit"))


def test_a_pause_that_ended_with_the_active_down_only_proposes() -> None:
    story = Story(policy(stable="green")).steady().live(20_000)
    story.order("pause", for_ms=10_000).live(11_000, blue=FAIL).forget()
    story.live(10_000, blue=FAIL)
    story.says("proposal_opened blue->green", only=("proposal", "AskTurn", "Commit"))
