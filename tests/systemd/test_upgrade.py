"""The package over the one of the version before, which has guarded this host until now.

That version is known from the git history alone, so its package is built here. It gets the
libraries of today's package, which were fetched already.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.systemd.host import POOL, REPOSITORY, Host

BEFORE = "0c0418c7f0168ee8ff8ffa58378fd5d0dba9ecdc"  # the last one before rooms by purpose
KEPT = ("active", "latched", "forced", "lost", "budget", "mode")


@pytest.fixture(scope="module")
def before(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the version before; two seconds."""
    tree = tmp_path_factory.mktemp("before")
    _check_out(tree)
    _lend_libraries(tree)
    done = subprocess.run(
        [tree / "packaging/build"],
        env={**os.environ, "PYTHON": sys.executable, "VERSION": "0.1.0~before"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tree / done.stdout.split()[-1]


def _check_out(tree: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git, to build the version before")
    done = subprocess.run(
        ["git", "archive", BEFORE], cwd=REPOSITORY, capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"needs commit {BEFORE[:7]}, the version before: clone with the whole history")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        tar.extractall(tree, filter="data")


def _lend_libraries(tree: Path) -> None:
    """Those of today's package, under the name by which the old build looks for its own."""
    (today,) = (REPOSITORY / "build/deb").glob("deps-*")
    key = subprocess.run([sys.executable, "-VV"], capture_output=True, check=True).stdout
    for name in ("requirements.txt", "requirements-build.txt", "packaging/build"):
        key += (tree / name).read_bytes()
    shutil.copytree(today, tree / f"build/deb/deps-{hashlib.sha256(key).hexdigest()[:16]}")


def live(host: Host) -> None:
    """Blue fails and is left for green, then is well again; a person pauses the pool."""
    # A record names the code it was begun with, which must not have been replaced by then.
    host.m.wait_until("ls /var/lib/healthguard/record/threader/*")
    for color in ("blue", "green"):
        assert host.cli("good", POOL, color).returncode == 0
    eventually(lambda: host.cli("ready", POOL).returncode == 0, within=20)
    host.break_app("blue")
    eventually(lambda: host.status()["active"] == "green", within=20)
    host.m.sh("rm /run/app-blue-broken")
    eventually(lambda: host.health("blue") == "up", within=20)
    assert host.cli("pause", POOL, "--for", "1h", "--reason", "upgrade").returncode == 0


def remembered(host: Host) -> dict[str, Any]:
    """What `status` knows from the memory alone."""
    status = host.status()
    upstreams = status["upstreams"].items()
    reasons = {name: each["known_bad"] and each["known_bad"]["reason"] for name, each in upstreams}
    paused = (status["paused"]["reason"], status["paused"]["by"])
    good = {name: each["good"] for name, each in upstreams}
    return {key: status[key] for key in KEPT} | {"bad": reasons, "good": good, "paused": paused}


def moments(host: Host) -> list[float]:
    """Since when green is active, when blue was marked, when the pause ends; in seconds."""
    status = host.status()
    marked = status["upstreams"]["blue"]["known_bad"]["at"]
    times = (status["active_since"], marked, status["paused"]["until"])
    return [datetime.fromisoformat(each).timestamp() for each in times]


def test_the_guard_goes_on_where_the_version_before_was(
    before: Path, bare: Host, package: Path
) -> None:
    host = bare
    host.prepare_nginx()
    host.install(before)
    live(host)
    old, times, pid, since = remembered(host), moments(host), host.main_pid(), host.cursor()

    said = host.put_package(package, "new.deb")
    assert "rror" not in said, said
    assert host.main_pid() not in (0, pid)
    assert host.m.out("systemctl", "is-system-running").strip() == "running"
    assert remembered(host) == old
    assert moments(host) == pytest.approx(times, abs=0.1)  # clocks of two lives
    assert host.cli("status").returncode == 0
    assert trouble(host, since) == []

    # Nothing of the layout before is left, and everything is as it was packed.
    lost = "dpkg -L healthguard | sort >/tmp/packed; find /usr/lib/healthguard -type f | sort |"
    assert host.m.sh(f"{lost} grep -v __pycache__ | comm -23 - /tmp/packed") == ""
    assert host.m.sh("find /usr/lib/healthguard -path '*healthguard/edges*'") == ""
    assert host.m.sh("find /usr/lib/healthguard -path '*healthguard/service/*'") == ""
    changed = host.m.sh("dpkg --verify healthguard | grep -v ' /usr/share/doc/'", code=None)
    assert changed == "??5?????? c /etc/healthguard/healthguard.yaml\n"

    # The past is still known, and decided upon as it was.
    replayed = host.cli("replay", "--json")
    assert replayed.returncode == 0, host.cli("replay").stdout
    view = json.loads(replayed.stdout)
    pool = view["pools"][POOL]
    assert pool["damage"] == []
    assert pool["versions"][0] != view["version"], pool
    assert pool["events"]["switch_completed"] == 1
    history = host.cli("history", POOL, "--since", "1h").stdout
    assert "switch_completed" in history
    assert "paused" in history

    # Guard and switcher of today work together: the way back.
    assert host.cli("resume", POOL).returncode == 0
    assert host.cli("clear", POOL, "blue").returncode == 0
    eventually(lambda: host.cli("ready", POOL).returncode == 0, within=20)
    host.break_app("green")
    eventually(lambda: host.marker() == "blue", within=20)


def trouble(host: Host, since: str) -> list[str]:
    """What the guard's units have logged as an error or worse."""
    found = host.journal(since)
    return [
        entry["MESSAGE"]
        for entry in found
        if "healthguard" in entry.get("_SYSTEMD_UNIT", "") and int(entry["PRIORITY"]) <= 3
    ]
