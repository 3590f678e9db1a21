"""The guard's own trouble: it was frozen, its disk is full, it is disabled, there are two of it."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.daemon import PYTHON_M, DaemonProcess
from tests.support.eventually import eventually
from tests.support.world import World, never


def test_whoever_was_frozen_judges_nobody(stable: World) -> None:
    """SIGSTOP for five seconds while both colours are away; both are back when it thaws."""
    stable.daemon.signal(signal.SIGSTOP)
    for color in ("blue", "green"):
        stable.app(color).hang()
    never(lambda: stable.daemon.exit_status() is not None, during=5.0)
    stable.daemon.signal(signal.SIGCONT)
    for color in ("blue", "green"):
        stable.app(color).resume()
    held = stable.daemon.wait_event("hold_entered", gate="self_unhealthy")
    assert "stopped or starved" in held["reason"]
    stable.wait_health(blue="up", green="up")
    stable.wait_pool(phase="steady", rollback_ready=True)
    assert not stable.daemon.events("switch_started")
    assert not [e for e in stable.daemon.events("health_changed") if e["to"] == "down"]


def test_whoever_ran_out_of_descriptors_sees_again_when_there_are_some(stable: World) -> None:
    """Nothing can be probed and nothing looked at; nobody is blamed, and nothing stays blind."""
    pid, many = stable.daemon.pid, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (5, many[1]))
    stable.daemon.wait_event("hold_entered", gate="self_unhealthy")
    # The link is looked at every second then.
    eventually(lambda: "app: not looked at" in stable.daemon.log(), what="a look that failed")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, many)
    stable.wait_health(blue="up", green="up")
    stable.wait_pool(phase="steady", rollback_ready=True)
    assert not stable.daemon.events("switch_started")


def test_an_upstream_that_is_frozen_is_left(stable: World) -> None:
    stable.app("blue").hang()
    stable.wait_served("green")
    done = stable.daemon.wait_event("switch_completed")
    assert {row["reason"] for row in done["evidence"]} == {"timeout"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is easily full."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, log: Path) -> Path:
    """Leaves no byte: neither a free page nor the rest of the last page of ``log``."""
    head, tail = b'{"ts":"2000-01-01T00:00:00.000Z","event":"filler","pad":"', b'"}\n'
    free = -log.stat().st_size % 4096
    free += 4096 if free < len(head + tail) else 0
    with log.open("ab", buffering=0) as file:
        file.write(head + b"x" * (free - len(head + tail)) + tail)
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk_does_not_stop_a_switch(tmp_path: Path, small_disk: Path) -> None:
    """Neither memory nor event log can be written: it acts, and says that it is not durable."""
    paths = {"state_dir": str(small_disk / "state"), "event_log": str(small_disk / "events.jsonl")}
    with World(tmp_path, pool={"stable": "green"}, daemon=paths) as world:
        world.daemon.event_log = small_disk / "events.jsonl"
        world.settled().wait_pool(rollback_ready=True)
        ballast = fill(small_disk, world.daemon.event_log)
        written = len(world.daemon.events())
        world.app("blue").kill()
        world.wait_served("green")
        world.wait_metric("healthguard_event_log_durable", 0)
        assert "event log cannot be written" in world.daemon.log()
        kept = world.root / "run" / "events.jsonl"
        eventually(lambda: '"event":"switch_completed"' in kept.read_text())
        ballast.unlink()
        world.cli("pause", "app", "--for", "20m", "--reason", "work")
        world.wait_metric("healthguard_event_log_durable", 1)
        later = world.daemon.events()[written:]
        done = next(event for event in later if event["event"] == "switch_completed")
        assert done["durable"] is False
        assert not kept.exists() or not kept.read_text()
        world.daemon.kill9()  # what it remembers is not lost with the full disk
        world.daemon.start()
        assert world.pool()["upstreams"]["blue"]["known_bad"]


def test_a_second_daemon_on_the_same_nginx_ends_and_says_why(stable: World) -> None:
    second = stable.root / "second"
    second.mkdir()
    other = DaemonProcess(second, {**stable.config, "daemon": {"http": None}})
    other.start(wait=False)
    assert other.wait() == 75
    assert f"process {stable.daemon.pid} already guards the nginx of" in other.log()
    assert not other.socket.exists()
    assert stable.pool()["phase"] == "steady"


def test_a_taken_port_is_said(tmp_path: Path, stable: World) -> None:
    """Two guards for two nginx, but one HTTP address."""
    with pytest.raises(RuntimeError, match=r"ended with 1:[\s\S]*daemon\.http"):
        World(tmp_path / "other", daemon={"http": f"127.0.0.1:{stable.http}"}).__enter__()


def test_a_demo_beside_a_running_daemon(stable: World) -> None:
    env = {**os.environ, "TMPDIR": str(stable.root)}
    done = subprocess.run(
        [sys.executable, "-m", "healthguard", "demo"],
        env=env,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rolled back" in done.stdout
    stable.wait_pool(active="blue", phase="steady")
    assert not stable.daemon.events("switch_started")


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="needs a mount namespace"
)
def test_the_disable_file_stops_everything(tmp_path: Path) -> None:
    """/etc/healthguard/DISABLE, in an /etc that only this daemon sees."""
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    (etc / "healthguard").mkdir(exist_ok=True)
    file = etc / "healthguard" / "DISABLE"
    mounting = f'mount --bind {etc} /etc && exec "$@"'
    prefix = ("unshare", "-m", "sh", "-c", mounting, "sh")
    with World(tmp_path, pool={"stable": "green"}, prefix=prefix) as world:
        world.settled().wait_pool(rollback_ready=True)
        file.write_text("maintenance by ops\n")
        world.wait_pool(ready_gate="disabled")
        assert world.api("status")["disabled"] == "maintenance by ops"
        assert "maintenance by ops" in world.cli("status") + world.cli("why", "app")
        world.app("blue").kill()
        event = world.wait_hold("disabled")
        assert "maintenance by ops" in event["reason"]
        assert "disabled" in world.cli("switch", "app", "green", code=1)
        never(lambda: world.nginx.linked() != "blue", during=0.5)
        world.cli("switch", "app", "green", "--force")
        world.wait_served("green")
        file.unlink()
        eventually(lambda: not world.gate("disabled")["closed"])


def test_standalone_beside_the_daemon_and_without_it(stable: World) -> None:
    said = stable.cli("switch", "app", "green", "--standalone", "--reason", "by hand")
    assert "daemon" in said, "that one runs is said"
    stable.wait_served("green")
    stable.wait_pool(active="green")  # the daemon adopts it
    never(lambda: stable.nginx.linked() != "green", during=0.5)

    stable.daemon.kill9()
    stable.cli("switch", "app", "blue", "--standalone", "--reason", "no daemon")
    stable.wait_served("blue")
    done = stable.daemon.events("switch_completed")[-1]
    assert (done["to"], done["trigger"], done["reason"]) == ("blue", "manual", "no daemon")
    stable.app("green").kill()
    assert "standby_not_up" in stable.cli("switch", "app", "green", "--standalone", code=1)
    stable.daemon.start()
    stable.wait_pool(active="blue")


def test_standalone_waits_for_no_daemon_in_the_middle_of_a_switch(tmp_path: Path) -> None:
    """One lock for both: while the daemon switches, nobody else does."""
    with World(tmp_path, pool={"stable": "green"}, slow_reload=True) as world:
        world.settled().wait_pool(rollback_ready=True)
        world.hold_reload()
        world.app("blue").answer(status=503)
        world.wait_reloading()
        said = world.cli("switch", "app", "blue", "--standalone", code=1)
        assert "switch_in_flight" in said
        world.let_reload()
        world.wait_served("green")


def test_a_config_that_is_wrong_from_the_start_is_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "healthguard.yaml"
    file.write_text("pools: {}\nnonsense: 1\n")
    done = subprocess.run(
        [*PYTHON_M, "run", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "healthguard.yaml:2: nonsense" in done.stderr
    assert "Traceback" not in done.stderr
