"""The service as shipped, with the real switch inside, on a real nginx."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from healthguard.nginx.ports import Commit
from healthguard.switcher.client import SocketSwitcher
from tests.support.eventually import eventually, eventually_async
from tests.support.nginx import NginxSandbox, occupied
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


class Real:
    """nginx, a configuration, and ``healthguard switcher`` as a process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nginx = NginxSandbox(root / "nginx")
        self.path = root / "sock" / "switcher.sock"
        self.config = root / "healthguard.yaml"
        pool = {
            "link": str(self.nginx.link()),
            "upstreams": {
                colour: {
                    "config": self.nginx.file(colour).name,
                    "probes": [{"tcp": f"127.0.0.1:{port}"}],
                }
                for colour, port in (("blue", 9), ("green", 10))
            },
            "confirm": {"url": f"http://127.0.0.1:{self.nginx.marker_ports['app']}/app"},
        }
        nginx = {
            "config": str(self.nginx.config),
            "reload": "signal",
            "switcher": str(self.path),
        }
        self.config.write_text(yaml.safe_dump({"nginx": nginx, "pools": {"app": pool}}))
        self.log = root / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "STATE_DIRECTORY": str(self.root / "state"),
            "RUNTIME_DIRECTORY": str(self.root / "run"),
        }
        command = [sys.executable, "-m", "healthguard", "--config", str(self.config), "switcher"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environ, stderr=log)

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.path)) == 0

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    made = Real(tmp_path)
    with made.nginx:
        made.start()
        try:
            eventually(made.listens, within=20)
            yield made
        finally:
            made.end(signal.SIGKILL)
            sys.stderr.write(made.log.read_text())


def order(ticket: str | None, name: str = "t-1") -> Commit:
    assert ticket is not None
    return Commit(name, "app", ticket, "blue", "green", undo_unclear=False)


async def test_a_switch_through_the_socket(real: Real) -> None:
    switcher = SocketSwitcher(real.path)
    fact = await switcher.prepare("app", "green")
    assert fact.ticket, fact
    done = await switcher.commit(order(fact.ticket))
    assert (done.outcome, done.confirm, done.durable) == ("completed", "proven", True), done
    assert (real.nginx.linked(), real.nginx.get()) == ("green", "green")
    assert real.end(signal.SIGTERM) == 0


async def test_killed_in_the_middle_and_started_again(real: Real) -> None:
    port = free_port()
    green = real.nginx.file("green")
    green.write_text(green.read_text() + f"server {{ listen 127.0.0.1:{port}; }}\n")
    switcher = SocketSwitcher(real.path)
    with occupied(port):  # nginx goes on with blue, and says nothing for seconds
        fact = await switcher.prepare("app", "green")
        commit = asyncio.create_task(switcher.commit(order(fact.ticket)))
        await eventually_async(lambda: real.nginx.linked() == "green", step=0.002)
        await asyncio.to_thread(real.end, signal.SIGKILL)
        real.start()
        done = await commit
    assert (done.outcome, done.recovered) == ("undone", True), done
    assert (real.nginx.linked(), real.nginx.get()) == ("blue", "blue")
    found = {item.switch_id: item.done.outcome for item in await switcher.reconcile()}
    assert found == {"t-1": "undone"}
