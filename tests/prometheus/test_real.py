"""A real Prometheus scrapes a real incident, and the right alerts fire."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prometheus.rules import promtool
from tests.prometheus.server import Prometheus
from tests.support.eventually import eventually
from tests.support.world import World

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, pool={"stable": "blue"}) as made:
        yield made.settled()


@pytest.fixture
def prometheus(world: World, tmp_path: Path) -> Iterator[Prometheus]:
    with Prometheus(tmp_path / "prometheus", world.http) as made:
        yield made


def test_a_bad_release_from_scrape_to_pager(world: World, prometheus: Prometheus) -> None:
    # Scraped for longer than `offset 10m` (here 6 s) looks back: from then on a switch is news.
    eventually(lambda: prometheus.ask("up offset 6s == 1"), within=30, step=0.2)
    world.release("green")
    assert not [each for each in prometheus.alerts() if "Absent" in each["labels"]["alertname"]]
    world.app("green").answer(status=503)
    world.wait_served("blue")
    switched = {"from_upstream": "green", "to_upstream": "blue", "trigger": "automatic"}
    told = prometheus.wait_alert("HealthguardSwitched", pool="app", **switched)
    assert "rolled back from green to blue" in told["summary"]

    world.app("blue").answer(status=503)  # and now the place to go back to is gone as well
    world.wait_pool(phase="holding")
    told = prometheus.wait_alert("HealthguardActiveDown", pool="app")
    gate = world.pool()["hold"]
    assert (
        "blue of pool app has been down for 30 seconds. "
        f"healthguard cannot fail over: gate {gate} is closed." in (told["description"])
    )
    assert told["command"].startswith("healthguard ")
    assert " app" in told["command"]
    prometheus.wait_alert("HealthguardHolding", pool="app")

    world.daemon.kill9()
    told = prometheus.wait_alert("HealthguardAbsent")
    assert "--standalone" in told["description"]


def test_the_link_was_moved_by_hand_and_what_probably_serves_is_down(
    world: World, prometheus: Prometheus
) -> None:
    world.nginx.point("green")  # and nobody reloads: no upstream is provably active
    world.wait_hold("active_unknown")
    prometheus.wait_alert("HealthguardHolding", pool="app")
    assert "HealthguardMaybeDown" not in {a["labels"]["alertname"] for a in prometheus.alerts()}
    world.app("blue").answer(status=503)
    told = prometheus.wait_alert("HealthguardMaybeDown", pool="app")
    assert "Gate active_unknown is closed" in told["description"]
    assert told["description"].endswith("Down: blue.")
    world.cli(*told["command"].split()[1:])
    world.wait_served("green")


def test_a_quiet_host_is_quiet(world: World, prometheus: Prometheus) -> None:
    eventually(lambda: prometheus.ask("up offset 6s == 1"), within=30, step=0.2)
    eventually(lambda: prometheus.ask("healthguard:active_down == 0"), within=20, step=0.2)
    # Blue is the stable one and active: on this fresh host there is nothing to go back to yet.
    names = {each["labels"]["alertname"] for each in prometheus.alerts()}
    assert names <= {"HealthguardRollbackNotReady"}
    world.cli("good", "app", "green")
    eventually(lambda: not prometheus.alerts(), within=30, what="no alert", step=0.2)


def test_a_rejected_configuration(world: World, prometheus: Prometheus) -> None:
    world.daemon.config_file.write_text("pools: nonsense\n")
    world.daemon.signal(signal.SIGHUP)
    told = prometheus.wait_alert("HealthguardConfigReloadFailed")
    assert told["command"] == "healthguard check"


def test_what_the_daemon_says_is_clean(world: World) -> None:
    world.release("green")
    world.app("green").answer(status=503)
    world.wait_served("blue")
    labels = 'from_upstream="green",outcome="completed",pool="app",to_upstream="blue"'
    world.wait_metric(f'healthguard_switches_total{{{labels},trigger="automatic"}}', 1)
    text = world.metrics()
    assert promtool("check", "metrics", text=text.encode()) == ""
