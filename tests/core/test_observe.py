"""Mode observe: what would have been done, once per failure, at the rate it really would."""

from dataclasses import replace

from .story import Story, policy


def observing(**rollback: int) -> Story:
    pol = policy(stable="green", mode_steady="observe", mode_bake="observe", rollback=rollback)
    return Story(pol).steady().live(20_000).forget()


def failure(story: Story) -> int:
    """One failure of blue and its recovery; how often it was said."""
    story.forget().live(10_000, blue="fail").live(3_000)
    story.never("AskTurn", "Commit", "switch_")
    return story.said.count("would_switch blue->green")


def test_it_is_said_once_for_a_failure_however_long() -> None:
    story = observing()
    story.live(600_000, blue="fail").never("AskTurn", "Commit", "switch_")
    assert story.said.count("would_switch blue->green") == 1


def test_it_is_said_at_the_real_rate() -> None:
    story = observing(cooldown_ms=60_000, budget_switches=2)
    assert failure(story) == 1
    assert failure(story) == 0  # the cooldown would have held it
    story.live(60_000)
    assert failure(story) == 1
    story.live(60_000)
    assert failure(story) == 0  # the budget would have been spent
    assert story.memory.charges.at_ms == ()
    assert story.memory.charges.latched_ms is None
    assert story.memory.shadow.latched_ms is not None


def test_the_failure_that_spent_the_budget_does_not_latch() -> None:
    """It would have been over with that switch; only the next one wants more than there is."""
    story = observing(cooldown_ms=5_000, budget_switches=1)
    story.live(120_000, blue="fail").never("latched")
    story.live(3_000).live(20_000, blue="fail")
    assert story.memory.shadow.latched_ms is not None


def test_the_shadow_is_dropped_with_the_mode() -> None:
    story = observing(cooldown_ms=600_000)
    assert failure(story) == 1
    assert "cooldown" in story.closed()
    story.configure(replace(story.policy, mode_steady="auto", mode_bake="auto"))
    assert story.closed() == []
    story.live(5_000, blue="fail")
    assert story.memory.active == "green"


def test_real_charges_count_in_observe() -> None:
    story = Story(policy(stable="green")).steady().live(20_000).live(5_000, blue="fail")
    story.live(3_000).order("switch", "blue").live(2_000)
    story.configure(replace(story.policy, mode_steady="observe", mode_bake="observe"))
    assert failure(story) == 0
    assert "cooldown" in story.closed()


def test_orders_are_carried_out_in_observe() -> None:
    story = observing().order("switch", "green")
    assert story.replies["o1"].code == 0


def test_a_mode_of_its_own_in_the_bake() -> None:
    pol = policy(stable="green", mode_steady="observe", mode_bake="auto", bake={"for_ms": 60_000})
    story = Story(pol).steady().live(20_000).order("switch", "green").live(5_000)
    story.live(5_000, green="fail")
    assert story.memory.active == "blue"
