"""Known good, known bad: a release is judged per upstream; an untested one never gets traffic."""

from dataclasses import replace

import pytest

from healthguard.views.pool import pool_view, releases_view

from .story import FAIL, Story, policy

TEN = {"for_ms": 10_000}


def ledger(story: Story, upstream: str) -> dict[str, str]:
    """Release -> status, as `releases` shows it."""
    upstreams = releases_view(story.state, story.instant).upstreams
    return {line.release: line.status for line in upstreams[upstream].releases}


def running(blue: str = "1.4", green: str = "1.4", *, good: tuple[str, ...] = ("green",)) -> Story:
    """Blue is active; both run these releases; ``good`` are vouched for by a person."""
    story = Story(policy(releases=True, bake=TEN))
    story.runs = {"blue": blue, "green": green}
    story.steady().live(20_000)
    for name in good:
        story.order("good", name)
    return story.forget()


def deploy(story: Story, release: str, upstream: str = "green") -> Story:
    """A new release on the standby: it restarts, and answers with its name."""
    story.live(3_000, **{upstream: FAIL})
    story.runs[upstream] = release
    return story.live(4_000)


# ------------------------------------------------------------ the ledger


def test_the_first_answer_of_a_release_is_noted_as_new_once() -> None:
    story = Story(policy(releases=True))
    story.runs = {"blue": "1.4", "green": "1.5"}
    story.begins().passes("blue").passes("green")
    story.says("mark blue new", "mark green new", only=("mark",))
    story.live(10_000).never("mark")
    assert ledger(story, "green") == {"1.5": "new"}


def test_what_a_person_vouches_for_is_good() -> None:
    story = running(good=())
    assert story.closed()[0] == "no_target"
    story.order("good", "green")
    assert ledger(story, "green") == {"1.4": "good"}
    assert story.closed() == []


def test_where_a_vouched_for_upstream_names_its_release_for_the_first_time_it_is_good() -> None:
    """Releases are configured later than `good` was said: nothing becomes unproven by that."""
    story = Story(policy(stable="green")).steady().live(5_000)
    story.runs = {"blue": "1.4", "green": "1.4"}
    story.configure(policy(stable="green", releases=True)).live(2_000)
    assert ledger(story, "green") == {"1.4": "good"}
    assert ledger(story, "blue") == {"1.4": "new"}
    assert story.closed() == []


def test_what_was_known_bad_before_it_named_its_release_is_not_good_by_naming_it() -> None:
    story = Story(policy(stable="green")).steady().live(20_000)
    story.order("switch", "green").live(3_000).live(5_000, green=FAIL).live(3_000)
    assert story.memory.active == "blue"
    story.runs = {"blue": "1.4", "green": "1.5"}
    story.configure(policy(stable="green", releases=True)).live(70_000)
    assert ledger(story, "green") == {"1.5": "new"}
    assert story.hold() == "known_bad"
    assert "unproven" in story.closed()


def test_a_bake_that_passes_makes_the_release_good_and_it_stays_so() -> None:
    story = deploy(running(), "1.5")
    story.order("switch", "green").live(5_000)
    assert ledger(story, "green") == {"1.4": "good", "1.5": "baking"}
    story.forget().live(10_000)
    story.says("bake_passed green", only=("bake",))
    assert ledger(story, "green") == {"1.4": "good", "1.5": "good"}
    story.restart().look().live(5_000)
    assert ledger(story, "green") == {"1.4": "good", "1.5": "good"}
    story.restart(60_000, reboot=True).look().live(5_000)
    assert ledger(story, "green")["1.5"] == "good"
    assert pool_view(story.state, story.instant).upstreams["green"].release_status == "good"


def test_the_oldest_releases_are_forgotten() -> None:
    story = running()
    for number in range(40):
        story.runs["green"] = f"2.{number}"
        story.passes("green").after(500)
    known = ledger(story, "green")
    assert len(known) == 20
    assert "2.39" in known
    assert "1.4" not in known


def test_an_upstream_that_names_no_release_is_not_proven_where_they_are_asked_for() -> None:
    story = Story(policy(stable="green", releases=True))
    story.runs = {"blue": "1.4"}
    story.steady().live(20_000)
    assert story.hold() == "unproven"
    assert "does not report its release" in story.gates()["unproven"].evidence
    story.live(10_000, blue=FAIL).never("AskTurn", "Commit")


