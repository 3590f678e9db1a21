"""SIGKILL at each system call of a switch that changes something, then start again.

Whatever the moment: the link is the old or the new one and never missing, no left-over stays,
and after reconciling nginx uses what the link names and the end of the switch is known.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.nginx.intent import Intents
from healthguard.nginx.switch import InlineSwitcher
from tests.support.eventually import eventually
from tests.support.nginx import NginxSandbox

SCRIPT = Path(__file__).with_name("one_commit.py")
CALLS = ("symlink", "renameat2", "rename", "fsync", "unlink", "pidfd_send_signal")
# (system call, its how-manieth in one thread): every one of a switch, as the first test proves.
MOMENTS = [
    ("symlink", 1),
    ("renameat2", 1),
    ("rename", 1),
    ("rename", 2),
    ("fsync", 1),
    ("fsync", 2),
    ("fsync", 3),
    ("fsync", 4),
    ("fsync", 5),
    ("fsync", 6),
    ("unlink", 1),
    ("unlink", 2),
    ("unlink", 3),
    ("unlink", 4),
    ("unlink", 5),
    ("pidfd_send_signal", 1),
]
WAITING = [20, 30, 45, 60]  # turns of the loop, most of them while the workers are watched
pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxSandbox]:
    with NginxSandbox(tmp_path_factory.mktemp("crash")) as sandbox:
        yield sandbox


def run(box: NginxSandbox, trace: list[str], *, marked: bool) -> tuple[int, str]:
    pool = box.pool_files(marked=marked)
    argv = [
        "strace",
        "-f",
        "-qq",
        *trace,
        sys.executable,
        str(SCRIPT),
        str(box.config),
        str(pool.link),
        *map(str, pool.upstreams.values()),
        str(box.root / "state"),
        str(box.root / "locks"),
        pool.confirm_url or "",
    ]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd=SCRIPT.parents[2],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode, done.stdout


def start_over(box: NginxSandbox) -> None:
    """Link and workers on blue, no records."""
    shutil.rmtree(box.root / "state", ignore_errors=True)
    box.point("blue")
    old = set(box.worker_pids())
    box.reload()
    eventually(lambda: (now := set(box.worker_pids())) and not now & old)


async def reconcile(box: NginxSandbox, *, marked: bool) -> str | None:
    pools = {"app": box.pool_files(marked=marked)}
    switcher = InlineSwitcher(
        box.settings(), pools, box.root / "state", lock_folder=box.root / "locks"
    )
    found = await switcher.reconcile()
    assert all(each.switch_id == "crashed" and each.done.recovered for each in found)
    return found[0].done.outcome if found else None


class NotReached(AssertionError):
    """The switch had ended before the moment came."""


async def killed_and_recovered(box: NginxSandbox, inject: str, *, marked: bool) -> str | None:
    start_over(box)
    code, out = run(
        box, ["-e", f"trace={inject.split(':')[0]}", "-e", f"inject={inject}"], marked=marked
    )
    if code not in (-9, 137):
        raise NotReached(f"it was not killed at {inject}: {out}")
    # The first symlink is the one in the private namespace of the candidate test.
    assert out.startswith("ready") or inject.startswith("symlink"), "killed too early"
    assert box.linked() in ("blue", "green")
    outcome = await reconcile(box, marked=marked)
    names = sorted(path.name for path in box.links_dir.iterdir())
    assert names == ["app_active.conf", "app_blue.conf", "app_green.conf"]
    assert {box.get() for _ in range(10)} == {box.linked()}
    assert outcome in (None, "completed", "undone"), outcome
    if outcome is None:
        assert box.linked() == "blue", "nothing recorded, so nothing may have happened"
    else:
        assert box.linked() == ("green" if outcome == "completed" else "blue")
        intent = Intents(box.root / "state", box.root / "locks").read("app")
        assert intent is not None
        assert intent.done is not None
    box.reload()  # no time bomb: a later reload by anybody changes nothing
    linked = box.linked()
    eventually(lambda: {box.get() for _ in range(10)} == {linked})
    return outcome


def test_the_moments_are_all_there_are(box: NginxSandbox, tmp_path: Path) -> None:
    start_over(box)
    log = tmp_path / "calls"
    trace = ["-e", f"trace={','.join(CALLS)}", "-o", str(log)]
    assert run(box, trace, marked=False) == (0, "ready\ncompleted\n")
    seen: Counter[tuple[str, str]] = Counter()
    moments = set()
    for line in log.read_text().splitlines():
        thread, call = line.split(None, 1)
        name = call.split("(")[0].strip("<. ")
        if (name in CALLS and str(box.root) in line) or name in ("fsync", "pidfd_send_signal"):
            seen[thread, name] += 1
            moments.add((name, seen[thread, name]))
    assert moments == set(MOMENTS), json.dumps(sorted(moments))


@pytest.mark.parametrize(("call", "when"), MOMENTS)
async def test_killed_at_each_change(box: NginxSandbox, call: str, when: int) -> None:
    await killed_and_recovered(box, f"{call}:signal=KILL:when={when}", marked=False)


@pytest.mark.parametrize("turn", WAITING)
@pytest.mark.parametrize("marked", [False, True], ids=["generations", "marker"])
async def test_killed_while_it_watches(box: NginxSandbox, turn: int, marked: bool) -> None:
    while turn:
        try:
            await killed_and_recovered(box, f"epoll_wait:signal=KILL:when={turn}", marked=marked)
            return
        except NotReached:  # a busy machine watches in fewer turns
            turn //= 2
    pytest.fail("it was never killed")


# The first unlink comes before the intent is on disk.
@pytest.mark.parametrize("call", ["renameat2:when=1", "unlink:when=2", "pidfd_send_signal:when=1"])
async def test_killed_at_each_change_with_marker(box: NginxSandbox, call: str) -> None:
    name, when = call.split(":")
    outcome = await killed_and_recovered(box, f"{name}:signal=KILL:{when}", marked=True)
    assert outcome == "undone"


async def test_killed_after_the_end_was_recorded_is_still_told(box: NginxSandbox) -> None:
    start_over(box)
    assert run(box, ["-e", "trace=none"], marked=False) == (0, "ready\ncompleted\n")
    assert await reconcile(box, marked=False) == "completed"
    assert box.linked() == "green"
