"""What Prometheus, systemd and a load balancer see."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.nginx import fetch
from tests.support.world import World, never

NAMES = [
    "build_info",
    "pool_active",
    "upstream_health",
    "probe_results_total",
    "probe_duration_seconds",
    "consecutive_failures",
    "pool_phase",
    "gate_closed",
    "pool_hold",
    "rollback_ready",
    "switches_total",
    "switch_duration_seconds",
    "detection_seconds",
    "pool_paused",
    "pool_latched",
    "bake_remaining_seconds",
    "nginx_config_valid",
    "nginx_reloads_total",
    "nginx_shutting_down_workers",
    "event_loop_lag_seconds",
    "config_last_reload_successful",
    "config_last_reload_success_timestamp_seconds",
    "last_probe_timestamp_seconds",
]


def sample(name: str, **labels: str) -> str:
    """A sample as the exposition writes it: labels by name."""
    pairs = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    return f"healthguard_{name}{{{pairs}}}" if labels else f"healthguard_{name}"


def test_every_metric_after_a_switch(stable: World) -> None:
    stable.app("blue").answer(status=503)
    stable.wait_served("green")
    stable.wait_pool(active="green", phase="steady")
    stable.daemon.wait_event("switch_completed")
    stable.wait_pool(hold="no_target")
    text = stable.metrics()
    missing = [name for name in NAMES if f"# TYPE healthguard_{name} " not in text]
    assert not missing
    switch = {"pool": "app", "from_upstream": "blue", "to_upstream": "green"}
    expected = {
        sample("pool_active", pool="app", upstream="blue"): 0,
        sample("upstream_health", pool="app", upstream="blue", state="down"): 1,
        sample("upstream_health", pool="app", upstream="blue", state="up"): 0,
        sample("upstream_health", pool="app", upstream="green", state="up"): 1,
        sample("pool_phase", pool="app", phase="steady"): 1,
        sample("pool_phase", pool="app", phase="switching"): 0,
        sample("switches_total", **switch, trigger="automatic", outcome="completed"): 1,
        sample("switch_duration_seconds_count", pool="app"): 1,
        sample("detection_seconds_count", pool="app"): 1,
        sample("nginx_reloads_total", outcome="proven"): 1,
        sample("nginx_reloads_total", outcome="refuted"): 0,
        sample("rollback_ready", pool="app"): 0,
        sample("pool_hold", pool="app", gate="no_target"): 1,
        sample("gate_closed", pool="app", gate="no_target"): 1,
        sample("gate_closed", pool="app", gate="paused"): 0,
        sample("pool_paused", pool="app"): 0,
        sample("pool_latched", pool="app"): 0,
        sample("bake_remaining_seconds", pool="app"): 0,
        sample("nginx_config_valid"): 1,
        sample("config_last_reload_successful"): 1,
    }
    seen = {name: stable.metric(name) for name in expected}
    assert seen == expected
    fails = sample("consecutive_failures", pool="app", upstream="blue", probe="health")
    assert (stable.metric(fails) or 0) >= 2
    detection = stable.metric(sample("detection_seconds_sum", pool="app"))
    done = stable.daemon.wait_event("switch_completed")
    assert detection == pytest.approx(done["detection_ms"] / 1000)
    assert 'upstream=""' not in text


def test_gauges_of_a_bake_and_a_pause(world: World) -> None:
    world.release("green")
    world.cli("pause", "app", "--for", "20m", "--reason", "work")
    world.wait_metric(sample("pool_paused", pool="app"), 1)
    remaining = world.metric(sample("bake_remaining_seconds", pool="app"))
    assert remaining is not None
    assert 0 < remaining <= 60.5


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_has_nothing_to_say(stable: World) -> None:
    stable.app("blue").answer(status=503)
    stable.wait_served("green")
    stable.wait_metric(sample("pool_active", pool="app", upstream="green"), 1)
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=stable.metrics(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "healthguard" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_healthy_and_ready(stable: World) -> None:
    assert fetch(stable.http, "/-/healthy") == "healthy\n"
    assert fetch(stable.http, "/-/ready") == "ready\n"
    assert fetch(stable.http, "/nonsense") == "(status 404)"
    stable.daemon.signal(signal.SIGSTOP)  # whoever asks a frozen daemon gets no answer
    try:
        assert fetch(stable.http, "/-/healthy", timeout=0.3) in ("(timeout)", "(TimeoutError)")
    finally:
        stable.daemon.signal(signal.SIGCONT)


def test_not_ready_before_there_is_a_verdict(tmp_path: Path) -> None:
    health = {"interval": "1m", "fast_interval": "30s", "timeout": "20s"}
    world = World(tmp_path, pool={"stable": "green", "health": health})
    world.app("blue").answer(delay_s=15)
    with world:
        assert fetch(world.http, "/-/ready") == "(status 503)"
        assert fetch(world.http, "/-/healthy") == "healthy\n"


# --------------------------------------------------------------- systemd


class Notifications:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.seen: list[str] = []

    def lines(self) -> list[str]:
        """Everything said until now."""
        while True:
            try:
                self.seen += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.seen

    def status(self) -> str:
        """The latest STATUS."""
        said = [line for line in self.lines() if line.startswith("STATUS=")]
        return said[-1] if said else ""

    def count(self, line: str) -> int:
        return self.lines().count(line)


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[tuple[World, Notifications]]:
    manager = Notifications(tmp_path / "notify")
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
    with World(tmp_path, pool={"stable": "green"}, env=env) as world:
        yield world.settled(), manager
    manager.socket.close()


def test_systemd_is_told(notified: tuple[World, Notifications]) -> None:
    world, manager = notified
    eventually(lambda: manager.count("READY=1") == 1)
    world.wait_pool(rollback_ready=True)
    eventually(lambda: "app: blue active, green up, rollback available" in manager.status())
    world.app("blue").kill()
    world.wait_served("green")
    eventually(lambda: "app: green active" in manager.status())
    world.daemon.signal(signal.SIGHUP)
    eventually(lambda: manager.count("RELOADING=1") == 1)
    eventually(lambda: manager.count("READY=1") == 2)
    assert any(line.startswith("MONOTONIC_USEC=") for line in manager.lines())
    assert manager.count("STOPPING=1") == 0
    assert world.daemon.stop() == 0
    assert manager.count("STOPPING=1") == 1


def test_the_watchdog_is_fed_only_while_the_daemon_works(
    notified: tuple[World, Notifications],
) -> None:
    world, manager = notified
    eventually(lambda: manager.count("WATCHDOG=1") >= 3)
    world.daemon.signal(signal.SIGSTOP)
    manager.lines()
    fed = manager.count("WATCHDOG=1")
    never(lambda: manager.count("WATCHDOG=1") > fed + 1, during=1.0)
    world.daemon.signal(signal.SIGCONT)
    eventually(lambda: manager.count("WATCHDOG=1") > fed + 1)
