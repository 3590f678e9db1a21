"""Cooldown, budgets, latch: how often an automatic switch may be tried."""

from healthguard.core.model import Policy

from .story import Story, policy

HOUR = 3_600_000


def limits(**rollback: int) -> Policy:
    return policy(stable="green", rollback={"min_down_ms": 1_000, **rollback})


def fails_over(story: Story) -> bool:
    """Blue fails for a while; True if green was made active (then blue is put back by hand)."""
    story.live(4_000, blue="fail")
    if story.memory.active != "green":
        return False
    story.live(3_000).order("good", "blue").order("switch", "blue").live(2_000)
    story.memory_of_bake = story.memory.bake  # type: ignore[attr-defined]
    return True


def begin(pol: Policy) -> Story:
    return Story(pol).steady().live(20_000).forget()


def test_no_second_switch_before_the_cooldown_is_over() -> None:
    story = begin(limits(cooldown_ms=60_000))
    assert fails_over(story)
    story.live(4_000, blue="fail").live(10_000, blue="fail")
    assert story.memory.active == "blue"
    assert story.hold() == "cooldown"
    story.live(50_000, blue="fail")
    assert story.memory.active == "green"


def test_a_spent_budget_latches_when_a_switch_is_wanted_until_ack() -> None:
    story = begin(limits(cooldown_ms=1_000, budget_switches=2))
    assert fails_over(story)
    assert fails_over(story)
    assert story.memory.charges.latched_ms is None  # spent, but nothing is wanted
    assert "latched" in story.closed()
    story.forget().live(4_000, blue="fail").never("Commit")
    assert "latched" in story.said
    story.live(2 * 600_000, blue="fail").never("Commit")  # time alone does not open it
    assert story.hold() == "latched"
    story.forget().order("ack").live(2_000, blue="fail")
    assert "acked" in story.said
    assert story.memory.active == "green"


def test_a_budget_that_was_not_wanted_comes_back_by_time() -> None:
    story = begin(limits(cooldown_ms=1_000, budget_switches=1, budget_per_ms=120_000))
    assert fails_over(story)
    assert "latched" in story.closed()
    story.live(120_000)
    assert "latched" not in story.closed()
    assert fails_over(story)


def test_the_daily_budget() -> None:
    story = begin(
        limits(cooldown_ms=1_000, budget_switches=1, budget_per_ms=10_000, daily_budget=2)
    )
    for _ in range(2):
        assert fails_over(story)
        story.live(15_000)
    assert not fails_over(story)
    assert story.hold() == "latched"
    assert "24h" in story.record("latched")["reason"]  # type: ignore[operator]


def test_orders_cost_nothing() -> None:
    story = begin(limits())
    for to in ("green", "blue") * 5:
        story.order("switch", to).live(2_000)
    assert story.memory.charges.at_ms == ()
    assert "latched" not in story.closed()


def test_a_crash_keeps_the_charge() -> None:
    story = begin(limits())
    story.auto_end = None
    story.live(4_000, blue="fail")
    assert "Commit blue->green" in story.said
    story.restart(3_000)
    assert len(story.memory.charges.at_ms) == 1
    assert story.memory.attempt is not None
    story.look().after(100).finished("undone")
    assert len(story.memory.charges.at_ms) == 1
    assert "cooldown" in story.closed()


def test_charges_and_latch_survive_a_reboot() -> None:
    story = begin(limits(cooldown_ms=60_000))
    assert fails_over(story)
    story.restart(10_000, reboot=True).look()
    assert "cooldown" in story.closed()
    left = max(story.memory.charges.at_ms) + 60_000 - story.instant.boot_ms
    assert 0 < left < 60_000
    story.restart(HOUR, reboot=True).look()
    assert "cooldown" not in story.closed()


def test_a_latch_survives_a_restart() -> None:
    story = begin(limits(cooldown_ms=1_000, budget_switches=1))
    fails_over(story)
    story.live(4_000, blue="fail")
    assert "latched" in story.said
    story.restart().look()
    assert "latched" in story.closed()
