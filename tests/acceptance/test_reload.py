"""SIGHUP and `healthguard reload`: a good configuration is taken up, a bad one changes nothing."""

import signal
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.world import World

OK = "healthguard_config_last_reload_successful"
POOL = {"stable": "green"}


def test_a_bad_configuration_changes_nothing_and_is_told(stable: World) -> None:
    before = stable.pool()
    text = stable.daemon.config_file.read_text()
    stable.daemon.config_file.write_text(
        text.replace("fall: 2", "fall: 0").replace("rise: 2", "rise: lots") + "nonsense: 1\n"
    )
    stable.daemon.signal(signal.SIGHUP)
    event = stable.daemon.wait_event("config_rejected")
    assert len(event["problems"]) >= 3
    stable.wait_metric(OK, 0)
    said = stable.cli("reload", code=2)
    for part in ("nonsense", "health.fall", "health.rise", "healthguard.yaml:"):
        assert part in said, said
    after = stable.pool()
    assert (after["target"], after["mode"], after["active"]) == (
        before["target"],
        before["mode"],
        before["active"],
    )
    stable.app("blue").kill()  # the old configuration is as good as before
    stable.wait_served("green")
    stable.daemon.config_file.write_text(text)
    stable.cli("reload", "--wait")
    stable.wait_metric(OK, 1)
    assert stable.daemon.wait_event("config_reloaded")["pools"] == ["app"]


def test_sighup_takes_up_a_good_configuration(stable: World) -> None:
    stable.reconfigure({"pools": {"app": {"mode": "observe"}}})
    stable.daemon.signal(signal.SIGHUP)
    stable.wait_pool(mode="observe")
    assert stable.daemon.wait_event("config_reloaded")


def test_a_reload_keeps_counters_pause_bake_and_marks(stable: World) -> None:
    stable.app("blue").answer(status=503)
    stable.wait_served("green")
    stable.app("blue").answer()
    stable.wait_health(blue="up")
    stable.cli("clear", "app", "blue")
    stable.release("blue")
    stable.app("green").kill()
    eventually(lambda: fails(stable, "green") > 3)
    stable.cli("pause", "app", "--for", "20m", "--reason", "work")
    stable.cli("switch", "app", "green", "--force", "--reason", "on purpose")
    stable.wait_pool(active="green")
    before, failed = stable.pool(), fails(stable, "green")
    assert before["bake"], before["upstreams"]["blue"]["known_bad"]
    stable.reconfigure({"pools": {"app": {"rollback": {"cooldown": "3s"}}}})
    stable.cli("reload")
    after = stable.pool()
    for field in ("budget", "forced", "active"):
        assert after[field] == before[field], field
    assert after["paused"]["reason"] == "work"
    assert after["bake"]["upstream"] == "green"
    assert 0 < after["bake"]["remaining_ms"] <= before["bake"]["remaining_ms"]
    marks = [view["upstreams"]["blue"]["known_bad"]["reason"] for view in (before, after)]
    assert marks[0] == marks[1]
    assert fails(stable, "green") >= failed
    assert after["upstreams"]["green"]["health"] == "down", "unknown would mean counters were lost"


def test_only_a_changed_probe_starts_anew(stable: World) -> None:
    """A failing probe is still down after a reload that changes the other upstream's probe."""
    stable.cli("pause", "app", "--for", "20m", "--reason", "work")
    stable.app("blue").kill()
    stable.wait_health(blue="down")
    upstreams = stable.config["pools"]["app"]["upstreams"]
    changed = [{**upstreams["green"]["probes"][0], "expect": {"status": [200, 204]}}]
    seen = len(stable.daemon.events("health_changed"))
    stable.reconfigure({"pools": {"app": {"upstreams": {"green": {"probes": changed}}}}})
    stable.cli("reload")
    assert stable.health("blue") == "down"
    stable.wait_health(green="up")
    later = stable.daemon.events("health_changed")[seen:]
    assert {event["upstream"] for event in later} <= {"green"}


