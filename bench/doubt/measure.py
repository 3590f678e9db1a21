"""One case, many times."""

import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.doubt.cases import AFTER, THROUGHOUT, Case
from bench.doubt.host import QUIET, Host

GIVEN_UP = 15.0  # seconds after which a failure that was not seen is healed
ODD = 5.0  # seconds: what takes longer is shown
LOST = 40.0  # seconds after which a guard that is not steady again is started anew
enough = threading.Event()  # end after the present repeat


@dataclass(slots=True)
class Found:
    """Of one case. Times in seconds."""

    case: Case
    times: int = 0
    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    downs: int = 0  # upstreams told to be down
    switches: int = 0  # automatic ones that were begun
    doubted: int = 0  # repeats in which self_unhealthy held
    holds: Counter[str] = field(default_factory=Counter)  # other gates -> repeats
    steady: list[float] = field(default_factory=list)  # from the end of the trouble
    seen: list[float | None] = field(default_factory=list)  # failure and end of trouble -> switched
    stuck: int = 0  # repeats after which the guard had to be started anew
    trouble: str = ""  # why it was ended early
    events: list[dict[str, Any]] = field(default_factory=list)  # of repeats that were odd


def measure(root: Path, case: Case, repeats: int) -> Found:
    """In a host of its own. What goes wrong with the measurement itself is told in the table."""
    found = Found(case)
    try:
        with case.where(root / "place") as place, Host(root / "host", place) as host:
            host.settle(time.monotonic(), LOST)
            before = host.results()
            for _ in range(repeats):
                if enough.is_set():
                    raise RuntimeError("told to stop")
                before = _repeat(host, case, found, before)
            time.sleep(QUIET)
            found.results += host.results() - before
    except (AssertionError, OSError, RuntimeError) as problem:
        found.trouble = "ended early"
        print(f"{case.title}: ended early: {problem}"[:400], file=sys.stderr)
    return found


_Results = Counter[tuple[str, str]]


def _repeat(host: Host, case: Case, found: Found, before: _Results) -> _Results:
    """Once. The results that the guard has counted before all that is to be measured."""
    written = len(host.events())
    time.sleep(random.uniform(0, 1))  # the guard has beats of its own: a second, an interval
    try:
        if case.fails:
            found.seen.append(_failure(host, case))
        else:
            with case.trouble(host):
                time.sleep(case.lasts)
            found.steady.append(host.settle(time.monotonic(), LOST))
        host.back(LOST)
    except AssertionError as problem:
        print(f"{case.title}: {problem}"[:400], file=sys.stderr)
        found.stuck += 1
        found.results += host.results() - before
        before = Counter()
        host.guard.end()
        host.guard.start()
        host.back(LOST)
    found.times += 1
    _count(host.events()[written:], found)
    return before


def _failure(host: Host, case: Case) -> float | None:
    """Blue really fails; how long it takes to switch from the moment that it could be seen."""
    if case.when == AFTER:
        with case.trouble(host):
            time.sleep(case.lasts)
        time.sleep(case.at)
        host.fail(case.fails)
        moment = time.time()
        took = _switched(host, moment, GIVEN_UP)
    else:
        with case.trouble(host):
            time.sleep(case.at)
            host.fail(case.fails)
            moment = time.time()
            if case.when == THROUGHOUT:
                took = _switched(host, moment, case.lasts)
            else:
                time.sleep(max(0.0, case.lasts - case.at))
        if case.when != THROUGHOUT:
            moment = time.time()
            took = _switched(host, moment, GIVEN_UP)
    host.heal(case.fails)
    return took


def _switched(host: Host, moment: float, within: float) -> float | None:
    """Seconds from ``moment`` (wall clock) to the proven end of a switch; None: not in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for event in reversed(host.events()):
            at = datetime.fromisoformat(event["ts"]).timestamp()
            if at < moment:
                break
            if event["event"] == "switch_completed" and event["trigger"] == "automatic":
                return at - moment
        time.sleep(0.05)
    return None


def _count(events: list[dict[str, Any]], found: Found) -> None:
    held = {event["gate"] for event in events if event["event"] == "hold_entered"}
    found.doubted += "self_unhealthy" in held
    found.holds.update(held - {"self_unhealthy"})
    found.downs += sum(e["event"] == "health_changed" and e["to"] == "down" for e in events)
    began = [e for e in events if e["event"] == "switch_started" and e["trigger"] == "automatic"]
    found.switches += len(began)
    late = bool(found.seen) and (found.seen[-1] or GIVEN_UP) > ODD
    if (began and not found.case.fails) or late:
        found.events += events
