"""Every gate closed alone: the hold names it, ready turns false with its name, nothing moves."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from healthguard.core.gates import GATES, binding_for
from healthguard.core.health import Tally
from healthguard.core.memory import INTERRUPTED, Bake, Begun, Mark, Pause, Switch
from healthguard.core.model import Expect, LinkFact, NginxFact, Order
from healthguard.views.pool import pool_view, ready_view, why_view

from .story import Story, policy


def words(text: str) -> list[str]:
    return text.split()


def failing() -> Story:
    """Blue is down, green is up, everything is open but the one condition still to come."""
    story = Story().steady().live(40_000)
    story.auto_turn = False
    return story


def remember(story: Story, **changes: object) -> None:
    story.state = replace(story.state, memory=replace(story.memory, **changes))  # type: ignore[arg-type]


def charge(story: Story, **changes: object) -> None:
    remember(story, charges=replace(story.memory.charges, **changes))  # type: ignore[arg-type]


def _disabled(story: Story) -> None:
    story.look(disabled="maintenance\n")


def _link_unmanaged(story: Story) -> None:
    story.look(link=LinkFact(None, "it is a file, not a symlink", "x", 1))


def _nginx_down(story: Story) -> None:
    story.look(nginx=replace(story.nginx, state="down", detail="no master"))


def _nginx_upgrading(story: Story) -> None:
    story.look(nginx=replace(story.nginx, state="upgrading", detail="an old binary"))


def _active_unknown(story: Story) -> None:
    story.look(marker="green")


def _lost(story: Story) -> None:
    remember(story, lost="the undo failed")


def _starting(story: Story) -> None:
    """Blue has been down ever since this host booted."""
    story.auto_turn = False
    rollback = replace(story.policy.rollback, start_grace_ms=300_000)
    story.configure(replace(story.policy, rollback=rollback)).after(1).fails("blue", 3, 1)
    remember(story, seen_up=("green",), grace_from_ms=story.instant.boot_ms)
    story.live(3_500, blue="fail")


def _self_unhealthy(story: Story) -> None:
    seen = replace(story.state.seen, doubt="out of descriptors")
    story.state = replace(story.state, seen=seen)


def _switch_in_flight(story: Story) -> None:
    begun = Begun("app-x-1", "blue", False, "because")
    attempt = Switch("green", Order("switch"), INTERRUPTED, story.instant.boot_ms, begun=begun)
    remember(story, attempt=attempt)


def _no_target(story: Story) -> None:
    story.configure(replace(story.policy, stable=None))


def _known_bad(story: Story) -> None:
    remember(story, marks={"green": Mark(story.instant.boot_ms - 5_000, "refused")})


def _unproven(story: Story) -> None:
    """A release parked on green that nobody has vouched for."""
    story.configure(replace(story.policy, releases=True))
    green = replace(story.state.upstreams["green"], release="2.0")
    story.state = replace(story.state, upstreams={**story.state.upstreams, "green": green})


def _dependency_down(story: Story) -> None:
    story.configure(replace(story.policy, dependencies={"database": Expect()}))
    now = story.instant.boot_ms
    down = Tally("down", now, 0, 3, now - 1_000, None, now)
    seen = replace(story.state.seen, dependencies_up=("database",))
    story.state = replace(story.state, dependencies={"database": down}, seen=seen)


def _standby_not_up(story: Story) -> None:
    story.fails("green", 3, 1)


def _switcher_unavailable(story: Story) -> None:
    story.tested("green", "switcher_unavailable", "nobody answers on its socket")


def _config_invalid(story: Story) -> None:
    story.tested("green", "config_invalid", "nginx: [emerg] unknown directive")


def _min_down(story: Story) -> None:
    rollback = replace(story.policy.rollback, min_down_ms=3_600_000)
    story.configure(replace(story.policy, rollback=rollback))


def _cooldown(story: Story) -> None:
    charge(story, at_ms=(story.instant.boot_ms - 30_000,))


def _latched(story: Story) -> None:
    charge(story, latched_ms=story.instant.boot_ms)


def _forced(story: Story) -> None:
    now = story.instant.boot_ms
    bake = Bake("blue", "green", now, now + 300_000, now, forced=True)
    remember(story, bake=bake)


def _paused(story: Story) -> None:
    remember(story, pause=Pause(story.instant.boot_ms + 3_600_000, "a visit", "dana"))


def _mode(story: Story) -> None:
    story.configure(replace(story.policy, mode_steady="observe"))


CLOSE: dict[str, Callable[[Story], None]] = {
    "disabled": _disabled,
    "link_unmanaged": _link_unmanaged,
    "nginx_down": _nginx_down,
    "nginx_upgrading": _nginx_upgrading,
    "active_unknown": _active_unknown,
    "lost": _lost,
    "starting": _starting,
    "self_unhealthy": _self_unhealthy,
    "switch_in_flight": _switch_in_flight,
    "no_target": _no_target,
    "known_bad": _known_bad,
    "unproven": _unproven,
    "standby_not_up": _standby_not_up,
    "dependency_down": _dependency_down,
    "switcher_unavailable": _switcher_unavailable,
    "config_invalid": _config_invalid,
    "min_down": _min_down,
    "cooldown": _cooldown,
    "latched": _latched,
    "forced": _forced,
    "paused": _paused,
    "mode": _mode,
}
# Closed at the same time by nature: nginx is down or its link not ours, so nobody knows what it
# uses; nobody knows, so `active` is what it was.
ALONG = {
    "link_unmanaged": {"active_unknown"},
    "nginx_down": {"active_unknown"},
    "nginx_upgrading": {"active_unknown"},
}


def test_every_gate_is_here_and_in_the_order_of_the_contract() -> None:
    contract = words(
        "disabled link_unmanaged nginx_down nginx_upgrading active_unknown lost starting "
        "self_unhealthy switch_in_flight no_target known_bad unproven standby_not_up "
        "dependency_down switcher_unavailable config_invalid min_down cooldown latched forced "
        "paused mode"
    )
    assert list(GATES) == contract == list(CLOSE)
    assert all(gate.remedy for gate in GATES.values())


def test_nothing_is_closed_in_a_steady_pool() -> None:
    story = failing()
    assert story.closed() == []
    assert ready_view(story.state, story.instant).ready is True


@pytest.mark.parametrize("gate", [name for name in CLOSE if name != "min_down"])
def test_closed_alone_it_is_the_hold_and_ready_names_it(gate: str) -> None:
    story = failing()
    CLOSE[gate](story)
    assert story.closed()[0] == gate
    assert set(story.closed()) - {gate} <= ALONG.get(gate, set())
    assert story.gates()[gate].evidence
    assert not story.gates()[gate].pending
    view = ready_view(story.state, story.instant)
    assert (view.ready, view.gate) == (False, gate)
    assert pool_view(story.state, story.instant).hold == gate
    assert why_view(story.state, story.instant).remedies[gate]


@pytest.mark.parametrize("gate", CLOSE)
def test_closed_alone_it_holds_an_automatic_switch_and_says_so(gate: str) -> None:
    story = failing()
    CLOSE[gate](story)
    story.auto_test = False
    story.forget()
    for _ in range(9):
        story.after(500).fails("blue")
        if gate != "standby_not_up":
            story.passes("green")
    story.never("AskTurn", "Commit")
    quiet = {"lost", "switch_in_flight", "starting", "min_down"}  # phases of their own, or too soon
    if gate in quiet:
        return
    if gate == "mode":
        story.says("would_switch blue->green", only=("would_switch",))
        return
    told = [record.fields["gate"] for record in story.records if record.event == "hold_entered"]
    known = [story.state.told.hold]
    assert told == [gate] or known == [gate]


def test_min_down_holds_only_until_its_time() -> None:
    story = failing()
    story.fails("blue", 3, 1).live(2_500, blue="fail").never("AskTurn")
    assert story.closed() == ["min_down"]
    story.live(1_000, blue="fail").says("AskTurn", only=("AskTurn", "hold"))


# ---------------------------------------------------------------- the table of triggers

MANUAL = words(
    "disabled link_unmanaged nginx_down nginx_upgrading lost switch_in_flight standby_not_up "
    "config_invalid switcher_unavailable"
)
NEVER_FORCED = words(
    "link_unmanaged nginx_down nginx_upgrading config_invalid switcher_unavailable"
)


def test_the_tables_are_those_of_the_contract() -> None:
    assert binding_for(Order("switch")) == frozenset(MANUAL)
    assert binding_for(Order("switch", force=True)) == frozenset(NEVER_FORCED)


def ordered(gate: str, verb: str = "switch", **how: object) -> tuple[Story, str]:
    """(the story, what the order was refused with, or "AskTurn")."""
    story = failing()
    CLOSE[gate](story)
    if gate in ("config_invalid", "switcher_unavailable"):
        refusal = gate

        def refuse(upstream: str, real: object = story._tested) -> object:
            return real(upstream, refusal, "still no")  # type: ignore[operator]

        story._tested = refuse  # type: ignore[method-assign, assignment]
    story.forget().order(verb, "green" if verb == "switch" else None, **how)
    for _ in range(3):
        story.after(1).woke()
    if "AskTurn" in story.said:
        return story, "AskTurn"
    return story, story.replies["o1"].error


@pytest.mark.parametrize("gate", CLOSE)
def test_what_binds_a_manual_switch(gate: str) -> None:
    story, end = ordered(gate)
    assert end == (gate if gate in MANUAL else "AskTurn")
    if gate in MANUAL:
        assert story.replies["o1"].code == 1
        assert f"refused {gate}" in story.said


@pytest.mark.parametrize("gate", CLOSE)
def test_what_even_force_does_not_pass(gate: str) -> None:
    _, end = ordered(gate, force=True)
    # Two switches at once cannot be forced: law 3 comes before the table.
    binding = [*NEVER_FORCED, "switch_in_flight"]
    assert end == (gate if gate in binding else "AskTurn")


@pytest.mark.parametrize("gate", CLOSE)
@pytest.mark.parametrize("how", [{"trigger": "signal"}, {}])
def test_what_binds_a_signal_and_a_rollback(gate: str, how: dict[str, str]) -> None:
    """They name no upstream: what was just left stays left, or a second one would flip back."""
    _, end = ordered(gate, "rollback", **how)
    assert end == (gate if gate in [*MANUAL, "no_target", "known_bad"] else "AskTurn")


@pytest.mark.parametrize("gate", CLOSE)
def test_a_deploy_is_bound_by_all_but_the_mode(gate: str) -> None:
    story = failing()
    if gate == "no_target":
        return  # a deploy names where it goes: there is always a target
    if gate == "min_down":
        story.fails("blue")
    CLOSE[gate](story)
    story.forget().order("switch", "green", trigger="deploy")
    expected = "AskTurn" if gate == "mode" else gate
    assert expected == ("AskTurn" if "AskTurn" in story.said else story.replies["o1"].error)


# ---------------------------------------------------------------- pending facts


def test_a_stale_look_closes_the_gates_that_live_on_it_as_pending() -> None:
    story = failing().live(16_000, look=False)
    gates = story.gates()
    for name in ("link_unmanaged", "nginx_down"):
        assert gates[name].closed
        assert gates[name].pending
    story.live(5_000, look=False, blue="fail").never("AskTurn", "Commit")
    story.look()
    assert not story.gates()["nginx_down"].closed


def test_an_old_test_is_pending_and_asked_for() -> None:
    story = failing()
    story.auto_test = False
    story.forget().look(stamp="files-new").says("Prepare green")
    assert story.gates()["config_invalid"].pending
    story.live(10_000, blue="fail").never("AskTurn")
    story.forget().tested("green")
    assert "config_invalid" not in story.closed()


def test_a_refused_test_speaks_with_its_own_words() -> None:
    story = failing().tested("green", "config_invalid", "nginx: [emerg] bad.conf:7")
    assert story.gates()["config_invalid"].evidence == "nginx: [emerg] bad.conf:7"


def test_a_refusal_is_an_opinion_about_files_as_they_were() -> None:
    """Once a file has changed it is stale: pending, asked for, and never the answer to an order."""
    story = failing().tested("green", "config_invalid", "nginx: [emerg] bad.conf:7")
    story.auto_test = False
    story.forget().look(stamp="mended").says("Prepare green")
    assert story.gates()["config_invalid"].pending
    story.order("switch", "green").says("order o1 switch")
    story.tested("green").says("AskTurn", "ready")


@pytest.mark.parametrize(
    ("gate", "bad", "good"),
    [
        ("nginx_down", {"nginx": NginxFact("down", "no master runs")}, "nginx"),
        ("nginx_upgrading", {"nginx": NginxFact("upgrading", "two masters")}, "nginx"),
        ("link_unmanaged", {"link": LinkFact(None, "it is a file", "link-x", 0)}, "link"),
    ],
)
def test_a_refusal_ends_with_the_sight_that_it_was_about(
    gate: str, bad: dict[str, object], good: str
) -> None:
    """nginx is started again: `status` must not say for half a minute more that it is down."""
    story = Story(policy(stable="green")).steady().live(10_000)
    before = getattr(story, good)
    story.look(**bad).tested("green", gate, "said the switcher")
    assert gate in story.closed()
    story.auto_test = False
    story.forget().after(1_000).look(**{good: before})
    assert "Prepare green" in story.said
    assert gate not in story.closed()
    assert story.gates()["config_invalid"].pending


def test_an_order_does_not_take_an_old_refusal_for_an_answer() -> None:
    """`systemctl start healthguard-switcher.socket; healthguard switch` must not be refused."""
    story = failing().tested("green", "switcher_unavailable", "nobody answers")
    story.auto_test = False
    story.forget().after(2_000).order("switch", "green").says("order o1 switch", "Prepare green!")
    story.after(5).tested("green").says("AskTurn", "ready")


def test_an_order_is_told_a_fresh_refusal() -> None:
    story = failing().tested("green", "switcher_unavailable", "nobody answers")
    story.auto_test = False
    story.forget().after(2_000).order("switch", "green").says("order o1 switch", "Prepare green!")
    story.after(5).tested("green", "switcher_unavailable", "still nobody")
    story.says("refused switcher_unavailable", "Reply o1 1 switcher_unavailable")
    assert story.replies["o1"].message == "still nobody"


def test_an_order_waits_for_a_missing_fact_and_is_then_refused_by_its_name() -> None:
    story = failing()
    story.auto_test = False
    story.look(stamp="files-new").forget().order("switch", "green").says("order o1 switch")
    story.after(9_990).passes("green", 2, 1).never("refused")
    story.look().after(10).passes("green").woke()
    assert story.replies["o1"].error == "config_invalid"


def test_require_some_is_enough_for_the_standby() -> None:
    expect = policy().upstreams["blue"].probes["health"]
    probes = {"green": {"a": expect, "b": expect}}
    story = Story(policy(probes=probes, require={"green": 1}, stable="green")).begins()
    story.passes("blue", 2).passes("green", 2, probe="a").fails("green", 3, probe="b")
    assert story.health("green") == "up"
    assert "standby_not_up" not in story.closed()


def test_a_dry_run_does_a_real_prepare() -> None:
    story = failing()
    story.auto_test = False
    story.after(100).order("switch", "green", dry_run=True).says("Prepare green!")
    story.after(9).tested("green").says("Reply o1 0")
    assert story.replies["o1"].data["prepare_ms"] == 9
    story.after(100).order("switch", "green", dry_run=True).says("Prepare green!")
    story.after(9).tested("green", "config_invalid", "[emerg]").says(
        "Reply o2 1 config_invalid", "not ready: config_invalid"
    )
    assert story.replies["o2"].message == "[emerg]"


def no_target(story: Story) -> str:
    gate = story.gates()["no_target"]
    assert gate.closed
    return gate.evidence


def test_no_target_says_what_would_give_one() -> None:
    fresh = Story(policy()).steady()
    assert no_target(fresh) == (
        "no upstream is known to be a safe way back. If one is: `healthguard good app UPSTREAM`"
    )
    # Where `stable` is set, and is where we are, setting it is no advice.
    at_home = Story(policy(stable="blue")).steady()
    assert no_target(at_home) == (
        "blue is active and `stable`; no other upstream is known to be safe. If one is: "
        "`healthguard good app UPSTREAM`"
    )
    assert (
        at_home.order("good", "green").gates()["no_target"].evidence == "a rollback goes to green"
    )


def test_no_target_in_a_bake_whose_origin_has_gone() -> None:
    """In a bake neither `stable` nor vouching names a target: only its origin is one."""
    story = Story(policy(stable="green")).steady()
    bake = Bake("blue", "teal", story.instant.boot_ms, story.instant.boot_ms + 60_000, 0)
    remember(story, bake=bake)
    assert no_target(story) == (
        "blue is in its bake and teal, which served before, is no longer configured: "
        "no way back until the bake has passed"
    )
    remember(story, bake=replace(bake, origin=None))
    assert no_target(story) == (
        "blue is in its bake and it is not known what served before: "
        "no way back until the bake has passed"
    )
