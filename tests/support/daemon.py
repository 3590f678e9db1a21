"""The real daemon as a process: started, spoken to through the command line, killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.support.eventually import eventually

PYTHON_M = (sys.executable, "-m", "healthguard")


class DaemonProcess:
    """``healthguard run`` with its own state, event log and control socket under ``root``.

    ``config`` is the configuration without the ``daemon`` paths, which are filled in here; what
    it says under ``daemon`` wins. It can be stopped or killed and started again.
    """

    def __init__(
        self,
        root: Path,
        config: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self.prefix = prefix  # words before the daemon's own command; they must exec it
        self.config_file = root / "healthguard.yaml"
        self.socket = root / "control.sock"
        self.event_log = root / "events.jsonl"
        self.log_file = root / "daemon.log"
        self.env = {**os.environ, "HEALTHGUARD_CONFIG": str(self.config_file), **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(config)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Writes the configuration file; a running daemon learns of it by reload."""
        paths: dict[str, object] = {
            "state_dir": str(self.root / "state"),
            "event_log": str(self.event_log),
            "control_socket": str(self.socket),
            "control_groups": [],
            "http": None,
        }
        whole = {**config, "daemon": {**paths, **config.get("daemon", {})}}
        self.config_file.write_text(yaml.safe_dump(whole, sort_keys=False))

    # ------------------------------------------------------------- life and death

    def start(self, *, wait: bool = True) -> Self:
        """Starts the daemon and waits until it answers on its socket."""
        assert self._process is None, "already running"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, *PYTHON_M, "run", "--config", str(self.config_file)],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, within: float = 20.0) -> None:
        """Returns when ``status`` works; AssertionError with the log when it never does."""

        def ready() -> bool:
            ended = self.exit_status()
            if ended is not None:
                raise RuntimeError(f"the daemon ended with {ended}:\n{self.log()}")
            return self.socket.exists() and self.cli("status", "--json").returncode == 0

        try:
            eventually(ready, within=within, what="the daemon answers", step=0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.log()}") from None

    @property
    def pid(self) -> int:
        """Of the running daemon."""
        assert self._process is not None, "the daemon is not running"
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        assert self._process is not None, "the daemon is not running"
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        os.kill(self.pid, number)

    def wait(self, within: float = 20.0) -> int:
        """Waits for its end; the exit status."""
        assert self._process is not None, "the daemon is not running"
        process, self._process = self._process, None
        try:
            return process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise AssertionError(f"no end within {within:g} s\n{self.log()}") from None

    def kill9(self) -> None:
        """SIGKILL, as the kernel's out-of-memory killer does it."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, within: float = 20.0) -> int:
        """SIGTERM; the exit status. 0 and harmless when it is not running."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait(within)

    # ------------------------------------------------------------- asking it

    def cli(self, *arguments: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Runs ``healthguard ARGUMENTS`` against this daemon."""
        return subprocess.run(
            [*PYTHON_M, *arguments],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """``healthguard status --json``."""
        done = self.cli("status", "--json")
        assert done.returncode == 0, done.stderr
        view: dict[str, Any] = json.loads(done.stdout)
        return view

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The event log, oldest first; with ``names`` only those. A torn last line is left out."""
        if not self.event_log.exists():
            return []
        lines = self.event_log.read_text().split("\n")[:-1]
        events = [json.loads(line) for line in lines]
        return [event for event in events if not names or event["event"] in names]

    def wait_event(self, name: str, *, within: float = 20.0, **fields: object) -> dict[str, Any]:
        """The first event of this name whose fields have these values."""

        def found() -> dict[str, Any] | None:
            matching = (e for e in self.events(name) if fields.items() <= e.items())
            return next(matching, None)

        event = eventually(found, within=within, what=f"event {name} {fields or ''}")
        assert event is not None
        return event

    def log(self) -> str:
        """Everything it has written."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._put_down()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(f"--- log of the daemon\n{self.log()}\n")
            self._put_down()
            return
        self.stop()

    def _put_down(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._process.wait(10)
            self._process = None