# ------------------------------------------------------------ unproven


def test_an_untested_release_parked_on_the_standby_never_gets_traffic_by_itself() -> None:
    story = deploy(running(), "1.5").forget()
    assert story.hold() == "unproven"
    assert "healthguard good app green" in story.gates()["unproven"].evidence
    story.live(600_000, blue=FAIL)
    assert "hold unproven" in story.said
    story.never("AskTurn", "Commit", "proposal_opened", "would_switch")
    assert story.memory.active == "blue"


def test_it_is_ready_again_once_it_is_vouched_for() -> None:
    story = deploy(running(), "1.5").forget()
    story.live(10_000, blue=FAIL).never("AskTurn")
    story.order("good", "green").never("AskTurn")
    assert "Commit blue->green" in story.live(1_000, blue=FAIL).said


def test_a_person_may_switch_to_it_and_then_it_bakes() -> None:
    story = deploy(running(), "1.5").forget()
    story.order("switch", "green")
    assert story.replies[f"o{story.orders}"].code == 0
    assert ledger(story, "green")["1.5"] == "baking"


def test_in_a_bake_the_way_back_is_what_served_until_it_began() -> None:
    """Blue was never vouched for: it served, and that is enough for the length of the bake."""
    story = deploy(running(good=()), "1.5")
    assert ledger(story, "blue") == {"1.4": "new"}
    story.order("switch", "green").live(2_000).forget()
    assert story.closed() == []
    story.live(4_000, green=FAIL)
    assert "Commit green->blue" in story.said


def test_in_a_bake_another_release_on_the_upstream_we_came_from_is_not_the_way_back() -> None:
    story = deploy(running(good=()), "1.5")
    story.order("switch", "green").live(1_000)
    deploy(story, "1.6", "blue").forget()
    story.live(10_000, green=FAIL).never("AskTurn", "Commit")
    assert story.hold() == "unproven"


def test_without_releases_an_upstream_is_what_is_judged() -> None:
    story = Story(policy(stable="green")).steady().live(20_000)
    assert "unproven" not in story.closed()
    story.live(5_000, blue=FAIL)
    assert story.memory.active == "green"


# ------------------------------------------------------------ known bad


def rolled_back() -> Story:
    """Green ran 1.5, failed in its bake, and was left for blue."""
    story = deploy(running(), "1.5")
    story.order("switch", "green").live(2_000).live(5_000, green=FAIL)
    assert story.memory.active == "blue"
    return story.live(70_000).forget()


def test_what_was_left_because_it_failed_is_bad_also_when_it_is_up_again() -> None:
    story = rolled_back()
    assert ledger(story, "green")["1.5"] == "bad"
    assert story.hold() == "known_bad"
    assert "release 1.5" in story.gates()["known_bad"].evidence
    story.live(10_000, blue=FAIL).never("AskTurn", "Commit")


def test_a_new_release_is_not_bad_but_it_is_not_proven_either() -> None:
    story = deploy(rolled_back(), "1.6")
    assert "known_bad" not in story.closed()
    assert story.hold() == "unproven"
    assert ledger(story, "green")["1.6"] == "new"
    story.order("good", "green")
    assert story.closed() == []


def test_going_back_to_the_good_release_of_before_opens_the_way() -> None:
    story = deploy(rolled_back(), "1.4")
    assert story.closed() == []
    story.live(5_000, blue=FAIL)
    assert story.memory.active == "green"


def test_the_bad_release_stays_bad_when_it_comes_back() -> None:
    story = deploy(deploy(rolled_back(), "1.4"), "1.5")
    assert story.hold() == "known_bad"
    story.restart().look().live(70_000)
    assert story.hold() == "known_bad"


def test_the_same_release_on_the_healthy_colour_is_not_condemned() -> None:
    """Both run 1.4; blue's machine is sick. Green is where the traffic goes, and stays good."""
    story = running().live(5_000, blue=FAIL)
    assert story.memory.active == "green"
    assert ledger(story, "blue") == {"1.4": "bad"}
    assert ledger(story, "green") == {"1.4": "good"}


