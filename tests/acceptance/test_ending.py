"""SIGTERM and SIGINT: nothing new is begun, what was begun is finished, the exit status is 0."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.world import World


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_switch_in_flight_is_finished_first(tmp_path: Path, number: signal.Signals) -> None:
    with World(tmp_path, pool={"stable": "green"}, slow_reload=True) as world:
        world.settled().wait_pool(rollback_ready=True)
        world.hold_reload()
        world.app("blue").answer(status=503)
        world.wait_reloading()
        world.daemon.signal(number)
        world.daemon.wait_event("daemon_stopping")
        assert world.daemon.exit_status() is None
        assert not world.daemon.events("switch_completed")
        world.let_reload()
        assert world.daemon.wait(10) == 0
        world.wait_served("green")
        done = world.daemon.events("switch_completed")
        assert [event["trigger"] for event in done] == ["automatic"]
        assert world.daemon.events("release_marked"), "the end is remembered, too"


def test_an_end_right_after_a_switch_does_not_hang(stable: World) -> None:
    """The look that a switch asks for at its end must not swallow the cancellation."""
    for to in ("green", "blue", "green"):
        stable.cli("switch", "app", to)
        assert stable.daemon.stop() == 0
        stable.daemon.start()
        stable.wait_pool(active=to)


def test_no_new_switch_is_begun(tmp_path: Path) -> None:
    """One pool is in the middle of its switch, the other waits for its turn: it waits in vain."""
    with World(tmp_path, pools=("one", "two"), pool={"stable": "green"}, slow_reload=True) as world:
        world.settled()
        for pool in world.pools:
            world.wait_pool(pool, rollback_ready=True)
        world.hold_reload()
        world.app("blue", "one").answer(status=503)
        world.wait_reloading()
        world.app("blue", "two").answer(status=503)
        world.wait_health("two", blue="down")
        eventually(lambda: world.gate("min_down", "two")["closed"] is False)
        world.daemon.signal(signal.SIGTERM)
        world.daemon.wait_event("daemon_stopping")
        world.let_reload()
        assert world.daemon.wait(10) == 0
        assert (world.nginx.linked("one"), world.nginx.linked("two")) == ("green", "blue")
        started = world.daemon.events("switch_started")
        assert [event["pool"] for event in started] == ["one"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_switch_whose_charge_is_being_saved_is_finished(tmp_path: Path) -> None:
    """The end comes between the decision, on a slow disk, and the move of the link."""
    with World(tmp_path, pool={"stable": "green"}) as world:
        world.settled().wait_pool(rollback_ready=True)
        slow = ["-e", "trace=fsync", "-e", "inject=fsync:delay_enter=400000"]
        argv = ["strace", "-f", "-qq", *slow, "-o", "/dev/null", "-p", str(world.daemon.pid)]
        with subprocess.Popen(argv) as strace:
            eventually(lambda: tracer(world.daemon.pid) != 0, what="strace is attached")
            world.app("blue").answer(status=503)
            eventually(lambda: intent_on_its_way(world), what="the intent is being saved")
            world.daemon.signal(signal.SIGTERM)
            assert world.daemon.wait(15) == 0
            strace.wait(10)
        started = world.daemon.events("switch_started")
        ended = world.daemon.events("switch_completed")
        assert [event["id"] for event in started] == [event["switch"] for event in ended]
        assert len(started) == 1
        assert world.nginx.linked() == world.served_by() == "green"


def intent_on_its_way(world: World) -> bool:
    """True while a memory with an open attempt is written, but not yet in place."""
    try:
        return '"attempt":{' in next((world.root / "state").glob(".*.tmp")).read_text()
    except (StopIteration, FileNotFoundError):
        return False


def tracer(pid: int) -> int:
    """Who traces this process; 0: nobody."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("TracerPid:")[1].split()[0])
