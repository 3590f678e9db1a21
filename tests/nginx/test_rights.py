"""With and without rights: mounts stay private, nginx's own view counts, no root is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

from healthguard.nginx.master import MasterFinder
from tests.nginx.conftest import Guard, MakeBox, needs_root
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]

PREPARE = """
import asyncio, json, os, sys
from pathlib import Path
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.nginx.switch import InlineSwitcher
config, folder = Path(sys.argv[1]), Path(sys.argv[2])
files = {name: folder / f"app_{name}.conf" for name in ("blue", "green")}
pools = {"app": PoolFiles("app", folder / "app_active.conf", files)}
switcher = InlineSwitcher(NginxSettings(config=config), pools, folder / "none")
mounts = lambda: Path("/proc/self/mountinfo").read_text()
before = mounts()
while not config.with_name("nginx.pid").read_text(): pass
fact = asyncio.run(switcher.prepare("app", "green"))
names = sorted(os.listdir(folder))
print(json.dumps([bool(fact.ticket), fact.message, before == mounts(), names]))
"""

WHOLE_STORY = """
import asyncio, concurrent.futures.thread, encodings.idna, json, os, sys, tempfile
from pathlib import Path
from healthguard.nginx.observe import NginxObserver
from healthguard.nginx.ports import Commit
from healthguard.nginx.switch import InlineSwitcher
from tests.support.nginx import NginxSandbox, fetch

async def story(box):
    pools = {"app": box.pool_files(marked=True)}
    state, locks = box.root / "state", box.root / "locks"
    switcher = InlineSwitcher(box.settings(), pools, state, lock_folder=locks)
    fact = await switcher.prepare("app", "green")
    done = await switcher.commit(Commit("s", "app", fact.ticket or "", "blue", "green", False))
    sight = await NginxObserver(box.settings(), pools).look("app")
    left = [name for name in os.listdir(box.root) if name.startswith(".")]
    print(json.dumps([fact.message, done.outcome, sight.link.upstream, sight.marker, left]))

if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with tempfile.TemporaryDirectory() as folder:
    with NginxSandbox(Path(folder)) as box:
        asyncio.run(story(box))
"""


def run(*argv: str) -> list[object]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


@needs_root
def test_mounts_of_the_test_are_not_seen_outside(make_box: MakeBox) -> None:
    """Under systemd the root mount is shared: what is mounted anywhere shows up everywhere."""
    box = make_box(start=False)
    command = f'/usr/sbin/nginx -c {box.config} && exec "$@"'
    inside = ("unshare", "-m", "--propagation", "shared", "sh", "-c", command, "sh")
    found = run(*inside, sys.executable, "-c", PREPARE, str(box.config), str(box.links_dir))
    assert found == [True, "", True, ["app_active.conf", "app_blue.conf", "app_green.conf"]]


@needs_root
async def test_candidate_is_judged_by_what_nginx_itself_sees(make_box: MakeBox) -> None:
    """A file that is hidden from nginx by its unit (ProtectHome, PrivateTmp) does not count."""
    box = make_box(start=False)
    hidden = box.root / "hidden"
    hidden.mkdir()
    (hidden / "x.conf").write_text("# only outside\n")
    box.file("green").write_text(box.file("green").read_text() + f"include {hidden}/x.conf;\n")
    command = f"mount -t tmpfs none {hidden} && exec /usr/sbin/nginx -c {box.config}"
    subprocess.run(["unshare", "-m", "sh", "-c", command], check=True)  # noqa: ASYNC221
    eventually(lambda: MasterFinder(box.settings()).find()[0].state == "running")
    assert box.nginx("-t").returncode == 0
    fact = await Guard(box).prepare()
    assert fact.gate == "config_invalid", fact
    assert "hidden/x.conf" in fact.message


def test_whole_switch_needs_no_root_where_nginx_needs_none() -> None:
    assert run(sys.executable, "-c", WHOLE_STORY) == ["", "completed", "green", "green", []]
