"""``python -m tests.suite``: everything, in one go; then what each part took and what was left out.

Most tests wait for real processes, so four files at a time pay also on two cores. What boots a
machine runs by itself. What failed beside others runs once more, alone: with four at a time on a
loaded machine a deadline can pass for no fault of the code. But a suite in which many tests need
that is not green: more than ``MOST_AGAIN`` are red, also when they pass alone.

``tests/floor`` is the number of tests that must pass; ``python -m tests.suite floor`` writes the
number that the last good run had.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
FLOOR = ROOT / "tests/floor"
COUNTED = ROOT / "build/tests-passed"  # of the last run in which nothing failed
MOST_AGAIN = 3
LACKS = "needs "  # how the reason of a skip begins when the machine cannot run the test
APART = "tests/systemd"
PYTEST = (sys.executable, "-m", "pytest")


@dataclass
class Part:
    """One part of the run. ``left_out``: how often each reason was given for a skip."""

    name: str
    seconds: float = 0.0
    ok: bool = True
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read(part: Part, cases: Iterable[ElementTree.Element]) -> Part:
    """Counts the cases of a JUnit report. A test that has two entries has failed in one."""
    passed, failed = set(), set()
    for case in cases:
        name = f"{case.get('classname')}::{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(name)
        elif skipped is not None:
            part.left_out[skipped.get("message", "")] += 1
        else:
            passed.add(name)
    part.passed, part.failed = len(passed - failed), sorted(failed)
    return part


def count(parts: Iterable[Part]) -> int:
    """The tests that passed, and outside of CI those that this machine lacks something for."""
    tests = 0
    for part in parts:
        tests += part.passed
        if not os.environ.get("CI"):
            tests += sum(n for why, n in part.left_out.items() if why.startswith(LACKS))
    return tests


def faults(parts: list[Part], again: int, floor: int) -> list[str]:
    """Why the run is red; empty if it is green."""
    found = [f"{part.name} failed" for part in parts if not part.ok]
    if again > MOST_AGAIN:
        found.append(f"{again} tests had to run again, at most {MOST_AGAIN} may")
    if not found and count(parts) < floor:
        found.append(f"only {count(parts)} tests have passed, tests/floor wants {floor}")
    return found


def table(parts: Iterable[Part]) -> str:
    """What each part took and counted."""
    rows: list[tuple[str, ...]] = [("", "time", "passed", "failed", "left out")]
    for part in parts:
        numbers = (part.passed, len(part.failed), part.left_out.total())
        rows.append((part.name, _time(part.seconds), *(str(n or "-") for n in numbers)))
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:2} s" if minutes else f"{rest} s"


def main() -> int:
    """Runs the parts, prints the table; 1 if it is red."""
    lint = _run("lint", ["make", "lint"], ROOT)
    parts = [lint, *(run_tests(ROOT) if lint.ok else ())]
    again = next((part for part in parts if part.name == "again"), None)
    reruns = again.passed + len(again.failed) if again is not None else 0
    print(f"\n{table([*parts, _total(parts)])}\n")
    print(f"run again, alone: {reruns} (more than {MOST_AGAIN} are red)")
    if not lint.ok:
        print("left out: all tests, because the linters found something")
    for why, n in sum((part.left_out for part in parts), Counter()).most_common():
        print(f"left out: {n} x {why}")
    floor = int(FLOOR.read_text())
    red = faults(parts, reruns, floor)
    _keep(count(parts), red)
    for why in red:
        print(f"red: {why}")
    if not red:
        print(f"green: {count(parts)} tests, tests/floor wants {floor}", end="")
        print("" if floor == count(parts) else "; `make floor` writes the new number")
    return bool(red)


def run_tests(root: Path) -> list[Part]:
    """All tests under ``root``: beside each other, the failed ones again, those apart."""
    four = ("-n", "4", "--dist", "loadfile")
    beside = _pytest(root, "parallel", *four, "--ignore", APART)
    parts = [beside]
    if beside.failed:
        last = ("--last-failed", "--last-failed-no-failures", "none")
        parts.append(_pytest(root, "again", *last, "--ignore", APART))
        beside.ok = True  # the second run decides
    parts.append(_pytest(root, "systemd", APART))
    return parts


def _pytest(root: Path, name: str, *words: str) -> Part:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        part = _run(name, [*PYTEST, *words, f"--junit-xml={report}"], root)
        if report.exists():
            read(part, ElementTree.parse(report).iter("testcase"))
    return part


def _run(name: str, command: list[str], folder: Path) -> Part:
    print(f"\n=== {name}", flush=True)
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, check=False)
    return Part(name, time.monotonic() - began, done.returncode == 0)


def _total(parts: Iterable[Part]) -> Part:
    total = Part("total")
    for part in parts:
        total.seconds += part.seconds
        total.passed += part.passed
        total.left_out += part.left_out
        total.failed = part.failed if part.name == "again" else total.failed + part.failed
    return total


def _keep(tests: int, red: list[str]) -> None:
    """For ``floor``: a run in which something failed counts nothing."""
    if all("tests/floor" in why for why in red):
        COUNTED.parent.mkdir(exist_ok=True)
        COUNTED.write_text(f"{tests}\n")
    else:
        COUNTED.unlink(missing_ok=True)


def write_floor() -> int:
    """The number of the last good run becomes the floor, also a lower one."""
    if not COUNTED.exists():
        print("no test run without failures to take the number from: make test", file=sys.stderr)
        return 1
    FLOOR.write_text(COUNTED.read_text())
    print(f"tests/floor: {FLOOR.read_text().strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(write_floor() if sys.argv[1:] == ["floor"] else main())
