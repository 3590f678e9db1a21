"""What people do by the command line, end to end: outcome, exit code, words."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import PYTHON_M
from tests.support.eventually import eventually
from tests.support.nginx import occupied
from tests.support.world import World, never


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, pool={"stable": "green"}, slow_reload=True) as world:
        world.settled().wait_pool(rollback_ready=True)
        yield world


def begin(world: World, *words: str) -> subprocess.Popen[str]:
    """A verb in the background."""
    return subprocess.Popen(
        [*PYTHON_M, *words],
        env=world.daemon.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_reading_verbs(stable: World) -> None:
    said = stable.cli("status")
    assert "app" in said
    assert "blue" in said
    assert json.loads(stable.cli("status", "--json"))["pools"]["app"]["active"] == "blue"
    assert json.loads(stable.cli("status", "app", "--json"))["active"] == "blue"
    why = json.loads(stable.cli("why", "app", "--json"))
    assert why["remedies"] == {}
    assert next(gate["gate"] for gate in why["gates"]) == "disabled"
    assert "healthguard switch app green" in stable.cli("why", "app")
    assert "ready" in stable.cli("ready", "app")
    assert "daemon_started" in stable.cli("history")
    stable.cli("check")


@pytest.mark.parametrize(
    "words",
    [
        ("status", "nosuch"),
        ("why", "nosuch"),
        ("ready", "nosuch"),
        ("switch", "nosuch", "blue"),
        ("switch", "app", "red"),
        ("good", "app", "red"),
        ("rollback", "nosuch"),
        ("pause", "app", "--for", "1m"),
        ("pause", "app", "--for", "0s", "--reason", "x"),
        ("pause", "--for", "1m", "--reason", "x"),
        ("clear", "app"),
        ("nosuchverb",),
        (),
    ],
    ids=" ".join,
)
def test_wrong_words_are_exit_2(shared: World, words: tuple[str, ...]) -> None:
    assert "Traceback" not in shared.cli(*words, code=2)


@pytest.mark.parametrize("verb", ["status", "why app", "ready app", "switch app green", "history"])
def test_no_daemon_is_exit_3(tmp_path: Path, verb: str) -> None:
    done = subprocess.run(
        [*PYTHON_M, "--socket", str(tmp_path / "nobody.sock"), *verb.split()],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "no daemon" in done.stderr


def test_a_manual_switch_and_the_way_back(shared: World) -> None:
    shared.cli("switch", "app", "green", "--reason", "release 42")
    shared.wait_served("green")
    done = shared.daemon.wait_event("switch_completed", to="green")
    assert (done["trigger"], done["reason"]) == ("manual", "release 42")
    assert done["actor"]["user"] == "root"
    assert done["detection_ms"] is None
    assert "already active" in shared.cli("switch", "app", "green")
    assert len(shared.daemon.events("switch_started")) == 1
    shared.cli("rollback", "app", "--reason", "complaints")
    shared.wait_served("blue")
    assert shared.pool()["upstreams"]["green"]["known_bad"]
    shared.cli("clear", "app", "green")


def test_a_dry_run_changes_nothing(shared: World) -> None:
    to = "green" if shared.nginx.linked() == "blue" else "blue"
    before, linked = len(shared.daemon.events()), shared.nginx.link().lstat().st_ino
    assert "would switch" in shared.cli("switch", "app", to, "--dry-run")
    answer = json.loads(shared.cli("switch", "app", to, "--dry-run", "--json"))
    assert answer["dry_run"] is True
    assert shared.nginx.link().lstat().st_ino == linked
    assert len(shared.daemon.events()) == before


def test_an_order_onto_a_standby_that_is_down(stable: World) -> None:
    stable.app("green").kill()
    stable.wait_health(green="down")
    said = stable.cli("switch", "app", "green", code=1)
    assert "standby_not_up" in said
    assert stable.daemon.wait_event("order_refused")["gate"] == "standby_not_up"
    stable.cli("switch", "app", "green", "--dry-run", code=1)
    stable.cli("rollback", "app", code=1)
    assert stable.nginx.linked() == "blue"

    stable.cli("switch", "app", "green", "--force", "--reason", "I know")
    assert stable.nginx.linked() == "green"
    stable.wait_pool(active="green", forced="green")
    event = stable.wait_hold("forced")
    assert event["active"] == "green"
    never(lambda: stable.nginx.linked() != "green", during=0.7)
    stable.app("green").start()
    stable.wait_health(green="up")
    stable.wait_pool(forced=None)


def test_two_orders_at_once(slow: World) -> None:
    slow.hold_reload()
    first = begin(slow, "switch", "app", "green", "--reason", "first")
    slow.wait_reloading()
    joined = begin(slow, "switch", "app", "green", "--reason", "second")
    eventually(lambda: len(slow.daemon.events("order_received")) == 2)
    assert "switch_in_flight" in slow.cli("switch", "app", "blue", code=1)
    assert (first.poll(), joined.poll()) == (None, None)
    slow.let_reload()
    for order in (first, joined):
        said = order.communicate(timeout=20)
        assert order.returncode == 0, said
    slow.wait_served("green")
    assert len(slow.daemon.events("switch_started")) == 1


def test_waiting_too_long_is_exit_6_and_the_switch_goes_on(slow: World) -> None:
    slow.hold_reload()
    said = slow.cli("switch", "app", "green", "--timeout", "1s", code=6)
    assert slow.daemon.events("switch_started")[0]["id"] in said
    slow.let_reload()
    slow.wait_served("green")
    slow.daemon.wait_event("switch_completed", to="green")


def test_a_reload_that_nginx_silently_refuses_is_undone(tmp_path: Path) -> None:
    """A new port is in use: `nginx -t` passes, the master goes on with the old configuration."""
    with World(tmp_path, pool={"stable": "green"}, nginx={"confirm_timeout": "1s"}) as world:
        world.settled().wait_pool(rollback_ready=True)
        port = world.http + 1 if world.http < 65535 else world.http - 1
        (world.nginx.root / "sites" / "more.conf").write_text(
            f"server {{ listen 127.0.0.1:{port}; }}\n"
        )
        with occupied(port):
            said = world.cli("switch", "app", "green", code=4)
            assert "undone" in said
            world.wait_served("blue")
            undone = world.daemon.wait_event("switch_undone")
            assert (undone["to"], undone["confirm"]) == ("green", "refuted")
            world.wait_pool(active="blue")
        # nothing changes later either: whoever reloads next stays on blue
        world.nginx.reload()
        world.wait_served("blue")


def test_an_automatic_switch_that_was_undone_waits(tmp_path: Path) -> None:
    rollback = {"cooldown": "10s", "budget": {"switches": 3, "per": "10m"}}
    pool = {"stable": "green", "rollback": rollback}
    with World(tmp_path, pool=pool, nginx={"confirm_timeout": "1s"}) as world:
        world.settled().wait_pool(rollback_ready=True)
        port = world.http + 1 if world.http < 65535 else world.http - 1
        vhost = world.nginx.root / "sites" / "more.conf"
        vhost.write_text(f"server {{ listen 127.0.0.1:{port}; }}\n")
        with occupied(port):
            world.app("blue").answer(status=503)
            undone = world.daemon.wait_event("switch_undone")
            assert undone["trigger"] == "automatic"
            world.wait_hold("cooldown")
            never(lambda: len(world.daemon.events("switch_started")) > 1, during=1.5)
            assert world.nginx.linked() == "blue"
            # nginx's master tries a taken port for 2.5 s at each reload and hears nothing then
            eventually(lambda: world.nginx.error_log().count("still could not bind") == 2)
            vhost.unlink()  # somebody mends it: no need to wait for the cooldown
            world.wait_served("green")


def test_history_follows(stable: World) -> None:
    with begin(stable, "history", "app", "--follow", "--json") as follower:
        assert follower.stdout is not None
        os.set_blocking(follower.stdout.fileno(), True)
        eventually(lambda: followed(follower, stable), within=15, step=0.2)
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=10)
        assert follower.returncode == 0


def followed(follower: subprocess.Popen[str], world: World) -> bool:
    """Pauses until the follower has told of one: it may have begun to listen late."""
    world.cli("pause", "app", "--for", "20m", "--reason", "work")
    assert follower.stdout is not None
    ready, _, _ = select.select([follower.stdout], [], [], 0.3)
    if not ready:
        return False
    event: dict[str, Any] = json.loads(follower.stdout.readline())
    return event["pool"] == "app"


def test_status_watches(stable: World) -> None:
    with begin(stable, "status", "--watch") as watcher:
        assert watcher.stdout is not None
        seen = ""
        while "standby" not in seen or "green" not in seen:
            line = watcher.stdout.readline()
            assert line, f"it ended: {seen}"
            seen += line
            if seen.count("app") >= 2:
                break
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=10)
        assert watcher.returncode == 0


def test_pause_and_resume(stable: World) -> None:
    stable.cli("pause", "app", "--for", "30m", "--reason", "database upgrade")
    assert stable.pool()["paused"]["reason"] == "database upgrade"
    stable.app("blue").kill()
    event = stable.wait_hold("paused")
    assert "database upgrade" in event["reason"]
    assert "database upgrade" in stable.cli("why", "app")
    stable.cli("resume", "app")
    stable.wait_served("green")
    assert stable.daemon.wait_event("resumed")["actor"]["user"] == "root"


def test_a_pause_that_ends_with_the_active_down_waits_for_a_person(stable: World) -> None:
    stable.cli("pause", "app", "--for", "2s", "--reason", "short")
    stable.app("blue").kill()
    ended = stable.daemon.wait_event("resumed")
    assert ended["active_down"] is True
    stable.wait_hold("paused")
    assert stable.nginx.linked() == "blue"
    stable.cli("resume", "app")
    stable.wait_served("green")


def test_a_person_may_switch_in_a_pause(stable: World) -> None:
    stable.cli("pause", "app", "--for", "30m", "--reason", "work")
    stable.cli("switch", "app", "green")
    stable.wait_served("green")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For stories that leave it as they found it."""
    with World(tmp_path_factory.mktemp("shared")) as world:
        yield world.settled()
