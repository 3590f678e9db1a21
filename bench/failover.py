"""A backend that dies, answers 503 or hangs, under load: what the clients lose, and for how long.

All systems run at once on the same two backends and get the same fault at the same moment.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.load import Load
from bench.proc import children_of
from bench.programs import Guard, Haproxy, Nginx
from bench.report import Finding, Part
from bench.samples import Site, install
from tests.support.eventually import eventually
from tests.support.nginx import BINARY
from tests.support.ports import free_port

FAULTS = ("kill", "503", "hang")
POOL = "threader"
_BACKEND = """
master_process off;
worker_rlimit_nofile 32768;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_timeout 0;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            if (-f {{root}}/{name}.broken) {{ return 503; }}
            return 200 "{name}\\n";
        }}
    }}
}}
"""
_HAPROXY = """
defaults
    mode http
    retries 0
    timeout connect 1s
    timeout client 5s
    timeout server 2s
    timeout check {timeout}ms
frontend site
    bind 127.0.0.1:{port}
    default_backend app
backend app
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host app
    http-check expect status 200-299
    default-server inter {interval}ms fastinter {fast}ms fall 3 rise 2
    server blue 127.0.0.1:{blue} check
    server green 127.0.0.1:{green} check backup
"""
METHOD = """
Each system gets {rate} requests a second, open loop, each on a new connection, given up after 3
s. The client is Python with uvloop on bare sockets and was at most {late:.0f} ms late. Each fault
is caused {repeats} times, at moments spread evenly over the interval: kill is SIGKILL, 503 is the
answer of every path, hang is SIGSTOP. Timeouts of the proxies: connect 1 s, answer 2 s. Checks of
both: {words}, fall 3, rise 2; `min_down` 0 and jitter 0, because HAProxy has neither. HAProxy has
a `backup` server and `retries 0`. healthguard uses the samples of `nginx/` with the marker;
"backup form" means the colour files of `nginx/backup/`. Cells show median / maximum. A request is
slow when it was answered well after more than 0.5 s. nginx's old workers go on for a fixed 100 ms
after a reload, next to the new ones, so the first good answer comes before the last failed
request.
"""
SWITCH_METHOD = """
The time from `switch_started` to `switch_completed` in the event log of the plain form, under the
load of the faults above. It is compared with `nginx -t` plus SIGHUP until the last old worker has
gone, on the same nginx under the same load with nothing broken. nginx's own fixed pause of 100 ms
is in both.
"""


@dataclass(frozen=True, slots=True)
class Timers:
    """Of the checks, in ms."""

    words: str
    interval: int
    fast: int
    timeout: int
    limits: Mapping[str, float]  # fault -> target, as a multiple of HAProxy


SLOW = Timers("every 1 s, timeout 1 s", 1000, 1000, 1000, {"kill": 1.05, "503": 1.05, "hang": 0.7})
FAST = Timers(
    "every 200 ms, after a fail 50 ms, timeout 200 ms", 200, 50, 200, dict.fromkeys(FAULTS, 1.3)
)


class Backend(Nginx):
    """An nginx of one process, so that signals hit what serves."""

    def __init__(self, root: Path, name: str) -> None:
        self.port = free_port()
        self._broken = root / f"{name}.broken"
        super().__init__(root, name, _BACKEND.format(port=self.port, name=name))

    def fail(self, fault: str) -> float:
        """Break it; the moment."""
        moment = time.monotonic()
        if fault == "kill":
            self.end(signal.SIGKILL)
        elif fault == "hang":
            os.kill(self.pid, signal.SIGSTOP)
        else:
            self._broken.touch()
        return moment

    def heal(self, fault: str) -> None:
        """As it was."""
        if fault == "kill":
            self.start()
        elif fault == "hang":
            os.kill(self.pid, signal.SIGCONT)
        else:
            self._broken.unlink()


@dataclass(slots=True)
class _Bench:
    """All that runs, and what was seen."""

    blue: Backend
    sites: dict[str, Site]
    guards: dict[str, Guard]
    load: Load
    timers: Timers
    seen: dict[tuple[str, str], list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    bare: list[float] = field(default_factory=list)
    late_ms: float = 0.0

    def reports(self, moment: float) -> dict[str, dict[str, Any]]:
        """Every system's report since ``moment``."""
        answer = self.load.since(moment)
        self.late_ms = max(self.late_ms, answer["late_ms"])
        systems: dict[str, dict[str, Any]] = answer["systems"]
        return systems

    def repeat(self, fault: str, share: float) -> None:
        """One fault at ``share`` of the interval, and everything as before."""
        self._calm()
        self.bare.append(bare_cost(self.sites["plain"].nginx))
        time.sleep(0.5)
        interval = self.timers.interval / 1000
        time.sleep((share * interval - time.monotonic()) % interval)
        moment = self.blue.fail(fault)
        time.sleep(interval)
        eventually(lambda: self._over(moment), within=30, what="all have failed over", step=0.2)
        for system, report in self.reports(moment).items():
            self.seen[system, fault].append(report)
        self.blue.heal(fault)

    def _over(self, moment: float) -> bool:
        """Nobody fails or waits any more, and everybody is on green."""
        reports = self.reports(moment).values()
        done = all(each["quiet_s"] > 0.7 and each["pending_s"] < 0.4 for each in reports)
        return (
            done
            and all(each["tag"] == "green" for each in reports)
            and all(guard.pool(POOL)["active"] == "green" for guard in self.guards.values())
        )

    def _calm(self) -> None:
        """Everybody serves blue again, and the guards could switch."""

        def back() -> bool:
            states = [self._back(guard) for guard in self.guards.values()]  # each is asked
            return all(states)

        eventually(back, within=60, what="the guards are back on blue", step=0.1)

        def served() -> bool:
            reports = self.reports(time.monotonic() - 0.5).values()
            return all(each["tag"] == "blue" and not each["failed"] for each in reports)

        eventually(served, within=60, what="all serve blue", step=0.1)

    def _back(self, guard: Guard) -> bool:
        view = guard.pool(POOL)
        if view["active"] != "blue":
            if view["upstreams"]["blue"]["health"] == "up":
                guard.switch(POOL, "blue")
            return False
        return bool(view["phase"] == "steady" and view["ready_gate"] in (None, "min_down"))


