"""The programs that are measured, as processes of this run: nginx, HAProxy, healthguard."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from healthguard.control.client import ApiReply, Client
from tests.support.eventually import eventually
from tests.support.nginx import BINARY

ROOT = Path(__file__).resolve().parents[1]


class Program:
    """One process in the foreground, with its output in ``NAME.out``. A context manager."""

    def __init__(self, folder: Path, name: str, argv: Sequence[str]) -> None:
        self.folder = folder
        self.output = folder / f"{name}.out"
        self.argv = list(argv)
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, f"{self.argv[0]} does not run"
        return self._process.pid

    def start(self) -> Self:
        """Start it; ``ready`` says when it can be used."""
        self._since = time.monotonic()
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            eventually(self._ready, within=60, what=f"{self.argv[0]} is ready")
        except BaseException:
            self.end(signal.SIGKILL)
            sys.stderr.write(self.output.read_text()[-4000:])
            raise
        return self

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.argv} has ended: {self._process.returncode}")
        return self.ready()

    def ready(self) -> bool:
        """True when it can be used."""
        return time.monotonic() - self._since > 0.3  # who cannot start has ended by then

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


class Nginx(Program):
    """nginx with its whole configuration given as text; ``{root}`` in it is its folder."""

    def __init__(self, root: Path, name: str, main: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)
        self.config = root / f"{name}.conf"
        self.pid_file = root / f"{name}.pid"
        top = f"daemon off;\npid {self.pid_file};\nerror_log {root}/{name}.err notice;\n"
        self.config.write_text((top + main).replace("{root}", str(root)))
        super().__init__(root, name, [str(BINARY), "-c", str(self.config), "-e", "stderr"])

    def ready(self) -> bool:
        """See Program."""
        with contextlib.suppress(OSError):
            return self.pid_file.read_text().strip() == str(self.pid)
        return False


class Haproxy(Program):
    """HAProxy of the distribution with its configuration given as text."""

    def __init__(self, root: Path, name: str, config: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        file = root / f"{name}.cfg"
        file.write_text(config)
        super().__init__(root, name, ["haproxy", "-db", "-q", "-f", str(file)])


class Guard(Program):
    """``healthguard run`` as shipped, by the interpreter ``python``."""

    def __init__(self, root: Path, config: Mapping[str, Any], python: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.config_file = root / "healthguard.yaml"
        self.events_file = root / "events.jsonl"
        self.client = Client(root / "control.sock")
        daemon = {
            "state_dir": str(root / "state"),
            "event_log": str(self.events_file),
            "control_socket": str(self.client.path),
            "control_groups": [],
            "http": None,
        }
        whole = {**config, "daemon": {**daemon, **config.get("daemon", {})}}
        self.config_file.write_text(yaml.safe_dump(whole, sort_keys=False))
        argv = [python, "-m", "healthguard", "run", "--config", str(self.config_file)]
        super().__init__(root, "healthguard", argv)

    def ready(self) -> bool:
        """See Program."""
        reply = self.client.get("status")
        return isinstance(reply, ApiReply) and reply.status == 200

    def pool(self, name: str) -> Mapping[str, Any]:
        """One pool's part of status."""
        reply = self.client.get("pools", name)
        assert isinstance(reply, ApiReply), reply
        return reply.body

    def switch(self, pool: str, to: str) -> bool:
        """A manual switch; True when it is done."""
        body = {"to": to, "reason": "bench"}
        reply = self.client.post("pools", pool, "switch", body=body, wait="10s", timeout_s=15)
        return isinstance(reply, ApiReply) and reply.status == 200


def environment() -> str:
    """One line about where this was measured."""
    versions = [
        _first_line([str(BINARY), "-v"]),
        _first_line(["haproxy", "-v"]).partition(" 20")[0],
        "Python " + ".".join(map(str, sys.version_info[:3])),
        f"Linux {os.uname().release} {os.uname().machine}, {os.cpu_count()} CPUs",
    ]
    return ", ".join(versions)


def _first_line(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10)
    return (done.stdout + done.stderr).splitlines()[0].removeprefix("nginx version: ")
