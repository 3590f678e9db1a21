"""One host in small: nginx, two apps that are well, the guard; and what it says of itself."""

import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from bench.doubt.place import Place
from bench.programs import Guard, Program
from bench.samples import install
from tests.support.eventually import eventually
from tests.support.ports import free_port

POOL = "threader"
INTERVAL, FAST, TIMEOUT, ANSWER, LIMIT, SLOW = 200, 50, 200, 50, 100, 130  # ms
QUIET = 1.3  # seconds without a change: steady; an exposition may be one second old
_SAMPLE = re.compile(r"^healthguard_probe_results_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="(\w*)"')
# Real-time, at the lowest priority: however busy this machine is, these two are well.
_FIRST = ("chrt", "-f", "1")


class App(Program):
    """One upstream; ``bench/doubt/app.py``."""

    def __init__(self, root: Path, name: str, place: Place) -> None:
        self.port, self._starts = free_port(), 0
        script = Path(__file__).with_name("app.py")
        words = (place.address, self.port, ANSWER, SLOW)
        argv = [*place.apps, *_FIRST, sys.executable, "-SE", str(script), *map(str, words)]
        super().__init__(root, name, argv)

    def ready(self) -> bool:
        """See Program: it has said that it listens."""
        return self.output.read_text().count("listening") > self._starts

    def start(self) -> Self:
        """See Program."""
        self._starts = self.output.read_text().count("listening") if self.output.exists() else 0
        return super().start()


class Host:
    """A context manager. Blue is active, green is the target."""

    def __init__(self, root: Path, place: Place) -> None:
        root.mkdir(parents=True)
        self.place = place
        self.apps = {name: App(root, name, place) for name in ("blue", "green")}
        ports = {name: app.port for name, app in self.apps.items()}
        site = install(root, "plain", ports)
        for colour, port in ports.items():
            file = site.folder / f"threader_{colour}.conf"
            text = file.read_text().replace(f"127.0.0.1:{port}", f"{place.address}:{port}")
            file.write_text(text)
        self._nginx = site.nginx
        self._nginx.argv = [*place.nginx, *self._nginx.argv]
        self._http = f"{place.http}:{free_port()}"
        self.guard = Guard(root, self._config(site.pool(ports)), sys.executable)
        self.guard.argv = [*place.guard, *self.guard.argv]
        self._stack = ExitStack()

    def _config(self, pool: dict[str, Any]) -> dict[str, Any]:
        for name, upstream in pool["upstreams"].items():
            host = f"{name}.test" if self.place.named else self.place.address
            url = f"http://{host}:{self.apps[name].port}/healthz"
            upstream["probes"] = [
                {"name": "health", "http": url},
                {"name": "speed", "http": url, "expect": {"max_latency": f"{LIMIT}ms"}},
            ]
        health = {
            "interval": f"{INTERVAL}ms",
            "fast_interval": f"{FAST}ms",
            "down_interval": f"{INTERVAL}ms",
            "timeout": f"{TIMEOUT}ms",
        }
        rollback = {
            "min_down": "0s",
            "cooldown": "0s",
            "budget": {"switches": 100, "per": "10m"},
            "daily_budget": 1000,
            "start_grace": "0s",
        }
        bake = {"for": "100ms", "fall": 3, "min_down": "0s"}
        rules = {"health": health, "rollback": rollback, "bake": bake, "stable": "green"}
        return {
            "nginx": {"config": str(self._nginx.config), "reload": "signal"},
            "daemon": {"http": self._http},
            "pools": {POOL: {**pool, **rules}},
        }

    # ------------------------------------------------------------ what it says

    def results(self) -> Counter[tuple[str, str]]:
        """(result, reason) -> how many so far. May be a second old."""
        url = f"http://{self._http}/metrics"
        with urllib.request.urlopen(url, timeout=10) as reply:
            text = reply.read().decode()
        found: Counter[tuple[str, str]] = Counter()
        for words, value in _SAMPLE.findall(text):
            labels = dict(_LABEL.findall(words))
            found[labels["result"], labels["reason"]] += int(float(value))
        return found

    def events(self) -> list[dict[str, Any]]:
        """The event log."""
        lines = self.guard.events_file.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def view(self) -> dict[str, Any] | None:
        """The pool as the guard sees it; None while it does not say."""
        with suppress(AssertionError, OSError):
            return dict(self.guard.pool(POOL))
        return None

    def steady(self) -> bool:
        """On blue, both up, and it could go back."""
        view = self.view()
        return (
            view is not None
            and view["active"] == "blue"
            and view["phase"] == "steady"
            and view["ready_gate"] in (None, "min_down")
            and all(each["health"] == "up" for each in view["upstreams"].values())
        )

    def settle(self, since: float, within: float) -> float:
        """Seconds from ``since`` (monotonic) until it was steady and stayed so."""
        deadline, began = time.monotonic() + within, 0.0
        while time.monotonic() < deadline:
            if not self.steady():
                began = 0.0
            elif not began:
                began = time.monotonic()
            elif time.monotonic() - began > QUIET:
                return began - since
            time.sleep(0.05)
        raise AssertionError(f"not steady within {within:g} s: {self.view()}")

    def back(self, within: float) -> None:
        """Everything is well and blue is active, by order of a person."""

        def done() -> bool:
            view = self.view()
            if view is None:
                return False
            if view["active"] != "blue" and view["upstreams"]["blue"]["health"] == "up":
                self.guard.switch(POOL, "blue")
            return self.steady()

        eventually(done, within=within, what="blue is active again", step=0.1)

    # ------------------------------------------------------------ what befalls it

    def fail(self, how: str) -> None:
        """Blue: ``kill``, ``hang``, or ``slow`` (slower than max_latency)."""
        if how == "kill":
            self.apps["blue"].end(signal.SIGKILL)
        else:
            os.kill(self.apps["blue"].pid, {"hang": signal.SIGSTOP, "slow": signal.SIGUSR1}[how])

    def heal(self, how: str) -> None:
        """And back."""
        if how == "kill":
            self.apps["blue"].start()
        else:
            os.kill(self.apps["blue"].pid, {"hang": signal.SIGCONT, "slow": signal.SIGUSR2}[how])

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for each in (*self.apps.values(), self._nginx, self.guard):
                stack.enter_context(each)
            eventually(self.steady, within=30, what="the guard is steady", step=0.1)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