def bare_cost(nginx: Nginx) -> float:
    """ms: ``nginx -t``, SIGHUP to the master, until its old workers have gone."""
    began, old = time.monotonic(), set(children_of(nginx.pid))
    subprocess.run([BINARY, "-t", "-q", "-c", nginx.config], check=True, capture_output=True)
    os.kill(nginx.pid, signal.SIGHUP)
    while True:
        now = set(children_of(nginx.pid))
        if now - old and not now & old:
            return (time.monotonic() - began) * 1000
        time.sleep(0.002)


def measure(root: Path, python: str, *, repeats: int, rate: int) -> list[Part]:
    """Both sets of timers: some 30 s and 12 s per repeat of all faults."""
    slow, fast = _Switches(), _Switches()
    parts = [
        _run(root / "slow", python, SLOW, repeats, rate, slow),
        _run(root / "fast", python, FAST, repeats * 3 // 2, rate, fast),
    ]
    return [*parts, _switch_part(slow, fast)]


@dataclass(slots=True)
class _Switches:
    took: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)


def _run(
    root: Path, python: str, timers: Timers, repeats: int, rate: int, switches: _Switches
) -> Part:
    with ExitStack() as stack:
        blue, green = (stack.enter_context(Backend(root, name)) for name in ("blue", "green"))
        ports = {"blue": blue.port, "green": green.port}
        times = {"interval": timers.interval, "fast": timers.fast, "timeout": timers.timeout}
        front = free_port()
        stack.enter_context(Haproxy(root, "haproxy", _HAPROXY.format(port=front, **ports, **times)))
        sites = {form: install(root / form, form, ports, "2s") for form in ("plain", "backup")}
        guards = {}
        for form, site in sites.items():
            stack.enter_context(site.nginx)
            config = _config(site.pool(ports), site.nginx, timers)
            guards[form] = stack.enter_context(Guard(root / f"{form}-guard", config, python))
        load = Load(rate, {"haproxy": front, **{form: site.port for form, site in sites.items()}})
        stack.callback(load.close)
        bench = _Bench(blue, sites, guards, load, timers)
        turns = [(fault, (turn + random.random()) / repeats)
                 for turn in range(repeats) for fault in FAULTS]  # fmt: skip
        for fault, share in turns:
            bench.repeat(fault, share)
        _note_switches(guards["plain"].events_file, switches)
        switches.bare += bench.bare
    return _part(bench, repeats, rate)


