"""A real daemon, a real nginx, a real rollback: its own record replays identically."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from healthguard.replay.run import replay
from tests.support.daemon import PYTHON_M
from tests.support.eventually import eventually
from tests.support.world import World, merged

ROOT = Path(__file__).resolve().parents[2]


def settle(world: World) -> None:
    """Until what is known now is on the disk."""
    folder = world.root / "state" / "record"

    def size() -> int:
        return sum(path.stat().st_size for path in folder.rglob("*.jsonl*"))

    before = size()
    eventually(lambda: size() > before, within=10.0, what="the record grows")


def test_a_rollback_recorded_by_the_daemon_replays_identically(tmp_path: Path) -> None:
    with World(tmp_path, pools=("app", "shop")) as world:
        world.settled().release("green")
        world.app("green").answer(status=503)
        world.wait_served("blue")
        done = world.daemon.wait_event("switch_completed", trigger="automatic")
        settle(world)
        live = world.cli("replay")  # while it runs, from its own state_dir
        assert "the same decisions, byte for byte" in live
        world.daemon.kill9()  # its segment stays open, its last line perhaps torn
        killed = json.loads(world.cli("replay", "--json"))
        assert killed["pools"]["app"]["damage"] == []
        world.daemon.start()
        world.wait_pool("app", active="blue")
        world.reconfigure({"pools": {"app": {"health": {"fall": 3}}}})
        world.cli("reload")
        world.cli("pause", "app", "--for", "5m", "--reason", "test")
        world.daemon.stop()
    view = json.loads(world.cli("replay", "--json"))
    assert view["same"] is True
    assert set(view["pools"]) == {"app", "shop"}
    app = view["pools"]["app"]
    assert (app["segments"], app["damage"]) == (2, [])
    said = app["events"]
    told = [event["event"] for event in world.daemon.events() if event.get("pool") == "app"]
    assert {name: told.count(name) for name in said} == said, "every event, as in the event log"
    assert said["switch_completed"] == 2

    # Under its own configuration nothing is different; with a lazy one the switch comes late.
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(world.daemon.config_file.read_text())
    same = json.loads(world.cli("replay", "--with", str(candidate), "--json"))
    assert same["pools"]["shop"]["findings"] == []
    assert done["id"]


def test_a_lazier_configuration_on_a_real_incident(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.settled().release("green")
        world.app("green").answer(status=503)
        world.wait_served("blue")
        world.daemon.wait_event("switch_completed", trigger="automatic")
        world.app("green").answer(status=200)
        world.wait_health(green="up")
        world.daemon.stop()
    lazy = {"bake": {"min_down": "5s"}, "rollback": {"min_down": "5s"}}
    config = merged(world.config, {"pools": {"app": lazy}})
    world.daemon.configure(config)
    text = world.cli("replay", "--with", str(world.daemon.config_file), code=1)
    assert "FALSE ALARM AVOIDED" in text
    assert "after traffic had left it" in text
    assert "bake.min_down_ms: 300 -> 5000" in text


@pytest.mark.timeout(600)
def test_a_day_of_two_pools_is_small_and_replays(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from tests.replay.recording import day; "
    program += "day(Path(sys.argv[1]), sys.argv[2])"
    makers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), pool], cwd=ROOT)
        for pool in ("app", "shop")
    ]
    assert [maker.wait(500) for maker in makers] == [0, 0]
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.gz"))
    began, used = time.monotonic(), os.times()
    words = [*PYTHON_M, "replay", str(tmp_path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    after = os.times()
    assert done.returncode == 0, done.stderr
    pools = json.loads(done.stdout)["pools"]
    inputs = sum(pool["inputs"] for pool in pools.values())
    cpu = after.children_user + after.children_system - used.children_user - used.children_system
    print(
        f"\na day of two pools: {inputs} inputs, {size / 1e6:.2f} MB on disk,"
        f" replayed in {time.monotonic() - began:.1f} s ({cpu:.1f} s of CPU)"
    )
    assert inputs > 300_000
    assert size < 6 * inputs, "some bytes for each input"
    assert all(pool["events"]["switch_completed"] == 1 for pool in pools.values())


STRANGER = """
import os, sys
from healthguard.cli import main, replay
from healthguard import config
from healthguard.replay import run as replay
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(["replay", sys.argv[1]]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_record_of_somebody_else_is_no_permission() -> None:
    """The record holds what upstreams answered: it is the daemon's own."""
    with tempfile.TemporaryDirectory(prefix="hg-") as record:  # 0700, as the daemon makes it
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, record],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"not permitted: {record}: no permission to read it\n"


def test_replay_says_where_it_looked(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.apps["app"]["blue"].stop()
    world.apps["app"]["green"].stop()
    said = world.cli("replay", code=2)
    assert f"{tmp_path}/state/record: no such file or folder" in said
    with pytest.raises(Exception, match="no such file"):
        replay(tmp_path / "nothing")
