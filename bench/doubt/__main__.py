"""``python -m bench.doubt``: measure, write docs/self-doubt.md."""

import argparse
import json
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.doubt.cases import HARMLESS, REAL, Case
from bench.doubt.measure import Found, enough, measure
from bench.doubt.place import CPU
from bench.doubt.report import page
from bench.doubt.troubles import punctual
from bench.programs import ROOT, environment


def main() -> int:
    """The exit code is 0 whatever was found; 1: told to stop, 2: not root."""
    options = _options()
    if os.geteuid() != 0:
        print("needs root: priorities, namespaces", file=sys.stderr)
        return 2
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {CPU} or {CPU})
    root = Path(tempfile.mkdtemp(prefix="healthguard-doubt-"))
    root.chmod(0o755)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: enough.set())
    began = time.monotonic()
    wanted = [c for c in (*HARMLESS, *REAL) if not options.only or options.only in _name(c)]
    try:
        found = _all(root, wanted, options)
    finally:
        if options.keep:
            print(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    if enough.is_set():
        print("told to stop: nothing is written", file=sys.stderr)
        return 1
    for each in found:
        for event in each.events:
            print(_name(each.case), json.dumps(event))
    minutes = (time.monotonic() - began) / 60
    calm = f"Load average at the end {os.getloadavg()[0]:.1f}; it took {minutes:.0f} minutes."
    command = " ".join(["python -m bench.doubt", *sys.argv[1:]])
    text = page(found, command, f"Measured with {environment()}", calm)
    if options.output == "-":
        print(text)
    else:
        Path(options.output).write_text(text)
        print(f"written: {options.output}")
    return 0


def _all(root: Path, cases: list[Case], options: argparse.Namespace) -> list[Found]:
    """Several hosts at a time; what starves a CPU one after the other, beside them."""
    numbers = {id(case): number for number, case in enumerate(cases)}
    found: dict[int, Found] = {}

    def work(waiting: "queue.SimpleQueue[Case]") -> None:
        punctual()
        while True:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            number = numbers[id(case)]
            repeats = -(-options.repeats // 2) if case.starving else options.repeats
            found[number] = measure(root / str(number), case, repeats)
            print(f"{len(found)} of {len(cases)}: {_name(case)}", flush=True)

    beside: queue.SimpleQueue[Case] = queue.SimpleQueue()
    alone: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in sorted(cases, key=lambda each: -each.lasts):
        (alone if case.starving else beside).put(case)
    threads = [threading.Thread(target=work, args=(beside,)) for _ in range(options.hosts)]
    threads.append(threading.Thread(target=work, args=(alone,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in sorted(found)]


def _name(case: Case) -> str:
    return f"{case.fails}, {case.title}" if case.fails else case.title


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.doubt", description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=20, help="of each trouble (20; starving: half)"
    )
    parser.add_argument("--hosts", type=int, default=6, help="at a time (6)")
    parser.add_argument("--only", help="cases with this text in their name")
    parser.add_argument("--output", default=str(ROOT / "docs/self-doubt.md"), help="- for stdout")
    parser.add_argument("--keep", action="store_true", help="keep the files of the run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
