"""When the guard does not act although something fails, and that it says why."""

import resource
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.apps import App
from tests.support.eventually import eventually
from tests.support.world import World, never


def test_a_failure_in_steady_state_goes_to_the_stable_upstream(stable: World) -> None:
    stable.app("blue").kill()
    stable.wait_served("green")
    done = stable.daemon.wait_event("switch_completed")
    assert (done["trigger"], done["from"], done["to"]) == ("automatic", "blue", "green")
    assert not stable.daemon.events("bake_started"), "the stable upstream needs no probation"


def test_a_fresh_install_has_nowhere_to_go_until_somebody_vouches(world: World) -> None:
    world.wait_pool(target=None, rollback_ready=False, ready_gate="no_target")
    assert "no_target" in world.cli("ready", "app", code=1)
    world.app("blue").kill()
    event = world.wait_hold("no_target")
    assert "healthguard good" in event["reason"]
    assert event["wanted"] is True
    assert world.nginx.linked() == "blue"
    world.cli("good", "app", "green")
    world.wait_served("green")
    assert world.daemon.wait_event("release_marked", mark="good")["upstream"] == "green"


def test_no_switch_onto_a_standby_that_is_down(stable: World) -> None:
    stable.app("green").kill()
    stable.wait_health(green="down")
    stable.wait_pool(rollback_ready=False, ready_gate="standby_not_up")
    stable.app("blue").kill()
    event = stable.wait_hold("standby_not_up")
    assert event["both_down"] is True
    assert "refused" in event["reason"]
    assert stable.nginx.linked() == "blue"
    assert not stable.daemon.events("switch_started")
    stable.app("green").start()  # the first to come back gets the traffic
    stable.wait_served("green")


def test_a_single_blip_is_no_reason(stable: World) -> None:
    blue = stable.app("blue")
    for _ in range(3):
        before = blue.requests()
        blue.answer(status=503)
        eventually(lambda before=before: blue.requests() > before, step=0.001)
        blue.answer()
        stable.wait_health(blue="up")
        eventually(lambda: stable.pool()["upstreams"]["blue"]["probes"]["health"]["fails"] == 0)
    eventually(lambda: (stable.metric(FAILS) or 0) >= 3, what="the failures were seen")
    assert not stable.daemon.events("switch_started", "bake_started")
    assert stable.nginx.linked() == "blue"


FAILS = (
    'healthguard_probe_results_total{pool="app",probe="health",reason="status",result="fail",'
    'upstream="blue"}'
)


def test_a_recovery_within_min_down_withdraws_the_switch(tmp_path: Path) -> None:
    with World(tmp_path, pool={"stable": "green", "rollback": {"min_down": "1500ms"}}) as world:
        world.settled().wait_pool(rollback_ready=True)
        world.app("blue").answer(status=503)
        world.wait_health(blue="down")
        world.wait_pool(phase="steady", hold="min_down")
        world.app("blue").answer()
        world.wait_health(blue="up")
        never(lambda: world.daemon.events("switch_started"), during=1.5)


def test_what_is_our_own_fault_counts_for_nothing(stable: World) -> None:
    """Without free descriptors no probe can be made: that is not the apps' failure."""
    pid = stable.daemon.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    eventually(lambda: (stable.metric(INCONCLUSIVE) or 0) == 0)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    asked = stable.app("blue").requests()
    never(lambda: stable.daemon.events("switch_started"), during=1.5)
    unasked = stable.app("blue").requests()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert unasked - asked <= 2, "the test did not keep it from probing"
    eventually(lambda: (stable.metric(INCONCLUSIVE) or 0) >= 3, what="inconclusive results")
    stable.wait_health(blue="up", green="up")
    assert not stable.daemon.events("switch_started")
    assert not [e for e in stable.daemon.events("health_changed") if e["to"] == "down"]


INCONCLUSIVE = (
    'healthguard_probe_results_total{pool="app",probe="health",reason="no_descriptors",'
    'result="inconclusive",upstream="blue"}'
)


@pytest.mark.parametrize("break_again", [App.kill, App.hang])
def test_a_known_bad_upstream_is_not_gone_back_to(
    world: World, break_again: Callable[[App], None]
) -> None:
    world.release("green")
    world.app("green").answer(status=503)
    world.wait_served("blue")
    world.app("green").answer()
    world.cli("good", "app", "blue")
    world.wait_health(green="up")
    break_again(world.app("blue"))
    # green was vouched for by nobody, and left because it failed
    world.wait_pool(phase="holding")
    assert world.pool()["hold"] in ("no_target", "known_bad")
    never(lambda: world.nginx.linked() == "green", during=0.5)
    world.cli("switch", "app", "green")  # a person may, and it says so
    world.wait_served("green")
    assert world.daemon.wait_event("release_marked", mark="cleared")["upstream"] == "green"
    assert world.pool()["upstreams"]["green"]["known_bad"] is None


def test_the_mark_is_forgotten_on_request(stable: World) -> None:
    stable.app("blue").answer(status=503)
    stable.wait_served("green")
    stable.app("blue").answer()
    stable.cli("good", "app", "green")
    stable.wait_health(blue="up")
    assert stable.pool()["upstreams"]["blue"]["known_bad"]
    stable.cli("clear", "app", "blue")
    assert stable.pool()["upstreams"]["blue"]["known_bad"] is None


def test_cooldown_budget_latch_and_ack(tmp_path: Path) -> None:
    rollback = {"cooldown": "1500ms", "budget": {"switches": 2, "per": "10m"}}
    with World(tmp_path, pool={"rollback": rollback}) as world:
        world.settled()
        for color in ("blue", "green"):
            world.cli("good", "app", color)
        world.wait_pool(rollback_ready=True)
        world.app("blue").answer(status=503)
        world.wait_served("green")
        world.app("blue").answer()
        world.wait_health(blue="up")
        world.cli("clear", "app", "blue")
        world.app("green").answer(status=503)
        world.wait_hold("cooldown")
        world.wait_served("blue")
        first, second = world.daemon.events("switch_started")
        assert wall(second) - wall(first) >= 1.5

        world.app("green").answer()
        world.wait_health(green="up")
        world.cli("clear", "app", "green")
        world.app("blue").answer(status=503)
        world.wait_pool(latched=True)
        event = world.wait_hold("latched")
        assert "2 automatic switches in" in world.daemon.wait_event("latched")["reason"]
        assert "latched" in world.cli("ready", "app", code=1)
        assert world.nginx.linked() == "blue"
        assert event["pool"] == "app"
        world.cli("ack", "app")
        world.wait_served("green")
        assert world.daemon.wait_event("acked")["actor"]["user"] == "root"
        world.wait_pool(latched=False)


def wall(event: dict[str, object]) -> float:
    return datetime.fromisoformat(str(event["ts"])).timestamp()
