"""The first probe starts before anything heavy is loaded."""

import sys
from pathlib import Path

from tests.support.daemon import DaemonProcess
from tests.support.imports import APPRISE, DOORS
from tests.support.nginx import NginxSandbox

# Runs the program, and ends it where its first probe connects: what is loaded by then?
UNTIL_IT_CONNECTS = """
import os, runpy, sys
def witness(event, given):
    if event == "socket.connect" and given[1][0] == "127.0.0.1":
        os.write(2, " ".join(sys.modules).encode())
        os._exit(77)
sys.addaudithook(witness)
sys.argv[:4] = ["healthguard"]  # in place of -c, python, -m, healthguard
runpy.run_module("healthguard", run_name="__main__", alter_sys=True)
"""
LATER = {"healthguard.web.server", "healthguard.control.server", "healthguard.notify.sender"}


def test_it_waits_for_nothing_heavy(tmp_path: Path) -> None:
    ports = {"blue": 9, "green": 10}
    nginx = NginxSandbox(tmp_path / "nginx", apps={"app": ports})
    upstreams = {
        color: {"config": f"app_{color}.conf", "probes": [{"tcp": f"127.0.0.1:{port}"}]}
        for color, port in ports.items()
    }
    pool = {"link": str(nginx.link("app")), "upstreams": upstreams}
    config = {"nginx": {"config": str(nginx.config)}, "pools": {"app": pool}}
    prefix = (sys.executable, "-c", UNTIL_IT_CONNECTS)
    daemon = DaemonProcess(tmp_path, config, prefix=prefix).start(wait=False)
    assert daemon.wait() == 77, daemon.log()
    loaded = set(daemon.log().split())
    assert "healthguard.daemon.main" in loaded
    assert loaded & (DOORS | APPRISE | LATER) == set()
