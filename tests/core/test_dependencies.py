"""What both colours need: it can veto, never trigger, and never protect its own killer."""

from dataclasses import replace

import pytest

from healthguard.core.model import Expect
from healthguard.views.pool import pool_view

from .story import FAIL, PASS, Story, policy

DATABASE = {"dependencies": {"database": Expect(())}}


def story(mode: str = "auto", **bake: int) -> Story:
    """Blue is active and well, green is where to go to, the database answers."""
    made = Story(policy(stable="green", mode_steady=mode, bake=bake, **DATABASE))
    made.needs = {"database": PASS}
    return made.steady().live(20_000).forget()


def test_a_dependency_that_is_down_triggers_nothing() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(600_000)
    it.never("AskTurn", "Commit", "proposal").says(
        "not ready: dependency_down", "health database down", only=("not", "health")
    )
    it.needs["database"] = PASS
    it.live(5_000).says("health database up", "ready", only=("ready", "health"))


def test_it_vetoes_an_automatic_switch() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(60_000, blue=FAIL)
    it.never("AskTurn", "Commit", "proposal_opened")
    assert it.hold() == "dependency_down"
    assert it.gates()["dependency_down"].evidence == "dependency database is down"
    it.needs["database"] = PASS
    it.live(2_000, blue=FAIL)
    assert "Commit blue->green" in it.said


def test_one_failing_answer_of_it_is_doubt_enough() -> None:
    """It is not down yet when the upstream is: in doubt, wait for its next answer."""
    it = story()
    it.live(3_000, blue=FAIL)
    it.needs["database"] = FAIL
    it.depends("database", FAIL).live(500, blue=FAIL).never("AskTurn")
    assert it.gates()["dependency_down"].evidence == "dependency database is failing"
    it.needs["database"] = PASS
    it.live(500, blue=FAIL)
    assert "Commit blue->green" in it.said


def test_orders_are_not_bound_by_it() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(5_000).order("switch", "green")
    assert it.replies["o1"].code == 0
    warnings = it.record("switch_completed")["warnings"]
    assert "dependency_down: dependency database is down" in warnings  # type: ignore[operator]


def test_after_two_minutes_a_person_is_asked() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(121_000, blue=FAIL).never("proposal_opened")
    it.live(5_000, blue=FAIL)
    it.says("proposal_opened blue->green", only=("proposal", "AskTurn", "Commit"))
    assert it.memory.proposal is not None
    assert it.memory.proposal.gates == ("dependency_down",)
    it.order("approve")
    assert "Commit blue->green" in it.said
    assert it.replies["o1"].code == 0


def test_the_veto_is_timed_from_when_it_first_held_a_switch_back() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(600_000).live(60_000, blue=FAIL).never("proposal_opened")
    it.live(70_000, blue=FAIL)
    assert it.said.count("proposal_opened blue->green") == 1


def test_a_changed_file_does_not_begin_the_two_minutes_anew() -> None:
    it = story()
    it.needs["database"] = FAIL
    for minute in range(3):
        it.live(50_000, blue=FAIL).look(stamp=f"files-{minute}-new")
    assert it.said.count("proposal_opened blue->green") == 1


def test_the_dependency_that_comes_back_meanwhile_ends_veto_and_proposal() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(130_000, blue=FAIL).forget()
    it.needs["database"] = PASS
    it.live(2_000, blue=FAIL)
    assert "Commit blue->green" in it.said
    assert "proposal_closed blue->green" in it.said


def test_in_propose_mode_it_is_a_veto_all_the_same() -> None:
    it = story("propose")
    it.needs["database"] = FAIL
    it.live(100_000, blue=FAIL).never("proposal_opened")
    it.live(30_000, blue=FAIL)
    assert it.memory.proposal is not None
    assert it.memory.proposal.gates == ("dependency_down", "mode")


# ------------------------------------------------------------ in a bake


def baking() -> Story:
    it = story(for_ms=300_000).order("switch", "green").live(10_000)
    return it.forget()


def test_a_dependency_that_the_new_release_may_be_killing_does_not_protect_it() -> None:
    it = baking()
    it.needs["database"] = FAIL
    it.live(3_000).live(5_000, green=FAIL)
    assert "Commit green->blue" in it.said
    assert it.memory.active == "blue"


