"""`healthguard replay`: the daemon's own record through the real core."""

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from healthguard.config import Config
from healthguard.replay.reading import ForbiddenRecord, SegmentFile, UnreadableRecord, find, since
from healthguard.replay.recorder import code_version
from healthguard.replay.render import lines
from healthguard.replay.same import as_recorded
from healthguard.replay.tried import with_candidate

__all__ = ["ForbiddenRecord", "UnreadableRecord", "lines", "replay"]

_ALONE_BYTES = 256 << 10  # less than this is done before another process has begun

View = dict[str, Any]
_Job = tuple[Callable[..., View], tuple[Any, ...]]


def replay(record: Path, candidate: Config | None = None, since_ms: int = 0) -> View:
    """Run the record at ``record``; ``same`` in the answer says if all decisions are the same.

    ``candidate``: try its pools on the recorded inputs. ``since_ms``: Unix milliseconds.
    UnreadableRecord if there is nothing that can be run; ForbiddenRecord if it may not be read.
    """
    pools = {pool: since(files, since_ms) for pool, files in find(record).items()}
    view: View = {"record": str(record), "version": code_version(), "candidate": None}
    if candidate is None:
        jobs: list[_Job] = [(as_recorded, (pool, files)) for pool, files in pools.items()]
    else:
        view["candidate"] = str(candidate.path)
        view["not_in_candidate"] = [pool for pool in pools if pool not in candidate.pools]
        view["not_recorded"] = [pool for pool in candidate.pools if pool not in pools]
        jobs = [
            (with_candidate, (pool, files, candidate.pools[pool], since_ms))
            for pool, files in pools.items()
            if pool in candidate.pools
        ]
        if not jobs:
            raise UnreadableRecord(f"{candidate.path}: has none of the recorded pools: "
                                   f"{', '.join(pools)}")  # fmt: skip
    done = _run(jobs, [file for files in pools.values() for file in files])
    if not any(pool["inputs"] or pool["segments"] for pool in done):
        problems = [problem for pool in done for problem in pool["damage"]]
        raise UnreadableRecord("; ".join(problems) or f"{record}: contains no record")
    view["pools"] = {pool["pool"]: pool for pool in done}
    view["same"] = not any(pool.get("difference") or pool.get("findings") for pool in done)
    return view


def _run(jobs: list[_Job], files: list[SegmentFile]) -> list[View]:
    """Each pool alone; on several processors when it is worth it."""
    size = sum(_size(file.path) for file in files)
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers < 2 or size < _ALONE_BYTES or sys.platform != "linux":
        return [work(*arguments) for work, arguments in jobs]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=gc.disable) as pool:
        futures = [pool.submit(work, *arguments) for work, arguments in jobs]
        return [future.result() for future in futures]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
