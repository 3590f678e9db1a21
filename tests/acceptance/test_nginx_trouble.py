"""What other hands do to nginx, its configuration and the link; and what is said about it."""

from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.world import World, never


def test_a_switch_by_somebody_else_is_adopted(stable: World) -> None:
    stable.nginx.point("green")
    changed = stable.daemon.wait_event("link_changed")
    assert (changed["from"], changed["to"]) == ("blue", "green")
    stable.wait_hold("active_unknown")  # nginx has not followed yet: nobody knows
    stable.nginx.reload()
    stable.wait_pool(active="green", phase="baking")
    done = stable.daemon.wait_event("switch_completed")
    assert (done["trigger"], done["from"], done["to"]) == ("external", "blue", "green")
    assert stable.daemon.wait_event("bake_started")["upstream"] == "green"
    assert stable.pool()["budget"]["used"] == 0
    never(lambda: stable.nginx.linked() != "green", during=0.5)
    stable.app("green").answer(status=503)  # it is a deploy like any other
    stable.wait_served("blue")


@pytest.mark.parametrize("what", ["a regular file", "a stranger's file", "nothing"])
def test_a_link_that_is_not_ours_is_left_alone(stable: World, what: str) -> None:
    link, text = stable.nginx.link(), stable.nginx.file("blue").read_text()
    link.unlink()
    if what == "a regular file":
        link.write_text(text)
    elif what == "a stranger's file":
        (stable.nginx.links_dir / "other.conf").write_text(text)
        link.symlink_to("other.conf")
    stable.wait_hold("link_unmanaged")
    before = lstat(link)
    stable.app("blue").kill()
    stable.wait_health(blue="down")
    assert "link_unmanaged" in stable.cli("switch", "app", "green", code=1)
    assert "link_unmanaged" in stable.cli("switch", "app", "green", "--force", code=1)
    never(lambda: stable.daemon.events("switch_started"), during=0.7)
    assert lstat(link) == before
    link.unlink(missing_ok=True)
    link.symlink_to(stable.nginx.file("blue").name)  # mended: the guard acts again
    stable.wait_served("green")


def lstat(path: Path) -> tuple[int, int] | None:
    """What changes when somebody moves it; None when it is not there."""
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_mtime_ns


def test_nginx_that_is_stopped_holds(stable: World) -> None:
    stable.nginx.stop()
    event = stable.wait_hold("nginx_down")
    assert event["wanted"] is False
    stable.app("blue").kill()
    stable.wait_health(blue="down")
    assert "nginx_down" in stable.cli("switch", "app", "green", "--force", code=1)
    assert stable.nginx.linked() == "blue"
    stable.nginx.start()
    stable.wait_served("green")


def test_a_broken_candidate_is_known_before_it_is_needed(stable: World) -> None:
    green = stable.nginx.file("green")
    text = green.read_text()
    green.write_text("upstream app { server nonsense")
    # Files of a calm pool are looked at every ten seconds.
    stable.wait_pool(rollback_ready=False, ready_gate="config_invalid", within=25)
    event = stable.daemon.wait_event("readiness_changed", ready=False, gate="config_invalid")
    assert "with green" in event["reason"]
    stable.wait_metric("healthguard_nginx_config_valid", 0)
    assert "config_invalid" in stable.cli("ready", "app", code=1)
    stable.app("blue").answer(status=503)
    stable.wait_hold("config_invalid")
    assert "config_invalid" in stable.cli("switch", "app", "green", "--force", code=1)
    assert stable.nginx.linked() == "blue"
    green.write_text(text)
    stable.wait_served("green", within=15)


def test_a_neighbours_broken_vhost_is_named(stable: World) -> None:
    vhost = stable.nginx.root / "sites" / "neighbour.conf"
    vhost.write_text("server { listen nonsense }\n")
    # Files of a calm pool are looked at every ten seconds.
    stable.wait_pool(rollback_ready=False, ready_gate="config_invalid", within=25)
    eventually(lambda: "neighbour.conf" in stable.pool()["ready_message"], what="it is named")
    assert "config_invalid" in stable.cli("switch", "app", "green", code=1)
    vhost.unlink()
    stable.wait_pool(rollback_ready=True, within=25)
    stable.cli("switch", "app", "green")
    stable.wait_served("green")


def test_link_and_workers_that_disagree_are_made_to_agree_by_an_order(stable: World) -> None:
    """Somebody moved the link and forgot the reload; `switch` to it reloads and proves."""
    stable.nginx.point("green")
    stable.wait_hold("active_unknown")
    stable.cli("switch", "app", "green")
    stable.wait_served("green")
    stable.wait_pool(active="green")


def test_a_neighbours_reload_does_not_disturb(stable: World) -> None:
    for _ in range(3):
        old = set(stable.nginx.worker_pids())
        stable.nginx.reload()
        eventually(lambda old=old: not old & set(stable.nginx.worker_pids()), what="new workers")
    stable.wait_pool(active="blue", phase="steady")
    assert not stable.daemon.events("switch_started", "link_changed")


def test_mode_observe_says_once_what_it_would_do_and_touches_nothing(tmp_path: Path) -> None:
    rollback = {"cooldown": "300ms", "budget": {"switches": 2, "per": "10m"}}
    pool = {"stable": "green", "mode": "observe", "rollback": rollback}
    with World(tmp_path, pool=pool) as world:
        world.settled().wait_pool(ready_gate="mode")
        inode = world.nginx.link().lstat().st_ino
        for round_ in (1, 2):
            world.app("blue").answer(status=503)
            eventually(lambda n=round_: len(world.daemon.events("would_switch")) == n)
            event = world.daemon.events("would_switch")[-1]
            assert (event["from"], event["to"]) == ("blue", "green")
            assert event["detection_ms"] >= 300
            assert event["evidence"]
            world.wait_pool(phase="holding", hold="cooldown" if round_ == 1 else "latched")
            never(lambda n=round_: len(world.daemon.events("would_switch")) != n, during=0.5)
            world.app("blue").answer()
            world.wait_health(blue="up")
        world.app("blue").answer(status=503)  # at the rate at which it really would act
        world.wait_hold("latched")
        never(lambda: len(world.daemon.events("would_switch")) != 2, during=0.5)
        assert world.nginx.link().lstat().st_ino == inode
        assert not world.daemon.events("switch_started")
        world.app("blue").answer()
        world.cli("switch", "app", "green")  # a person may
        world.wait_served("green")