@pytest.mark.parametrize("mode", ["auto", "propose", "observe"])
def test_bad_but_once_good_is_held_by_known_bad_alone_and_a_person_is_asked(mode: str) -> None:
    """That it failed takes nothing away from the bake it passed: only the mark is in the way."""
    story = running(good=("green", "blue")).live(5_000, blue=FAIL).live(70_000)
    assert story.memory.active == "green"
    assert story.closed() == ["known_bad"]
    story.restart().look().live(70_000).forget()
    story.configure(replace(story.policy, mode_steady=mode))
    story.live(10_000, green=FAIL)
    story.says("proposal_opened green->blue", only=("proposal", "AskTurn", "Commit"))


def test_bad_and_never_good_is_unproven_as_well() -> None:
    story = rolled_back()
    assert story.closed() == ["known_bad", "unproven"]
    story.live(10_000, blue=FAIL).never("proposal")


def test_clear_forgets_the_mark_and_a_restart_does_not_bring_it_back() -> None:
    story = rolled_back().order("clear", "green")
    story.says("mark green cleared", only=("mark",))
    assert ledger(story, "green")["1.5"] == "new"
    assert story.hold() == "unproven"  # forgiven, but never proven
    story.restart().look().live(5_000)
    assert "known_bad" not in story.closed()


def test_a_person_who_switches_to_it_on_purpose_forgives_it_and_says_so() -> None:
    story = rolled_back().order("switch", "green")
    assert "mark green cleared" in story.said
    assert ledger(story, "green")["1.5"] == "baking"


# ------------------------------------------------------------ releases and bakes


def test_a_release_never_seen_before_begins_the_probation_anew() -> None:
    story = deploy(running(), "1.5")
    story.order("switch", "green").live(6_000).forget()
    story.runs["green"] = "1.6"
    story.live(6_000)
    story.says("bake_started green", only=("bake",))
    assert ledger(story, "green")["1.6"] == "baking"
    story.live(6_000)
    story.says("bake_passed green", only=("bake",))
    assert ledger(story, "green") == {"1.4": "good", "1.5": "new", "1.6": "good"}


def test_a_probation_that_begins_anew_still_knows_what_served_before_it() -> None:
    """Blue served 1.4; what was put there meanwhile served nobody, and is no way back."""
    story = deploy(running(good=()), "1.5")
    story.order("switch", "green").live(1_000)
    deploy(story, "1.6", "blue")
    story.runs["green"] = "1.7"
    story.live(2_000).forget()
    assert story.memory.bake is not None
    assert (story.memory.bake.release, story.memory.bake.origin_release) == ("1.7", "1.4")
    assert story.hold() == "unproven"


def test_a_bake_does_not_vouch_for_a_release_that_was_not_on_probation() -> None:
    """1.6 was seen before, so that its coming does not begin the bake anew; it must not inherit."""
    story = deploy(deploy(running(), "1.6"), "1.5")
    story.order("switch", "green").live(6_000).forget()
    story.runs["green"] = "1.6"
    story.live(5_000).never("bake_passed")
    assert ledger(story, "green")["1.6"] == "baking"
    story.live(11_000)
    assert story.record("bake_passed")["release"] == "1.6"
    assert ledger(story, "green") == {"1.4": "good", "1.5": "new", "1.6": "good"}


def test_a_bake_that_began_before_any_answer_named_a_release_learns_it() -> None:
    story = Story(policy(stable="green", bake=TEN)).steady().live(20_000).order("switch", "green")
    story.configure(policy(stable="green", releases=True, bake=TEN))
    story.runs = {"blue": "1.4", "green": "1.5"}
    story.forget().live(3_000).never("bake_started")
    assert ledger(story, "green") == {"1.5": "baking"}


def test_events_name_the_releases() -> None:
    story = deploy(running(), "1.5")
    story.order("switch", "green")
    for event in ("switch_started", "switch_completed"):
        fields = story.record(event)
        assert (fields["release_from"], fields["release_to"]) == ("1.4", "1.5")
    assert story.record("bake_started")["release"] == "1.5"


def test_clear_forgives_what_was_left_and_leaves_what_is_good_as_it_is() -> None:
    story = deploy(rolled_back(), "1.4").forget()
    assert ledger(story, "green") == {"1.5": "bad", "1.4": "good"}
    story.order("clear", "green")
    assert ledger(story, "green") == {"1.5": "bad", "1.4": "good"}
    story.says("mark green cleared", only=("mark",))
    assert story.closed() == []
