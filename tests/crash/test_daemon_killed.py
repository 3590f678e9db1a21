"""SIGKILL of the whole daemon at the worst moments: what it knew and what it began survives."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import PYTHON_M
from tests.support.eventually import eventually
from tests.support.world import World, never

ENDS = ("switch_completed", "switch_undone", "switch_lost")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """`stable` is green; a cooldown that does not end within a test; reloads can be held."""
    rollback = {"cooldown": "1m", "budget": {"switches": 2, "per": "10m"}}
    pool = {"stable": "green", "rollback": rollback}
    with World(tmp_path, pool=pool, slow_reload=True) as running:
        running.settled().wait_pool(rollback_ready=True)
        yield running


def restart(world: World) -> None:
    world.daemon.start()
    world.wait_health(blue="up", green="up")


def ends(world: World) -> list[dict[str, Any]]:
    return world.daemon.events(*ENDS)


def test_in_a_bake(world: World) -> None:
    world.release("green")
    before = world.pool()["bake"]
    world.daemon.kill9()
    restart(world)
    after = world.pool()["bake"]
    assert (after["upstream"], after["origin"]) == ("green", "blue")
    assert 0 < after["remaining_ms"] <= 60_000
    assert after["remaining_ms"] >= before["remaining_ms"] - 15_000, "blind time extends it"
    world.app("green").answer(status=503)
    world.wait_served("blue")
    assert world.daemon.wait_event("bake_failed")["upstream"] == "green"


def test_in_a_pause(world: World) -> None:
    world.cli("pause", "app", "--for", "30m", "--reason", "database upgrade")
    world.daemon.kill9()
    world.app("blue").kill()
    world.daemon.start()
    assert world.pool()["paused"]["reason"] == "database upgrade"
    world.wait_health(blue="down", green="up")
    world.wait_hold("paused")
    assert world.nginx.linked() == "blue"


def test_after_a_rollback_marks_and_charges_are_kept(world: World) -> None:
    world.app("blue").answer(status=503)
    world.wait_served("green")
    world.daemon.wait_event("release_marked")
    world.app("blue").answer()
    world.daemon.kill9()
    restart(world)
    view = world.pool()
    assert view["upstreams"]["blue"]["known_bad"]
    assert view["budget"]["used"] == 1
    assert view["cooldown_until"]
    assert view["active"] == "green"


def test_before_nginx_was_told(world: World) -> None:
    """The link has moved, nginx does not know: put back, said once, and the charge is kept."""
    world.hold_reload()
    world.app("blue").answer(status=503)
    world.wait_reloading()
    assert world.nginx.linked() == "green"
    world.daemon.kill9()
    world.let_reload()
    world.app("blue").answer()
    restart(world)
    world.wait_served("blue")
    undone = world.daemon.wait_event("switch_undone", recovered=True)
    started = world.daemon.events("switch_started")
    assert [event["id"] for event in started] == [undone["switch"]]
    assert (undone["trigger"], undone["from"], undone["to"]) == ("automatic", "blue", "green")
    world.wait_pool(active="blue", phase="steady")
    assert world.pool()["budget"]["used"] == 1
    assert world.pool()["upstreams"]["blue"]["known_bad"] is None
    folder = sorted(path.name for path in world.nginx.links_dir.iterdir())
    assert folder == ["app_active.conf", "app_blue.conf", "app_green.conf"]
    world.daemon.kill9()  # a further start tells nothing a second time
    restart(world)
    never(lambda: len(ends(world)) != 1, during=0.5)
    world.nginx.reload()  # and no later reload by somebody else carries it out
    world.wait_served("blue")


def test_after_nginx_was_told(world: World) -> None:
    """Workers use green already: the switch is completed, its consequences are drawn, once."""
    world.hold_reload(early=True)
    world.app("blue").answer(status=503)
    world.wait_reloading()
    world.wait_served("green")
    assert not ends(world)
    world.daemon.kill9()
    world.let_reload()
    world.app("blue").answer()
    restart(world)
    done = world.daemon.wait_event("switch_completed", recovered=True)
    assert [event["id"] for event in world.daemon.events("switch_started")] == [done["switch"]]
    assert (done["trigger"], done["from"], done["to"]) == ("automatic", "blue", "green")
    assert done["evidence"], "what decided is still known"
    world.wait_pool(active="green")
    assert world.pool()["upstreams"]["blue"]["known_bad"]
    assert world.pool()["budget"]["used"] == 1
    world.wait_served("green")
    world.daemon.kill9()
    restart(world)
    never(lambda: len(ends(world)) != 1, during=0.5)


def test_in_a_manual_switch(world: World) -> None:
    """The one who asked is told that the outcome is not known; the next start settles it."""
    world.hold_reload(early=True)
    with subprocess.Popen(
        [*PYTHON_M, "switch", "app", "green", "--reason", "release"],
        env=world.daemon.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as order:
        world.wait_reloading()
        world.wait_served("green")
        world.daemon.kill9()
        said = order.communicate(timeout=20)[1]
        assert order.returncode == 6, said
        assert "may have been carried out" in said
    world.let_reload()
    restart(world)
    done = world.daemon.wait_event("switch_completed", recovered=True)
    assert (done["trigger"], done["reason"]) == ("manual", "release")
    assert done["actor"]["user"] == "root"
    world.wait_pool(active="green", phase="baking")


def test_a_link_that_a_third_hand_moved_meanwhile_is_left(world: World) -> None:
    world.hold_reload()
    world.app("blue").answer(status=503)
    world.wait_reloading()
    world.daemon.kill9()
    world.let_reload()
    world.app("blue").answer()
    world.nginx.point("blue")
    world.nginx.reload()
    inode = world.nginx.link().lstat().st_ino
    restart(world)
    end = eventually(lambda: ends(world) and ends(world)[0])
    assert end["recovered"] is True
    assert end["event"] != "switch_completed"
    assert world.nginx.link().lstat().st_ino == inode, "not ours any more: not touched"
    world.wait_pool(active="blue")
    world.wait_served("blue")


def test_a_restart_loop_buys_no_attempts(tmp_path: Path) -> None:
    """Killed in the middle of each attempt: after the budget is spent nothing is tried again."""
    rollback = {"cooldown": "100ms", "budget": {"switches": 2, "per": "10m"}}
    with World(tmp_path, pool={"stable": "green", "rollback": rollback}, slow_reload=True) as world:
        world.settled().wait_pool(rollback_ready=True)
        for n in range(2):
            world.hold_reload()
            world.app("blue").answer(status=503)
            world.wait_reloading()
            world.daemon.kill9()
            world.let_reload()
            world.app("blue").answer()
            restart(world)
            # Not before it is settled: that takes a reload, too.
            eventually(lambda n=n: len(ends(world)) == n + 1, within=20, what="the end is told")
            world.wait_served("blue")
        assert world.pool()["budget"]["used"] == 2
        world.app("blue").answer(status=503)
        world.wait_hold("latched")
        never(lambda: world.nginx.linked() != "blue", during=0.5)
        assert len(world.daemon.events("switch_started")) == 2
        assert [event["recovered"] for event in ends(world)] == [True, True]


def test_the_event_log_is_whole(world: World) -> None:
    """After all that each line is JSON, ids are unique and the file is not for everybody."""
    for _ in range(3):
        world.cli("pause", "app", "--for", "30m", "--reason", "work")
        world.daemon.kill9()
        restart(world)
    lines = world.daemon.event_log.read_text().splitlines()
    events = [json.loads(line) for line in lines]
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    assert all({"ts", "id", "event"} <= event.keys() for event in events)
    assert world.daemon.event_log.stat().st_mode & 0o777 == 0o640
