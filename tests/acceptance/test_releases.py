"""Releases on a real host: what never passed a bake gets no traffic by itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.world import World, never

RELEASE = {"release": {"header": "X-Release-Id"}}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Blue is active; both run 1.0.0; nothing is vouched for."""
    with World(tmp_path, pool=RELEASE) as running:
        yield running.settled()


def deploy(world: World, color: str, release: str) -> None:
    """The app of ``color`` ends and comes back with another release."""
    app = world.app(color)
    app.stop()
    world.wait_health(**{color: "down"})
    app.release = release
    app.start()
    world.wait_health(**{color: "up"})
    eventually(lambda: upstream(world, color)["release"] == release)


def upstream(world: World, color: str) -> dict[str, Any]:
    found: dict[str, Any] = world.pool()["upstreams"][color]
    return found


def ledger(world: World, color: str) -> dict[str, str]:
    """Release -> status, as `healthguard releases --json` says."""
    view = json.loads(world.cli("releases", "app", "--json"))
    return {line["release"]: line["status"] for line in view["upstreams"][color]["releases"]}


def test_an_untested_release_parked_on_the_standby_gets_no_traffic_by_itself(world: World) -> None:
    world.cli("good", "app", "green")
    world.wait_pool(rollback_ready=True)
    deploy(world, "green", "2.0.0")
    world.wait_pool(rollback_ready=False, ready_gate="unproven")
    untested = "green runs 2.0.0, which has never passed a bake here"
    assert untested in world.cli("ready", "app", code=1)
    assert "green up (2.0.0, new)" in world.cli("status")

    world.app("blue").kill()
    held = world.wait_hold("unproven")
    assert held["wanted"] is True
    assert "healthguard good app green" in world.cli("why", "app")
    never(lambda: world.daemon.events("switch_started"), during=1.5)
    assert world.nginx.linked() == "blue"

    world.cli("good", "app", "green")  # somebody vouches for it: now it may
    world.wait_served("green")
    done = world.daemon.wait_event("switch_completed")
    assert (done["trigger"], done["release_from"], done["release_to"]) == (
        *("automatic", "1.0.0"),
        "2.0.0",
    )


def test_the_same_release_on_the_healthy_colour_is_not_condemned(world: World) -> None:
    world.cli("good", "app", "green")
    world.wait_pool(rollback_ready=True)
    world.app("blue").answer(status=503)
    world.wait_served("green")
    world.daemon.wait_event("release_marked", mark="bad")
    assert ledger(world, "blue") == {"1.0.0": "bad"}
    assert ledger(world, "green") == {"1.0.0": "good"}
    view = world.pool()["upstreams"]
    assert (view["blue"]["release_status"], view["green"]["release_status"]) == ("bad", "good")
    world.app("blue").answer()
    world.wait_health(blue="up")
    assert upstream(world, "blue")["known_bad"] is not None


def test_a_new_release_ends_known_bad_and_the_bad_one_stays_bad(world: World) -> None:
    deploy(world, "green", "2.0.0")
    world.release("green")
    world.app("green").answer(status=503)
    world.wait_served("blue")
    marked = world.daemon.wait_event("release_marked", mark="bad")
    assert (marked["upstream"], marked["release"]) == ("green", "2.0.0")
    world.app("green").answer()
    world.wait_health(green="up")
    assert upstream(world, "green")["release_status"] == "bad"
    assert world.gate("no_target")["closed"] is True  # nothing was ever vouched for
    world.cli("good", "app", "green")  # a person is believed
    assert ledger(world, "green")["2.0.0"] == "good"

    world.release("green")
    world.app("green").answer(status=503)
    world.wait_served("blue")
    eventually(lambda: upstream(world, "green")["known_bad"])
    deploy(world, "green", "3.0.0")
    assert upstream(world, "green")["known_bad"] is None
    world.wait_pool(ready_gate="unproven")
    deploy(world, "green", "2.0.0")
    assert upstream(world, "green")["known_bad"] is not None
    world.wait_pool(ready_gate="known_bad")


def test_a_bake_that_passes_makes_the_release_good_also_after_a_restart(tmp_path: Path) -> None:
    with World(tmp_path, pool={**RELEASE, "bake": {"for": "1s"}}) as world:
        world.settled()
        deploy(world, "green", "2.0.0")
        world.release("green")
        passed = world.daemon.wait_event("bake_passed", upstream="green")
        assert passed["release"] == "2.0.0"
        assert ledger(world, "green") == {"1.0.0": "new", "2.0.0": "good"}
        world.daemon.kill9()
        world.daemon.start()
        world.settled()
        eventually(lambda: upstream(world, "green")["release"] == "2.0.0")
        assert ledger(world, "green") == {"1.0.0": "new", "2.0.0": "good"}
        world.cli("switch", "app", "blue")
        world.daemon.wait_event("bake_passed", upstream="blue")
        world.wait_pool(phase="steady", target="green", rollback_ready=True)
        world.app("blue").kill()
        world.wait_served("green")


def test_a_release_that_comes_in_the_middle_of_a_bake_begins_it_anew(world: World) -> None:
    deploy(world, "green", "2.0.0")
    world.release("green")
    world.app("green").answer(release="2.0.1")
    started = world.daemon.wait_event("bake_started", release="2.0.1")
    assert (started["upstream"], started["origin"]) == ("green", "blue")
    assert ledger(world, "green")["2.0.1"] == "baking"
