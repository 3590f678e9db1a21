"""Makes ``files/`` from the version before the rooms: run there only, and never again.

    python -m tests.before.make gates       files/gates.json
    python -m tests.before.make records     files/records, files/coverage.json
    python -m tests.before.make files       files/state, files/wire

The files are what later versions are held against: made by today's code they would prove
nothing. So this script is a document of how they were made (version 0.1.0 at the last commit with
``core/ edges/ service/ cli/`` alone) and need not run with any other version.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FILES = Path(__file__).with_name("files")


def write_json(path: Path, value: Any) -> None:
    """Readable, and the same text for the same value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def gates() -> None:
    """The gate matrix: the questions are those of the test."""
    from tests.before.test_gate_matrix import matrix

    write_json(FILES / "gates.json", matrix())


def records() -> None:
    """Inputs and the commands they led to; and what occurs in them, how often."""
    from tests.before import make_records
    from tests.before.test_decisions import coverage

    make_records.make(FILES / "records")
    write_json(FILES / "coverage.json", coverage())


def files() -> None:
    """What daemon and switcher leave on the disk, and what they say to each other."""
    from tests.before import make_files

    make_files.make(FILES)


PARTS: Mapping[str, Callable[[], None]] = {"gates": gates, "records": records, "files": files}


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
