"""The daemon as a process: it starts, answers, dies and comes back; and says why it cannot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import App
from tests.support.daemon import DaemonProcess
from tests.support.nginx import NginxSandbox


@pytest.fixture
def config(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """One pool on a real nginx; blue and green answer."""
    with App("blue") as blue, App("green") as green:
        ports = {"blue": blue.port, "green": green.port}
        nginx = NginxSandbox(tmp_path / "nginx", apps={"app": ports})
        nginx.start()
        upstreams = {
            color: {"config": f"app_{color}.conf", "probes": [{"http": app.url()}]}
            for color, app in {"blue": blue, "green": green}.items()
        }
        pool = {"link": str(nginx.links_dir / "app_active.conf"), "upstreams": upstreams}
        yield {"nginx": {"config": str(nginx.config), "reload": "signal"}, "pools": {"app": pool}}
        nginx.stop()


def test_it_answers_dies_and_comes_back(tmp_path: Path, config: dict[str, Any]) -> None:
    with DaemonProcess(tmp_path, config) as daemon:
        assert list(daemon.status()["pools"]) == ["app"]
        first = daemon.wait_event("daemon_started")
        daemon.kill9()
        daemon.start()
        second = daemon.wait_event("daemon_started", id=daemon.events("daemon_started")[-1]["id"])
        assert first["id"] != second["id"]
        assert daemon.stop() == 0
        assert daemon.events("daemon_stopping")


def test_a_daemon_that_cannot_start_shows_its_log(tmp_path: Path, config: dict[str, Any]) -> None:
    config["pools"]["app"]["fall"] = "never"
    with pytest.raises(RuntimeError, match=r"ended with 2:\n.*pools\.app\.fall"):
        DaemonProcess(tmp_path, config).__enter__()