def test_the_active_upstream_cannot_be_removed(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        pool = world.settled().config["pools"]["app"]
        (world.nginx.links_dir / "app_red.conf").write_text(world.nginx.file("green").read_text())
        pool["upstreams"]["red"] = {
            "config": "app_red.conf",
            "probes": [{"tcp": f"127.0.0.1:{world.nginx.ports['app']}"}],
        }
        del pool["upstreams"]["blue"]
        world.reconfigure({})
        said = world.cli("reload", code=2)
        assert "blue is active and cannot be removed: switch to another upstream first" in said
        assert set(world.pool()["upstreams"]) == {"blue", "green"}


def test_state_and_sockets_cannot_be_moved(stable: World) -> None:
    stable.reconfigure({"daemon": {"state_dir": str(stable.root / "elsewhere")}})
    assert "daemon.state_dir" in stable.cli("reload", code=2)
    stable.reconfigure({"daemon": {"state_dir": str(stable.root / "state"), "http": None}})
    assert "daemon.http" in stable.cli("reload", code=2)


def test_pools_come_and_go(tmp_path: Path) -> None:
    with World(tmp_path, pools=("one", "two"), pool=POOL) as world:
        world.settled()
        whole = world.config
        only = {**whole, "pools": {"one": whole["pools"]["one"]}}
        world.daemon.configure(only)
        world.cli("reload", "--wait")
        assert list(world.api("status")["pools"]) == ["one"]
        assert 'pool="two"' not in world.metrics()
        asked = world.app("blue", "two").requests()
        world.app("blue", "one").kill()
        world.wait_served("green", "one")
        assert world.app("blue", "two").requests() == asked, "nobody probes it any more"
        world.daemon.configure(whole)
        world.cli("reload", "--wait")
        assert list(world.api("status")["pools"]) == ["one", "two"]
        world.wait_pool("two", rollback_ready=True)
        world.app("blue", "two").kill()
        world.wait_served("green", "two")


def test_a_pool_with_a_switch_in_flight_changes_after_it(tmp_path: Path) -> None:
    with World(tmp_path, pool=POOL, slow_reload=True) as world:
        world.settled().wait_pool(rollback_ready=True)
        world.hold_reload()
        world.app("blue").kill()
        world.wait_reloading()
        world.reconfigure({"pools": {"app": {"mode": "observe"}}})
        world.daemon.signal(signal.SIGHUP)
        world.wait_pool(mode="auto", phase="switching")
        world.let_reload()
        world.wait_pool(mode="observe", active="green")
        assert [e["to"] for e in world.daemon.events("switch_completed")] == ["green"]


def fails(world: World, color: str) -> int:
    count: int = world.pool()["upstreams"][color]["probes"]["health"]["fails"]
    return count


def test_a_pool_is_removed_while_it_waits_for_its_turn(tmp_path: Path) -> None:
    """The others still get theirs, now and later."""
    with World(tmp_path, pools=("one", "two", "three"), pool=POOL, slow_reload=True) as world:
        world.settled()
        for pool in world.pools:
            world.wait_pool(pool, rollback_ready=True)
        world.hold_reload()
        world.app("blue", "one").kill()
        world.wait_reloading()
        for pool in ("two", "three"):
            world.app("blue", pool).kill()
            world.wait_health(pool, blue="down")
            eventually(lambda pool=pool: not world.gate("min_down", pool)["closed"])  # type: ignore[misc]
        pools = {name: world.config["pools"][name] for name in ("one", "three")}
        world.daemon.configure({**world.config, "pools": pools})
        world.daemon.signal(signal.SIGHUP)
        world.let_reload()
        world.daemon.wait_event("config_reloaded", within=15)
        for pool in ("one", "three"):
            world.wait_served("green", pool, within=15)
        started = [e["id"] for e in world.daemon.events("switch_started")]
        ended = [e["switch"] for e in world.daemon.events("switch_completed")]
        assert sorted(started) == sorted(ended)
        world.cli("good", "one", "blue")
        world.app("blue", "one").start()
        world.wait_health("one", blue="up")
        world.cli("switch", "one", "blue")
        world.wait_served("blue", "one")
        assert world.daemon.stop() == 0


def test_the_turn_is_not_taken_along_by_a_pool_that_is_removed(tmp_path: Path) -> None:
    """One switches, two and three wait; three leaves: two's switch ends, and others come after."""
    with World(tmp_path, pools=("three", "two", "one"), pool=POOL, slow_reload=True) as world:
        world.settled()
        for pool in world.pools:
            world.wait_pool(pool, rollback_ready=True)
        world.hold_reload()
        world.app("blue", "one").kill()
        world.wait_reloading()
        for pool in ("two", "three"):
            world.app("blue", pool).kill()
            world.wait_health(pool, blue="down")
            eventually(lambda pool=pool: not world.gate("min_down", pool)["closed"])  # type: ignore[misc]
        pools = {name: world.config["pools"][name] for name in ("two", "one")}
        world.daemon.configure({**world.config, "pools": pools})
        world.daemon.signal(signal.SIGHUP)
        world.let_reload()
        world.daemon.wait_event("config_reloaded", within=15)
        for pool in ("one", "two"):
            world.wait_served("green", pool, within=15)
            world.wait_pool(pool, active="green", phase="steady")
        started = [e["id"] for e in world.daemon.events("switch_started")]
        ended = [e["switch"] for e in world.daemon.events("switch_completed")]
        assert sorted(started) == sorted(ended)
        world.app("blue", "one").start()
        world.wait_health("one", blue="up")
        world.cli("switch", "one", "blue")
        world.wait_served("blue", "one")
