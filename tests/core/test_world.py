"""What the world does by itself: other hands, restarts, doubts, reloads, late events."""

from dataclasses import replace

import pytest

from healthguard.core import events as ev
from healthguard.core.model import Answer, Expect, Instant, LinkFact, PrepareFact, UpstreamPolicy
from healthguard.views.pool import pool_view

from .story import Story, policy


def steady(pol: object = None) -> Story:
    story = Story(pol) if pol is not None else Story()  # type: ignore[arg-type]
    story.steady().live(20_000)
    return story.forget()


# ---------------------------------------------------------------- other hands


def test_somebody_elses_switch_is_adopted_and_baked() -> None:
    story = steady().hand_moves("green").look()
    story.says(
        "link_changed blue->green",
        "switch_completed blue->green external",
        "bake_started green",
        only=("link", "switch", "bake", "AskTurn"),
    )
    assert story.memory.active == "green"
    story.live(3_000).forget().live(5_000, green="fail")
    assert "Commit green->blue" in story.said


def test_a_link_moved_without_reload_is_not_believed() -> None:
    story = steady().hand_moves("green", reload=False).look()
    story.says("link_changed blue->green", "hold active_unknown", only=("link", "hold", "switch"))
    story.live(10_000, blue="fail").never("AskTurn", "Commit", "switch")


def test_a_hold_is_told_again_once_when_what_serves_goes_down_and_again_after_a_recovery() -> None:
    """Nobody knows what the admin wanted, and users see errors: the first word is not enough."""
    story = steady().hand_moves("green", reload=False).look()
    first = story.record("hold_entered")
    assert (first["wanted"], first["failure"]) == (False, "")
    story.forget().live(20_000, blue="fail")
    again = story.record("hold_entered")
    story.says("hold active_unknown", only=("hold", "left"))
    assert (again["active"], again["wanted"]) == (None, True)
    assert str(again["failure"]).startswith("blue has been failing for ")
    assert story.memory.last_decision is not None
    story.forget().live(20_000).never("hold", "left")
    story.forget().live(20_000, blue="fail").says("hold active_unknown", only=("hold", "left"))


def test_a_start_that_nobody_survives_is_told_after_two_minutes() -> None:
    pol = policy(stable="green", rollback={"start_grace_ms": 300_000})
    story = Story(pol).begins().live(119_000, blue="fail")
    story.never("hold")
    held = story.live(4_000, blue="fail").record("hold_entered")
    story.says("hold starting", only=("hold",))
    assert (held["gate"], held["wanted"]) == ("starting", True)
    story.forget().live(60_000, blue="fail").never("hold")


def test_a_marker_that_disagrees_with_the_link_is_not_believed() -> None:
    story = steady().look(marker="green")
    assert story.state.told.hold == "active_unknown"
    story.forget().look(marker="blue").says("left active_unknown")


def test_a_marker_that_went_silent_is_shown_before_it_is_needed() -> None:
    story = Story(replace(policy(), marker=True)).steady()
    story.live(5_000).look(marker="blue")
    assert pool_view(story.state, story.instant).active_problem == ""
    story.look(marker=None, marker_problem="connection refused")
    view = pool_view(story.state, story.instant)
    assert (view.active, view.active_how) == ("blue", "confirmed")
    assert "connection refused" in str(view.active_problem)


def test_a_link_that_is_not_ours_holds_at_once() -> None:
    story = steady().look(link=LinkFact(None, "not a symlink", "x", 1))
    story.says("link_changed blue->None", "hold link_unmanaged", only=("link", "hold"))


def test_a_restarted_nginx_is_inferred_from_its_age() -> None:
    story = steady()
    wall = story.instant.wall_ms
    story.look(nginx=replace(story.nginx, master="200:2", workers_since_wall_ms=wall))
    assert story.memory.confirmed is not None
    assert (story.memory.confirmed.upstream, story.memory.confirmed.master) == ("blue", "200:2")
    story.never("switch", "hold")


def test_the_first_look_of_all_is_believed_silently() -> None:
    Story().begins().never("switch", "bake", "link")


# ---------------------------------------------------------------- start and restart


