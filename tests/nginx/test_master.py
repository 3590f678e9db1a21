"""Only a proven master is believed; everything else has a sentence of its own."""

import os
import signal
import subprocess
import time

import pytest

from healthguard.nginx.master import Master, MasterFinder
from healthguard.nginx.reload import send_hangup
from tests.nginx.conftest import Guard, MakeBox, needs_root
from tests.support.eventually import eventually
from tests.support.nginx import NginxSandbox


def test_running_nginx_is_found_with_its_workers(box: NginxSandbox) -> None:
    fact, master = MasterFinder(box.settings()).find()
    assert master is not None
    assert (fact.state, master.pid) == ("running", box.master)
    assert fact.master == f"{master.pid}:{master.start}"
    assert {each.pid for each in master.active()} == set(box.worker_pids())
    assert abs(fact.workers_since_wall_ms - time.time() * 1000) < 60_000
    assert fact.shutting_down == 0


def test_workers_that_finish_their_requests_are_counted(box: NginxSandbox) -> None:
    import socket

    finder = MasterFinder(box.settings())
    with socket.create_connection(("127.0.0.1", box.ports["app"])) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        box.reload()
        eventually(lambda: finder.find()[0].shutting_down == 1)
    eventually(lambda: finder.find()[0].shutting_down == 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "instead of a pid"),
        ("abc", "instead of a pid"),
        ("4194304\n", "is not running"),
        ("-1", "instead of a pid"),
    ],
)
def test_stale_or_empty_pid_file_is_down(box: NginxSandbox, text: str, says: str) -> None:
    box.pid_file.write_text(text)
    fact, master = MasterFinder(box.settings()).find()
    assert (fact.state, master) == ("down", None)
    assert says in fact.detail


def test_innocent_process_with_the_pid_is_not_taken_for_nginx(box: NginxSandbox) -> None:
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        box.pid_file.write_text(f"{innocent.pid}\n")
        fact, _ = MasterFinder(box.settings()).find()
        assert fact.state == "down"
        assert "is not nginx but 'sleep 60'" in fact.detail
        assert send_hangup(Master(innocent.pid, 1)).problem
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_master_of_another_nginx_is_not_ours(make_box: MakeBox) -> None:
    ours, other = make_box(), make_box()
    ours.pid_file.write_text(f"{other.master}\n")
    fact, _ = MasterFinder(ours.settings()).find()
    assert fact.state == "down"
    assert "an nginx with another configuration" in fact.detail


def test_hangup_to_a_pid_used_again_goes_to_nobody(box: NginxSandbox) -> None:
    assert box.master is not None
    log = box.error_log()
    assert "no longer the nginx master" in send_hangup(Master(box.master, 1)).problem
    assert box.error_log() == log


def test_orphans_of_a_killed_master_are_named(box: NginxSandbox) -> None:
    assert box.master is not None
    orphan = box.worker_pids()[0]
    os.kill(box.master, signal.SIGKILL)
    finder = MasterFinder(box.settings())
    eventually(lambda: finder.find()[0].state == "down")
    assert box.get() == "blue", "they really go on serving"
    detail = eventually(lambda: "without a master" in (text := finder.find()[0].detail) and text)
    assert "cannot be reloaded" in str(detail)
    assert str(orphan) in str(detail)


async def test_binary_upgrade_holds_everything(guard: Guard) -> None:
    box = guard.box
    assert box.master is not None
    fact = await guard.prepare()
    os.kill(box.master, signal.SIGUSR2)
    finder = MasterFinder(box.settings())
    oldbin = box.root / "nginx.pid.oldbin"
    eventually(lambda: oldbin.exists() and finder.find()[0].state == "upgrading")
    done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "nginx_upgrading"), done
    assert (await guard.prepare()).gate == "nginx_upgrading"
    assert box.linked() == "blue"
    eventually(lambda: box.read_pid() not in (None, box.master))
    os.kill(box.master, signal.SIGQUIT)
    eventually(lambda: finder.find()[0].state == "running")
    done = await guard.switch()
    assert done.outcome == "completed"


async def test_stale_oldbin_file_holds_nothing(guard: Guard) -> None:
    (guard.box.root / "nginx.pid.oldbin").write_text("4194304\n")
    assert (await guard.prepare()).ticket


async def test_nginx_that_does_not_run_is_refused(guard: Guard) -> None:
    fact = await guard.prepare()
    assert guard.box.master is not None
    os.kill(guard.box.master, signal.SIGTERM)
    eventually(lambda: MasterFinder(guard.config).find()[0].state == "down")
    done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "nginx_down")
    assert (await guard.prepare()).gate == "nginx_down"


async def test_restarted_nginx_is_tested_again(guard: Guard) -> None:
    fact = await guard.prepare()
    box = guard.box
    assert box.master is not None
    os.kill(box.master, signal.SIGQUIT)
    eventually(lambda: not box.pid_file.exists())
    box.start()
    done = await guard.commit(fact)
    assert done.outcome == "completed"
    assert "prepare" in done.timings_ms


@needs_root
def test_unprivileged_eyes_see_the_same(box: NginxSandbox) -> None:
    """The daemon's user reads link, master and workers without any right."""
    import json
    import sys

    for folder in (box.root, *box.root.parents):
        if folder.stat().st_uid == os.geteuid() and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from healthguard.nginx.master import MasterFinder\n"
        "from healthguard.nginx.settings import NginxSettings\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "fact, _ = MasterFinder(NginxSettings(config=Path(sys.argv[1]))).find()\n"
        "print(json.dumps([fact.state, fact.master, fact.detail]))"
    )
    argv = [sys.executable, "-c", code, str(box.config)]
    seen = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    fact, _ = MasterFinder(box.settings()).find()
    assert seen == [fact.state, fact.master, ""]
