"""Paused: observed, not acted on; announced before its end; old verdicts do not outlive it."""

from .story import Story

MINUTE = 60_000


def paused(for_ms: int = 10 * MINUTE) -> Story:
    story = Story().steady().live(20_000).forget()
    return story.order("pause", for_ms=for_ms, reason="a visit")


def test_a_pause_needs_a_length_and_a_reason() -> None:
    story = Story().steady()
    for n, how in enumerate([{"for_ms": 0}, {"for_ms": -1}, {"for_ms": 5, "reason": " "}], 1):
        story.order("pause", **how)
        assert story.replies[f"o{n}"].code == 2
    assert story.memory.pause is None


def test_nothing_acts_meanwhile_and_the_hold_says_who_and_why() -> None:
    story = paused().says("order o1 pause", "paused", "Reply o1 0", "not ready: paused")
    story.live(60_000, blue="fail").never("AskTurn", "Commit")
    assert story.hold() == "paused"
    assert story.gates()["paused"].evidence == "paused by dana, 9m left: a visit"


def test_its_end_is_told_five_minutes_before() -> None:
    story = paused().forget()
    end = story.now + 10 * MINUTE
    assert 0 < story.wake <= end - 5 * MINUTE
    story.live(5 * MINUTE - 500).never("paused")
    story.live(1_000).says("paused", only=("paused", "resumed"))
    story.live(4 * MINUTE).never("paused", "resumed")


def test_its_end_throws_old_verdicts_away() -> None:
    story = paused(MINUTE).live(55_000).forget()
    story.live(5_000, look=True)
    story.at(story.now + 1).woke()
    assert story.memory.pause is None
    assert "resumed" in story.said
    story = paused(MINUTE).forget().at(20_500 + MINUTE + 5_000).woke()
    assert story.health("blue") == story.health("green") == "unknown"


def test_down_at_its_end_it_only_holds_until_it_was_up_once() -> None:
    story = paused(MINUTE).live(MINUTE + 500, blue="fail").forget()
    story.live(30_000, blue="fail").never("AskTurn", "Commit")
    assert story.hold() == "paused"
    story.live(3_000).live(5_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_down_at_its_end_resume_lets_it_act() -> None:
    story = paused(MINUTE).live(MINUTE + 30_000, blue="fail").forget()
    story.order("resume").live(1_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_resume_wants_fresh_verdicts() -> None:
    story = paused().live(30_000, blue="fail").forget().order("resume").never("AskTurn", "Commit")
    assert story.health("blue") == "unknown"
    story.live(5_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_resume_without_a_pause_is_done_already() -> None:
    story = Story().steady().order("resume")
    assert story.replies["o1"].code == 0


def test_a_signal_never_shortens_a_pause_but_a_person_may() -> None:
    story = paused(2 * 60 * MINUTE)
    until = story.memory.pause.until_ms if story.memory.pause else 0
    story.order("pause", for_ms=60 * MINUTE, trigger="signal", reason="SIGUSR2")
    assert story.memory.pause is not None
    assert story.memory.pause.until_ms == until
    assert story.replies["o2"].code == 0
    story.order("pause", for_ms=MINUTE, reason="nearly done")
    assert story.memory.pause.until_ms < until


def test_it_survives_restart_and_reboot() -> None:
    story = paused(10 * MINUTE).restart(MINUTE).look()
    assert story.memory.pause is not None
    assert story.memory.pause.until_ms - story.instant.boot_ms == 9 * MINUTE
    story.restart(2 * MINUTE, reboot=True).look()
    assert story.memory.pause is not None
    assert story.memory.pause.until_ms - story.instant.boot_ms == 7 * MINUTE


def test_a_wall_clock_that_went_back_in_a_reboot_does_not_lengthen_it() -> None:
    story = paused(10 * MINUTE).restart(MINUTE, reboot=True, wall=-3_600_000).look()
    assert story.memory.pause is not None
    assert story.memory.pause.until_ms - story.instant.boot_ms == 10 * MINUTE


def test_a_wall_clock_that_leapt_ends_it() -> None:
    story = paused(10 * MINUTE).restart(MINUTE, reboot=True, wall=10**9).look()
    assert story.memory.pause is None


def test_orders_go_on_in_a_pause() -> None:
    story = paused().order("switch", "green")
    assert story.replies["o2"].code == 0


def test_the_disable_file_pauses_and_its_end_lets_act() -> None:
    story = Story().steady().live(20_000).look(disabled="").forget()
    story.live(10_000, blue="fail").never("AskTurn", "Commit")
    story.order("switch", "green").says(
        "order o1 switch", "refused disabled", "Reply o1 1 disabled", only=("o", "refused", "Reply")
    )
    story.order("switch", "green", force=True)
    assert story.replies["o2"].code == 0
