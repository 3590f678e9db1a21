"""A switcher service as a process of its own, around a switcher by hand."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
CONFIG = """\
pools:
  threader:
    link: /etc/nginx/upstreams/threader_active.conf
    upstreams:
      blue:
        config: threader_blue.conf
        probes: [{http: "http://127.0.0.1:9009/healthz"}]
      green:
        config: threader_green.conf
        probes: [{http: "http://127.0.0.1:9010/healthz"}]
"""


class Service:
    """The process, its socket and its state folder."""

    def __init__(self, root: Path) -> None:
        self.path = root / "sock" / "switcher.sock"
        self.state = root / "state"
        self.config = root / "etc" / "healthguard.yaml"
        for folder in (self.path.parent, self.state, self.config.parent):
            folder.mkdir(mode=0o755)
        self.config.write_text(CONFIG)
        self.log_file = root / "switcher.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(self.state.parent / "run"),
            "PYTHONPATH": str(ROOT),
        }

    def command(self, listen: str = "", idle_s: float = 600) -> list[str]:
        script = str(Path(__file__).with_name("fake.py"))
        return [sys.executable, script, str(self.config), listen or str(self.path), str(idle_s)]

    def start(self, *, wait: bool = True) -> "Service":
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.environ, stderr=log)
        if wait:
            eventually(self.listens, within=20, what="the switcher listens")
        return self

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.path)) == 0

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(20)

    def kill9(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def hold(self, what: str = "hold") -> None:
        (self.state / what).touch()

    def release(self, what: str = "hold") -> None:
        (self.state / what).unlink()

    def acts(self) -> list[str]:
        file = self.state / "acts"
        return file.read_text().splitlines() if file.exists() else []

    def log(self) -> str:
        return self.log_file.read_text()

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(self.path))
        return client

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request on a connection of its own."""
        with self.connect() as client:
            return talk(client, json.dumps(request).encode() + b"\n")


def talk(client: socket.socket, line: bytes) -> dict[str, Any]:
    client.sendall(line)
    return read_answer(client)


def read_answer(client: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        part = client.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    answer: dict[str, Any] = json.loads(data)
    return answer