def test_one_that_failed_before_the_bake_began_does_protect_it() -> None:
    it = story(for_ms=300_000)
    it.needs["database"] = FAIL
    it.live(5_000).order("switch", "green").forget()
    it.live(200_000, green=FAIL)
    it.never("AskTurn", "Commit", "proposal_opened")  # the two minutes are for steady state
    assert it.hold() == "dependency_down"


def test_the_evidence_says_why_it_does_not_veto() -> None:
    it = baking()
    it.needs["database"] = FAIL
    it.live(3_000)
    assert "the release may be the cause" in it.gates()["dependency_down"].evidence
    seen = pool_view(it.state, it.instant).dependencies
    assert (seen["database"].health, seen["database"].vetoes) == ("down", False)


def test_doubt_in_ourselves_does_not_make_an_old_outage_look_new() -> None:
    """The outage is older than the bake; a thaw in its middle changes nothing about that."""
    it = story(for_ms=300_000)
    it.needs["database"] = FAIL
    it.live(5_000).order("switch", "green").live(5_000).forget()
    it.doubt("suspended").after(3_000).doubt("").look()
    it.live(20_000, green=FAIL).never("AskTurn", "Commit")
    assert it.hold() == "dependency_down"


# ------------------------------------------------------------ mistakes


def test_one_that_was_never_up_vetoes_nothing_and_is_an_alert() -> None:
    it = Story(policy(stable="green", **DATABASE))
    it.needs = {"database": FAIL}
    it.steady().live(20_000)
    assert "dependency_down" not in it.closed()
    assert "never been up since the start" in it.gates()["dependency_down"].evidence
    it.live(5_000, blue=FAIL)
    assert it.memory.active == "green"


def test_the_event_says_that_it_was_never_up() -> None:
    it = Story(policy(stable="green", **DATABASE)).begins()
    for _ in range(3):
        it.after(500).depends("database", FAIL)
    fields = it.record("health_changed")
    assert (fields["dependency"], fields["to"], fields["never_up"]) == ("database", "down", True)
    for _ in range(2):
        it.after(500).depends("database")
    assert it.record("health_changed")["never_up"] is False


def test_names_that_end_alike_are_not_mixed_up() -> None:
    it = Story(policy(stable="green", dependencies={"db": Expect(()), "main-db": Expect(())}))
    it.needs = {"db": FAIL, "main-db": PASS}
    it.steady().live(5_000)
    it.needs["main-db"] = FAIL
    it.live(5_000)
    assert it.gates()["dependency_down"].evidence == "dependency main-db is down"
    it.needs["main-db"] = PASS
    it.live(5_000)
    assert it.gates()["dependency_down"].evidence.startswith("dependency db has never been up")
    it.needs["main-db"] = FAIL
    it.live(5_000)
    seen = pool_view(it.state, it.instant).dependencies
    assert {name: each.vetoes for name, each in seen.items()} == {"db": False, "main-db": True}


def test_a_reload_drops_and_adds_dependencies() -> None:
    it = story()
    it.needs["database"] = FAIL
    it.live(5_000).configure(policy(stable="green"))
    it.needs = {}
    assert "dependency_down" not in it.closed()
    it.configure(policy(stable="green", **DATABASE))
    assert "dependency_down" not in it.closed()  # not seen up since
    it.depends("nonsense", FAIL)  # of a policy that is gone: no more than ignored


@pytest.mark.parametrize("how", [FAIL, PASS])
def test_both_colours_down_is_said_and_nothing_moves(how: str) -> None:
    it = story()
    it.needs["database"] = how
    it.live(60_000, blue=FAIL, green=FAIL)
    it.never("AskTurn", "Commit", "proposal_opened")
    hold = it.record("hold_entered")
    assert (hold["both_down"], hold["wanted"]) == (True, True)


def test_a_reload_keeps_what_is_known_of_those_that_did_not_change() -> None:
    it = story()
    it.depends("database", FAIL).after(500).depends("database", FAIL)
    it.configure(replace(it.policy, mode_steady="observe"))
    assert it.state.dependencies["database"].fails == 2
    it.configure(replace(it.policy, dependencies={"database": Expect(definition="elsewhere")}))
    assert it.state.dependencies["database"].fails == 0