def test_the_start_grace_is_of_the_host_and_a_restart_does_not_extend_it() -> None:
    pol = policy(stable="green", rollback={"start_grace_ms": 60_000})
    story = Story(pol).begins().live(40_000, blue="fail").restart(5_000).look()
    story.forget().live(14_500, blue="fail").never("AskTurn", "Commit")
    assert story.state.told.phase == "starting"
    story.live(3_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_a_reboot_begins_a_new_start_grace() -> None:
    pol = policy(stable="green", rollback={"start_grace_ms": 60_000})
    story = Story(pol).steady().live(70_000).restart(5_000, reboot=True).look()
    story.forget().live(50_000, blue="fail").never("AskTurn", "Commit")
    story.live(15_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_seen_up_in_this_boot_ends_the_grace() -> None:
    pol = policy(stable="green", rollback={"start_grace_ms": 300_000})
    story = Story(pol).begins().live(5_000).restart(1_000).look().live(5_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_verdicts_do_not_survive_a_restart() -> None:
    story = steady().live(2_500, blue="fail").restart(500).look()
    assert story.health("blue") == "unknown"


@pytest.mark.parametrize(
    ("link", "event"),
    [("green", "switch_completed blue->green automatic"),
     ("blue", "switch_undone blue->green automatic")],
)  # fmt: skip
def test_an_attempt_cut_short_by_a_crash_is_settled_by_what_is_seen(link: str, event: str) -> None:
    story = steady()
    story.auto_end = None
    story.live(5_000, blue="fail").restart(3_000)
    assert story.memory.attempt is not None
    story.look().never("switch_completed", "switch_undone")
    story.forget().after(100).finished("").after(100)
    story.hand_moves(link).look().says(event, only=("switch",))
    assert story.memory.attempt is None
    said = [each for each in story.records if each.event.startswith("switch")] or None
    assert said is None
    assert story.memory.active == link
    assert story.state.seen.link is not None, "found and proven: no second look is needed"
    assert "active_unknown" not in story.closed()


def test_an_attempt_is_not_settled_while_nobody_knows() -> None:
    story = steady()
    story.auto_end = None
    story.live(5_000, blue="fail").restart(3_000).after(10).finished("").after(100)
    story.hand_moves("green", reload=False).look().forget()
    assert story.memory.attempt is not None
    story.live(20_000, blue="fail").never("AskTurn")


# ---------------------------------------------------------------- our own faults


def test_doubt_throws_verdicts_away_and_fresh_ones_are_needed() -> None:
    story = steady().live(2_000, blue="fail").forget().doubt("suspended for 9 s")
    assert story.health("blue") == story.health("green") == "unknown"
    assert story.hold() is not None
    assert story.gates()["self_unhealthy"].evidence == "suspended for 9 s"
    story.live(10_000, blue="fail").never("AskTurn", "Commit")
    story.doubt("").after(1).never("AskTurn")
    assert story.health("blue") == "unknown"
    story.live(5_000, blue="fail")
    assert "Commit blue->green" in story.said


def test_the_same_doubt_twice_is_one() -> None:
    steady().doubt("late").live(1_000, blue="fail").forget().doubt("late").quiet()


# ---------------------------------------------------------------- policies


def test_a_reload_keeps_the_counters_of_probes_that_did_not_change() -> None:
    story = steady().fails("blue", 2).forget()
    health = replace(story.policy.health, interval_ms=9_000)
    story.configure(replace(story.policy, health=health))
    assert story.state.upstreams["blue"].probes["health"].fails == 2
    changed = UpstreamPolicy({"health": Expect(definition="another url")})
    story.configure(replace(story.policy, upstreams={**story.policy.upstreams, "blue": changed}))
    assert story.state.upstreams["blue"].probes["health"].fails == 0
    assert story.health("blue") == "unknown"
    assert story.health("green") == "up"


def test_a_reload_keeps_pause_latch_budget_marks_and_bake() -> None:
    story = steady().order("switch", "green").order("pause", for_ms=60_000)
    before = story.memory
    story.configure(replace(story.policy, stable="blue"))
    assert story.memory == before


def test_a_window_sees_what_a_run_does_not() -> None:
    pol = policy(stable="green", health={"window_fails": 5, "window_of": 10, "fall": 4})
    story = steady(pol)
    for _ in range(8):
        story.live(500, blue="fail").live(500)
    assert "Commit blue->green" in story.said


def test_a_tolerated_probe_does_not_use_up_min_down() -> None:
    """One of two may be down for hours; min_down counts from when the upstream began to fail."""
    two = {"a": Expect(), "b": Expect()}
    pol = policy(
        probes={"blue": two}, require={"blue": 1}, stable="green", rollback={"min_down_ms": 10_000}
    )
    story = Story(pol).begins()
    for _ in range(40):
        story.after(500).passes("blue", probe="a").passes("green")
        story.fails("blue", probe="b")
        if story.now % 1_000 == 0:
            story.look()
    assert story.health("blue") == "up"
    story.forget()
    for _ in range(19):
        story.after(500).fails("blue", probe="a").passes("green").fails("blue", probe="b").look()
    story.never("AskTurn")
    assert story.health("blue") == "down"
    story.after(1_000).passes("green").look().woke()
    assert "AskTurn" in story.said


def test_a_tolerated_probe_does_not_keep_the_switch_armed() -> None:
    two = {"a": Expect(), "b": Expect()}
    pol = policy(probes={"blue": two}, require={"blue": 1}, stable="green")
    story = Story(pol).begins()
    for _ in range(400):
        story.after(500).passes("blue", probe="a").passes("green").fails("blue", probe="b")
        story.look().woke()
    assert len(story.tested_for) <= 2, "an `nginx -t` every 25 s for nothing"


# ---------------------------------------------------------------- nothing raises


def test_late_events_never_turn_time_back() -> None:
    story = steady()
    early = Instant(story.instant.boot_ms - 60_000, story.instant.wall_ms - 60_000)
    now = story.state.at
    story.send(ev.Checked(early, "blue", "health", Answer(1, 200)))
    story.send(ev.Observed(early, story.link, story.nginx, early.boot_ms))
    story.send(ev.Prepared(early, "green", PrepareFact(early, "t")))
    assert story.state.at.boot_ms == now.boot_ms
    story.never("AskTurn", "Commit")


def test_events_about_what_is_no_more_are_nothing() -> None:
    story = steady()
    story.send(ev.Checked(story.instant, "red", "health", Answer(1, 200))).quiet()
    story.send(ev.Checked(story.instant, "blue", "gone", Answer(1, 200))).quiet()
    story.send(ev.Prepared(story.instant, "red", PrepareFact(story.instant, "t"))).quiet()


def test_an_order_for_an_upstream_that_a_reload_removes_is_refused_and_answered() -> None:
    story = steady(policy("blue", "green", "red", stable="green"))
    story.auto_test = False
    story.look(stamp="files-new").order("switch", "red").order("switch", "red", dry_run=True)
    story.configure(policy("blue", "green", stable="green"))
    story.tested("green").live(15_000)
    assert story.replies["o1"].code != 0
    assert story.replies["o2"].code != 0


def test_a_phase_never_changes_without_a_word() -> None:
    """Law 10: nobody looked for too long, so what was known is known no more."""
    story = steady().after(20_000).woke()
    assert "was last checked 20s ago" in str(story.record("hold_entered")["reason"])
    story.says("hold starting", only=("hold", "left"))
    story.look().says("left starting", only=("hold", "left"))


def test_two_results_in_a_row_that_we_cannot_judge_are_our_own_fault() -> None:
    story = Story().steady().live(10_000).live(1_000, blue="fail").unsure("blue", 2)
    assert story.closed()[0] == "self_unhealthy"
    assert "hold self_unhealthy" in story.said
    story.live(500, blue="fail")
    probe = story.state.upstreams["blue"].probes["health"]
    assert (probe.fails, probe.health) == (1, "unknown"), "fresh verdicts are needed"


def test_one_result_that_we_cannot_judge_is_an_accident() -> None:
    story = Story().steady().live(10_000).forget().unsure("blue").live(2_000)
    story.never("hold")
    assert story.state.upstreams["blue"].health == "up"


def test_a_window_is_not_forgotten_by_coming_up() -> None:
    window = {"window_fails": 3, "window_of": 10}
    story = Story(policy(stable="green", health=window)).steady().live(5_000)
    for _ in range(3):
        story.live(500, blue="fail", green="fail").live(500)
    story.live(2_000)
    assert story.state.upstreams["green"].health == "up"
    assert "standby_not_up" in story.closed("green")