def _config(pool: dict[str, Any], nginx: Nginx, timers: Timers) -> dict[str, Any]:
    health = {
        "interval": f"{timers.interval}ms",
        "fast_interval": f"{timers.fast}ms",
        "down_interval": f"{timers.interval}ms",
        "timeout": f"{timers.timeout}ms",
        "jitter": "0%",
        "fall": 3,
        "rise": 2,
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
        "nginx": {"config": str(nginx.config), "reload": "signal"},
        "pools": {POOL: {**pool, **rules}},
    }


# ------------------------------------------------------------ judging


def _part(bench: _Bench, repeats: int, rate: int) -> Part:
    timers = bench.timers
    method = METHOD.format(rate=rate, late=bench.late_ms, repeats=repeats, words=timers.words)
    part = Part(
        f"Failover, checks {timers.words}",
        method,
        ("fault", "system", "last failed request started, ms", "failed requests",
         "first good answer, ms", "slow"),
    )  # fmt: skip
    names = {"haproxy": "HAProxy", "plain": "healthguard", "backup": "healthguard, backup form"}
    for fault in FAULTS:
        for system, name in names.items():
            seen = bench.seen[system, fault]
            columns = [
                _median_max([each[key] for each in seen])
                for key in ("last_failed_ms", "failed", "first_good_ms", "slow")
            ]
            part.rows.append((fault, name, *columns))
        part.findings += _findings(bench, fault)
    return part


def _findings(bench: _Bench, fault: str) -> list[Finding]:
    def values(system: str) -> list[float]:
        return [each["last_failed_ms"] for each in bench.seen[system, fault]]

    ours, theirs = values("plain"), values("haproxy")
    mean = statistics.mean(ours) / statistics.mean(theirs)
    median = statistics.median(ours) / statistics.median(theirs)
    limit, words = bench.timers.limits[fault], bench.timers.words.partition(",")[0]
    lost = sum(each["failed"] for each in bench.seen["backup", fault])
    return [
        Finding(
            f"fault to last failed request, {words}, {fault}",
            f"{mean:.2f} x HAProxy (means; medians {median:.2f})",
            f"{limit:g}",
            mean <= limit,
        ),
        Finding(f"failed requests, backup form, {words}, {fault}", str(lost), "0", lost == 0),
    ]


def _median_max(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} / {max(values):.0f}"


def _note_switches(events: Path, switches: _Switches) -> None:
    started: dict[str, float] = {}
    for line in events.read_text().splitlines():
        event = json.loads(line)
        if event.get("trigger") != "automatic":
            continue
        at = datetime.fromisoformat(event["ts"]).timestamp() * 1000
        if event["event"] == "switch_started":
            started[event["id"]] = at
        elif event["event"] == "switch_completed":
            switches.took.append(at - started[event["switch"]])
            switches.timings.append(event["timings_ms"])


def _switch_part(slow: _Switches, fast: _Switches) -> Part:
    part = Part(
        "The switch itself",
        SWITCH_METHOD,
        ("checks", "decision to confirmed, ms", "`nginx -t` plus reload, ms", "ratio", "timings"),
    )
    for name, each in (("every 1 s", slow), ("every 200 ms", fast)):
        ratio = statistics.median(each.took) / statistics.median(each.bare)
        keys = each.timings[0]
        timings = ", ".join(
            f"{key} {statistics.median([one[key] or 0 for one in each.timings]):.0f}"
            for key in keys
        )
        part.rows.append(
            (name, _median_max(each.took), _median_max(each.bare), f"{ratio:.2f}", timings)
        )
        part.findings.append(
            Finding(f"decision to confirmed, {name}", f"{ratio:.2f} x bare", "", None)
        )
    return part
