"""SIGUSR1 and SIGUSR2, and several pools on one nginx."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.world import World, never

THREE = ("one", "two", "three")


@pytest.fixture
def pools(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, pools=THREE, pool={"stable": "green"}) as world:
        world.settled()
        for pool in THREE:
            world.wait_pool(pool, rollback_ready=True)
        yield world


def alternate(events: list[dict[str, object]]) -> bool:
    """Started, ended, started, ended: never two at a time."""
    names = [str(event["event"]) for event in events]
    return names == ["switch_started", "switch_completed"] * (len(names) // 2)


def test_sigusr1_switches_every_pool_one_after_the_other(pools: World) -> None:
    pools.daemon.signal(signal.SIGUSR1)
    for pool in THREE:
        pools.wait_served("green", pool, within=15)
        done = pools.daemon.wait_event("switch_completed", pool=pool)
        assert (done["trigger"], done["from"], done["to"]) == ("signal", "blue", "green")
        assert pools.daemon.wait_event("release_marked", pool=pool)["upstream"] == "blue"
    assert alternate(pools.daemon.events("switch_started", "switch_completed"))

    pools.daemon.signal(signal.SIGUSR1)  # a second one does not flip back onto what was left
    eventually(lambda: len(pools.daemon.events("order_received")) > len(THREE))
    never(
        lambda: (
            any(pools.nginx.linked(pool) != "green" for pool in THREE)
            or len(pools.daemon.events("switch_started")) > len(THREE)
        ),
        during=0.7,
    )


def test_a_flood_of_sigusr1_is_one_order(pools: World) -> None:
    for _ in range(200):
        pools.daemon.signal(signal.SIGUSR1)
    for pool in THREE:
        pools.wait_served("green", pool, within=15)
    assert len(pools.daemon.events("switch_started")) == len(THREE)


def test_all_pools_failing_at_once_are_all_switched(pools: World) -> None:
    for pool in THREE:
        pools.app("blue", pool).refuse()
    for pool in THREE:
        pools.wait_served("green", pool, within=20)
        assert pools.daemon.wait_event("switch_completed", pool=pool)["trigger"] == "automatic"
    assert alternate(pools.daemon.events("switch_started", "switch_completed"))


def test_sigusr2_pauses_every_pool_for_an_hour_and_never_shortens_a_pause(pools: World) -> None:
    pools.cli("pause", "one", "--for", "3h", "--reason", "database upgrade")
    long = pools.pool("one")["paused"]
    pools.daemon.signal(signal.SIGUSR2)
    eventually(lambda: all(pools.pool(pool)["paused"] for pool in THREE))
    kept = pools.pool("one")["paused"]
    assert (kept["reason"], kept["until"][:15]) == ("database upgrade", long["until"][:15])
    assert pools.daemon.wait_event("paused", pool="two")["for_ms"] == 3_600_000
    pools.app("blue", "two").kill()
    pools.wait_hold("paused", "two")
    assert pools.nginx.linked("two") == "blue"
    pools.cli("resume", "--all")
    pools.wait_served("green", "two")
    assert not any(pools.pool(pool)["paused"] for pool in THREE)
