"""A host in a folder: a real nginx, two apps and the guard, all on free loopback ports."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from healthguard.demo import files
from healthguard.demo.process import Child, python_m
from healthguard.nginx.lock import ACT, DAEMON, lock_path

RELEASES = {"blue": "1.4.1", "green": "1.5.0"}


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class CliCall:
    """One call of the command line."""

    code: int
    out: str
    err: str


class Sandbox:
    """``async with Sandbox() as sandbox:`` everything runs; afterwards nothing is left."""

    def __init__(self) -> None:
        self.binary = find_nginx()
        # The path of a socket has room for 107 bytes: a long TMPDIR gives way to /tmp.
        place = tempfile.gettempdir() if len(tempfile.gettempdir()) < 60 else "/tmp"  # noqa: S108
        self.folder = Path(tempfile.mkdtemp(prefix="healthguard-demo-", dir=place))
        self.ports = files.Ports(*free_ports(3))
        self.apps: dict[str, int] = {}
        self.config = self.folder / "healthguard.yaml"
        self.event_log = self.folder / "events.jsonl"
        self.link = self.folder / "upstreams" / "demo_active.conf"
        self._children: list[Child] = []

    @property
    def site(self) -> str:
        """What users ask."""
        return f"http://127.0.0.1:{self.ports.site}/"

    def app(self, color: str) -> str:
        """One app, asked directly."""
        return f"http://127.0.0.1:{self.apps[color]}"

    # ------------------------------------------------------------- up and down

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _start(self) -> None:
        # nginx started by root gives its workers to another user, who must be able to pass.
        self.folder.chmod(0o755)
        for color, release in RELEASES.items():
            self.apps[color] = await self._start_app(color, release)
        files.write(self.folder, self.binary, self.ports, self.apps)
        await self._start_nginx()
        await self._start_guard()

    async def _start_nginx(self) -> None:
        config, errors = str(self.folder / "nginx.conf"), str(self.folder / "nginx.log")
        nginx = self._child("nginx", "nginx.out")
        await nginx.start([self.binary, "-c", config, "-e", errors])
        await self._until(lambda: connects(self.ports.site), "nginx listens", nginx)

    async def _start_guard(self) -> None:
        self.guard = self._child("healthguard", "healthguard.log")
        command = python_m("healthguard", "run", "--config", str(self.config))
        # For its locks, so that they vanish with the folder.
        env = {"RUNTIME_DIRECTORY": str(self.folder / "run")}
        await self.guard.start(command, env=env)
        await self._until(self._answers, "healthguard answers", self.guard)

    async def _start_app(self, color: str, release: str) -> int:
        app = self._child(color, f"{color}.log")
        command = python_m("healthguard.demo.app", color, release)
        await app.start(command, stdout=asyncio.subprocess.PIPE)
        line = await app.line()
        if not line.isdigit():
            raise DemoError(f"the {color} app did not start:\n{app.tail()}")
        return int(line)

    def _child(self, name: str, log: str) -> Child:
        child = Child(name, self.folder / log)
        self._children.append(child)
        return child

    async def close(self) -> None:
        """Ends every process, the guard first, and removes the folder."""
        while self._children:
            await self._children.pop().stop()
        # Lock files outlive their holder by design. Nobody will ever come back to this nginx.
        for kind in (DAEMON, ACT):
            lock_path(self.folder / "nginx.conf", kind).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------- asking

    async def cli(self, *arguments: str) -> CliCall:
        """Runs ``healthguard ARGUMENTS`` as a person would."""
        process = await asyncio.create_subprocess_exec(
            *python_m("healthguard", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HEALTHGUARD_CONFIG": str(self.config)},
        )
        out, err = await process.communicate()
        return CliCall(process.returncode or 0, out.decode().strip(), err.decode().strip())

    def events(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Events of this name from the event log: each line as written, and what it says."""
        if not self.event_log.exists():
            return []
        lines = self.event_log.read_text().split("\n")[:-1]
        parsed = ((line, json.loads(line)) for line in lines)
        return [(line, event) for line, event in parsed if event["event"] == name]

    def active(self) -> str:
        """Which file the link names."""
        return os.readlink(self.link)  # noqa: PTH115 - the text, not a path

    def logs(self) -> str:
        """The end of every log, for when something went wrong."""
        ends = [f"--- {c.name} ({c.log.name})\n{c.tail()}" for c in self._children]
        nginx = self.folder / "nginx.log"
        if nginx.exists():
            ends.append("--- nginx (nginx.log)\n" + "\n".join(nginx.read_text().split("\n")[-40:]))
        return "\n".join(ends)

    async def _answers(self) -> bool:
        if not (self.folder / "control.sock").exists():
            return False
        return (await self.cli("status")).code == 0

    async def _until(self, check: Callable[[], Any], what: str, child: Child) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and child.running():
            answer = check()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.05)
        raise DemoError(f"timed out waiting for: {what}\n{self.logs()}")


def find_nginx() -> str:
    """The nginx of this host. DemoError: there is none."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which("nginx", path=path)
    if found is None:
        raise DemoError("nginx is not installed; `make demo` installs it")
    return found


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on; all held while choosing, so they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def connects(port: int) -> bool:
    """Somebody listens on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
