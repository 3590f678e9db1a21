"""``python -m bench``: measure, write docs/benchmarks.md."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench import failover, fleet, idle
from bench.programs import ROOT, environment
from bench.report import Part, document, table

PARTS = ("fleet", "idle", "failover")


def main() -> int:
    """The exit code is 0 whatever was found."""
    options = _options()
    root = Path(tempfile.mkdtemp(prefix="healthguard-bench-"))
    root.chmod(0o755)
    began, parts = time.monotonic(), []
    try:
        for name in options.only or PARTS:
            print(f"{name} ...", flush=True)
            for part in _measure(name, root / name, options):
                print(table(part.header, part.rows), flush=True)
                parts.append(part)
    finally:
        if options.keep:
            print(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    where = f"Measured with {environment()}"
    calm = f"Load average at the end {os.getloadavg()[0]:.1f}; it took {_minutes(began)}."
    text = document(parts, _command(options), where, calm)
    if options.output == "-":
        print(text)
    else:
        Path(options.output).write_text(text)
        print(f"written: {options.output}")
    return 0


def _measure(name: str, root: Path, options: argparse.Namespace) -> list[Part]:
    quick = options.quick
    if name == "fleet":
        pools, warm, span = (100, 4.0, 5.0) if quick else (500, 15.0, 60.0)
        return [fleet.measure(root, options.python, pools=pools, warm=warm, span=span)]
    if name == "idle":
        warm, span, starts = (4.0, 10.0, 3) if quick else (15.0, 600.0, 9)
        return [idle.measure(root, options.python, warm=warm, span=span, starts=starts)]
    repeats = options.repeats or (1 if quick else 8)
    return failover.measure(root, options.python, repeats=repeats, rate=options.rate)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test: small and inexact")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; repeatable")
    parser.add_argument("--repeats", type=int, help="of each fault (8)")
    parser.add_argument("--rate", type=int, default=500, help="requests per second and system")
    parser.add_argument("--python", default=sys.executable, help="runs the daemon")
    parser.add_argument("--output", default=str(ROOT / "docs/benchmarks.md"), help="- for stdout")
    parser.add_argument("--keep", action="store_true", help="keep the files of the run")
    return parser.parse_args()


def _command(options: argparse.Namespace) -> str:
    words = sys.argv[1:]
    if words[:1] == ["--python"] and len(words) == 2:
        return "make bench"
    return " ".join(["python -m bench", *words])


def _minutes(began: float) -> str:
    return f"{(time.monotonic() - began) / 60:.0f} minutes"


if __name__ == "__main__":
    sys.exit(main())
