"""Daemon and switcher as two processes, as they run under systemd."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import PYTHON_M
from tests.support.eventually import eventually
from tests.support.imports import APPRISE, DOORS, IMPORTS, imported
from tests.support.nginx import fetch
from tests.support.world import World


class Switcher:
    """`healthguard switcher` beside a world's daemon."""

    def __init__(self, world: World, path: Path) -> None:
        self.world, self.path = world, path
        self.process: subprocess.Popen[bytes] | None = None
        self.log = world.root / "switcher.log"

    def start(self, **environ: str) -> None:
        root = self.world.root
        env = {
            **os.environ,
            **environ,
            "STATE_DIRECTORY": str(root / "switcher-state"),
            "RUNTIME_DIRECTORY": str(root / "switcher-run"),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*PYTHON_M, "switcher", "--config", str(self.world.daemon.config_file)],
                env=env,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        eventually(self.path.exists, what="the switcher listens")

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(number)
            process.wait(20)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[World, Switcher]]:
    path = tmp_path / "sock" / "switcher.sock"
    path.parent.mkdir(mode=0o755)
    pool = {"stable": "green"}
    world = World(tmp_path, pool=pool, nginx={"switcher": str(path)}, slow_reload=True)
    switcher = Switcher(world, path)
    switcher.start()
    try:
        with world:
            world.settled().wait_pool(rollback_ready=True)
            yield world, switcher
    finally:
        switcher.end(signal.SIGTERM)


def test_a_rollback_through_the_socket(two: tuple[World, Switcher]) -> None:
    world, _ = two
    world.app("blue").answer(status=503)
    world.wait_served("green")
    done = world.daemon.wait_event("switch_completed")
    assert (done["trigger"], done["confirm"]) == ("automatic", "proven")
    world.cli("clear", "app", "blue")
    world.app("blue").answer()
    world.wait_health(blue="up")
    world.cli("switch", "app", "blue", "--reason", "back")
    world.wait_served("blue")


def test_what_runs_as_root_has_loaded_nothing_heavy_after_a_switch(
    two: tuple[World, Switcher],
) -> None:
    world, switcher = two
    switcher.end()
    switcher.path.unlink()
    switcher.start(**IMPORTS)
    world.cli("switch", "app", "green", "--reason", "what does it load?")
    loaded = imported(switcher.log.read_text())
    assert "healthguard.nginx.switch" in loaded
    rooms = {"healthguard.control.server", "healthguard.doors", "healthguard.web"}
    people = {"healthguard.notify.sender", "healthguard.notify.watch"}
    assert loaded & (DOORS | APPRISE | rooms | people | {"uvloop"}) == set()


def test_without_the_switcher_nothing_is_ready_and_it_says_so(two: tuple[World, Switcher]) -> None:
    world, switcher = two
    switcher.end()
    world.reconfigure({})
    touched = world.nginx.file("green")
    touched.write_text(touched.read_text() + "# touched\n")  # a new test is asked for
    world.wait_pool(rollback_ready=False, ready_gate="switcher_unavailable")
    assert "switcher_unavailable" in world.cli("switch", "app", "green", code=1)
    world.app("blue").kill()
    world.wait_hold("switcher_unavailable")
    assert world.nginx.linked() == "blue"
    switcher.start()
    world.wait_served("green", within=20)


def test_the_daemon_is_killed_in_the_middle_and_the_switch_completes(
    two: tuple[World, Switcher],
) -> None:
    world, _ = two
    world.hold_reload()
    world.app("blue").answer(status=503)
    world.wait_reloading()
    world.daemon.kill9()
    world.let_reload()
    world.wait_served("green")  # nobody but the switcher is there
    world.app("blue").answer()
    world.daemon.start()
    done = world.daemon.wait_event("switch_completed")
    assert done["recovered"] is True
    assert [event["id"] for event in world.daemon.events("switch_started")] == [done["switch"]]
    world.wait_pool(active="green")
    assert world.pool()["upstreams"]["blue"]["known_bad"]
    assert len(world.daemon.events("switch_completed")) == 1


def test_the_switcher_is_killed_in_the_middle_and_settles_it_when_it_is_back(
    two: tuple[World, Switcher],
) -> None:
    world, switcher = two
    world.hold_reload()
    world.app("blue").answer(status=503)
    world.wait_reloading()
    assert world.nginx.linked() == "green"
    switcher.end()
    world.let_reload()
    switcher.start()
    end = eventually(
        lambda: world.daemon.events("switch_completed", "switch_undone", "switch_lost"), within=30
    )[0]
    assert end["event"] == "switch_undone", end
    assert end["recovered"] is True
    eventually(lambda: world.nginx.linked() == world.pool()["active"], what="link and view agree")
    # what was open is told exactly once
    ended = [e["switch"] for e in world.daemon.events("switch_undone", "switch_lost")]
    assert ended.count(end["switch"]) == 1


def test_another_configuration_than_the_switchers_is_told_until_it_is_loaded(
    two: tuple[World, Switcher],
) -> None:
    world, switcher = two
    differs = "healthguard_switcher_config_differs"
    world.wait_metric(differs, 0)
    world.reconfigure({"pools": {"app": {"health": {"rise": 3}}}})  # and nobody reloads
    eventually(lambda: world.metric(differs) == 1, within=30, step=0.5)
    said = "the switcher uses another configuration"
    assert said in world.cli("status")
    view = world.daemon.status()["switcher"]
    assert view["config_digest"] != world.daemon.status()["config"]["digest"]
    assert "which this daemon has not loaded; `systemctl reload healthguard`" in view["message"]
    assert said in fetch(world.http, "/")
    # It is only told: traffic is guarded as ever.
    world.app("blue").answer(status=503)
    world.wait_served("green")
    world.cli("reload", "--wait")
    world.wait_metric(differs, 0)
    assert said not in world.cli("status")
    log = world.daemon.log()
    assert log.count(said) == 1
    assert log.count("use the same configuration again") == 1

    # A broken edit differs from nothing: both go on with what they have.
    world.daemon.config_file.write_text("nonsense: 1\n")
    refused = "the last valid configuration is in use"
    eventually(lambda: refused in switcher.log.read_text(), within=30, step=0.5)
    assert world.metric(differs) == 0
    assert "nonsense" in world.api("status")["switcher"]["config_problem"]
