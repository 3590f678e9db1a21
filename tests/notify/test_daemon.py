"""The whole way: real nginx, the real daemon, a real sender, a real server at the other end."""

import signal
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.notify.receivers import _Plain, _Server, hook, serving
from tests.notify.worlds import SECRET, telling, told
from tests.support.eventually import eventually
from tests.support.nginx import fetch
from tests.support.ports import free_port


def test_a_rollback_is_told_with_its_reverse(tmp_path: Path) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port, {"stable": "green"}) as world:
        world.wait_pool(rollback_ready=True)
        world.app("blue").kill()
        message = told(receiver, "traffic now goes to green (was")
        assert message["level"] == "switch"
        assert message["command"] == "healthguard switch app blue"
        assert message["severity"] == "warning"
        assert "failed" in message["reason"]
        assert "probe health: " in message["evidence"]
        assert "refused" in message["evidence"] or "reset" in message["evidence"]
        sent = 'healthguard_notifications_total{notifier="ops",outcome="sent"}'
        eventually(lambda: (world.metric(sent) or 0) >= 1)
        assert world.metric(sent.replace("sent", "failed")) == 0


def test_a_hold_is_told_and_so_is_its_end(tmp_path: Path) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port) as world:
        world.app("blue").kill()
        message = told(receiver, "blue is down and I cannot fail over (no_target)")
        assert (message["level"], message["severity"]) == ("hold", "failure")
        world.app("blue").start()

        def over() -> bool:
            return any(
                g.json()["resolves"] for g in receiver.got if message["key"] in str(g.json())
            )

        eventually(over, within=20, what="the end of the hold")


def test_two_failures_are_told_before_anything_is_decided(tmp_path: Path) -> None:
    slow = {
        "health": {"interval": "200ms", "fall": 50},
        "bake": {"for": "100ms", "fall": 50},
    }
    with hook() as receiver, telling(tmp_path, receiver.port, slow) as world:
        world.app("blue").kill()
        message = told(receiver, "blue is failing")
        assert (message["level"], message["severity"]) == ("failing", "warning")
        assert world.pool()["upstreams"]["blue"]["health"] == "up"
        world.app("blue").start()
        assert told(receiver, "blue passes its checks again")["opened_as"] == "failing"


def test_what_waits_survives_a_kill_and_no_secret_is_anywhere(tmp_path: Path) -> None:
    port = free_port()
    with telling(tmp_path, port) as world:
        world.app("blue").kill()
        eventually(lambda: "will retry" in world.daemon.log(), within=20)
        queue = tmp_path / "state/notify/queue.json"
        eventually(lambda: "no_target" in queue.read_text())
        world.daemon.kill9()
        with serving(_Server(("127.0.0.1", port), _Plain)) as receiver:
            world.daemon.start()
            message = told(receiver, "no_target", within=30)
            assert message["pool"] == "app"
        assert receiver.got[0].path == f"/{SECRET}"
        seen = {
            "log": world.daemon.log(),
            "status": world.daemon.cli("status", "--json").stdout,
            "why": world.daemon.cli("why", "app", "--json").stdout,
            "metrics": world.metrics(),
            "events": world.daemon.event_log.read_text(),
            "queue": queue.read_text(),
            "config": world.daemon.config_file.read_text(),
        }
        assert [name for name, text in seen.items() if SECRET in text] == []


def test_no_process_has_a_secret_among_its_arguments(tmp_path: Path) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port) as world:
        receiver.hang = threading.Event()
        world.app("blue").kill()
        lines = eventually(lambda: _senders(world.daemon.pid), within=20, what="a sender")
        assert all(SECRET not in each for each in lines)
        receiver.hang.set()
        told(receiver, "no_target")


def _senders(daemon: int) -> list[str]:
    """Command lines of the daemon's senders. Their parent may be a thread of it."""
    children: set[int] = set()
    for task in Path(f"/proc/{daemon}/task").iterdir():
        children.update(map(int, (task / "children").read_text().split()))
    lines = [Path(f"/proc/{each}/cmdline").read_text() for each in children]
    return [each for each in lines if "notify.sender" in each]


def test_sigterm_in_the_middle_of_sending_ends_soon_and_leaves_nothing(tmp_path: Path) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port) as world:
        receiver.hang = threading.Event()
        world.app("blue").kill()
        eventually(lambda: _senders(world.daemon.pid), within=20, what="a sender")
        world.daemon.signal(signal.SIGTERM)
        assert world.daemon.wait() == 0
        receiver.hang.set()
        receiver.hang = None
        receiver.got.clear()
        world.daemon.start()
        told(receiver, "no_target")


def test_the_page_says_who_is_not_reached_until_he_is(tmp_path: Path) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port) as world:
        receiver.status = 500
        page = partial(fetch, world.http, "/")
        assert "notifier ops" not in page()
        world.app("blue").kill()
        said = "notifier ops could not deliver messages and will retry: HTTP 500"
        eventually(lambda: said in page(), within=20, what="the page says so")
        assert "<code>healthguard notify test ops</code>" in page()
        assert SECRET not in page()
        receiver.status = 200
        eventually(lambda: "notifier ops" not in page(), within=30, what="it arrives after all")


def test_a_reload_brings_a_notifier_and_takes_it(tmp_path: Path) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port) as world:
        whole = {**world.config, "notifiers": {}}
        whole["pools"] = {"app": {**world.config["pools"]["app"], "notify": []}}
        world.daemon.configure(whole)
        world.cli("reload", "--wait")
        assert "healthguard_notifications_total{" not in world.metrics()
        world.daemon.configure(world.config)
        world.cli("reload", "--wait")
        world.app("blue").kill()
        told(receiver, "no_target")


@pytest.mark.parametrize("up", [True, False])
def test_notify_test(tmp_path: Path, up: bool) -> None:
    with hook() as receiver, telling(tmp_path, receiver.port) as world:
        receiver.status = 200 if up else 500
        done = world.daemon.cli("notify", "test", "ops")
        assert done.returncode == (0 if up else 1)
        if up:
            assert "sent to ops (webhook)" in done.stdout
            assert told(receiver, "this is a test")["level"] == "switch"
        else:
            assert "not sent to ops (webhook): HTTP 500" in done.stderr
        assert SECRET not in done.stdout + done.stderr
        unknown: subprocess.CompletedProcess[str] = world.daemon.cli("notify", "test", "oops")
        assert unknown.returncode == 2
        assert "no notifier 'oops'" in unknown.stderr
