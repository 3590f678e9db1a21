"""Durable JSON documents, one per pool: what must survive a restart, a full disk, a power loss.

After a crash a file is the old or the new one, see ``machine.files``.  When the state folder
cannot take it in time (full, read-only, stuck), the document goes to the fallback folder, which a
reboot forgets, and the caller gets ``durable=False``.  Every document carries a counter;
loading takes the higher.
"""

import asyncio
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from healthguard.machine.files import write_atomic

VERSION = 1
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Saved:
    """``durable``: it survives a power loss. Otherwise ``problem`` is a sentence for people."""

    durable: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The newest readable document, None when there is none; ``problem`` tells what was wrong."""

    document: Mapping[str, Any] | None
    problem: str = ""


class Store:
    """The documents of all pools.  Nothing here raises for what the disk does.

    ``deadline_s`` bounds each save as a whole: a stuck disk must not stop a switch.
    ``write`` is the seam for tests.
    """

    def __init__(
        self,
        state_dir: Path,
        fallback_dir: Path | None = None,
        *,
        deadline_s: float = 2.0,
        write: "Callable[[Path, bytes], None] | None" = None,
    ) -> None:
        self._state_dir = state_dir
        self._fallback_dir = fallback_dir
        self._deadline_s = deadline_s
        self._write = write or write_atomic
        self._counters: dict[str, int] = {}
        self._lanes: dict[Path, _Lane] = {}

    async def save(self, pool: str, document: Mapping[str, Any]) -> Saved:
        """Write ``document``; back within the deadline, whatever the disk does."""
        counter = self._next_counter(pool)
        try:
            data = _encode(pool, counter, document)
        except (TypeError, ValueError, RecursionError) as err:
            return Saved(False, f"the document of {pool} cannot be written as JSON: {err}")
        main = self._state_dir / _file_name(pool)
        problem = await self._lane(main).put(data, self._deadline_s * 0.75)
        if not problem:
            self._forget_fallback(pool)
            return Saved(True)
        return Saved(False, await self._save_fallback(pool, data, problem))

    def load(self, pool: str) -> Loaded:
        """Read the newer of both files. What cannot be used is moved aside and reported."""
        problems: list[str] = []
        best: tuple[int, Mapping[str, Any]] | None = None
        for folder in (self._state_dir, self._fallback_dir):
            if folder is None:
                continue
            found = _read(folder / _file_name(pool), pool, problems)
            if found is not None and (best is None or found[0] > best[0]):
                best = found
        self._counters[pool] = best[0] if best else 0
        return Loaded(best[1] if best else None, "; ".join(problems))

    def _next_counter(self, pool: str) -> int:
        if pool not in self._counters:
            self.load(pool)
        self._counters[pool] += 1
        return self._counters[pool]

    async def _save_fallback(self, pool: str, data: bytes, problem: str) -> str:
        if self._fallback_dir is None:
            return f"{problem}; kept in memory only"
        path = self._fallback_dir / _file_name(pool)
        second = await self._lane(path).put(data, self._deadline_s * 0.25)
        if second:
            return f"{problem}; {second}; kept in memory only"
        return f"{problem}; kept in {path} until the next reboot"

    def _forget_fallback(self, pool: str) -> None:
        # Its counter is lower from now on, so leaving it would only confuse people.
        if self._fallback_dir is not None:
            with suppress(OSError):
                (self._fallback_dir / _file_name(pool)).unlink(missing_ok=True)

    def _lane(self, path: Path) -> "_Lane":
        if path not in self._lanes:
            self._lanes[path] = _Lane(path, self._write)
        return self._lanes[path]


class _Lane:
    """Writes to one file, one at a time, in a thread that may get stuck without harm.

    Only the newest waiting data is written.  A daemon thread, not an executor: interpreter
    and event loop would wait for an executor's stuck thread at exit.
    """

    def __init__(self, path: Path, write: Callable[[Path, bytes], None]) -> None:
        self._path = path
        self._write = write
        self._lock = threading.Lock()
        self._waiting: tuple[bytes, list[Callable[[str], None]]] | None = None
        self._busy_since: float | None = None

    async def put(self, data: bytes, deadline_s: float) -> str:
        """Write ``data``; "" when it (or something newer) is on disk, else what is wrong."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()

        def tell(problem: str) -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_resolve, future, problem)

        stuck_s = self._enqueue(data, tell)
        # Who is stuck longer than one deadline already is not waited for again.
        wait_s = deadline_s if stuck_s < deadline_s else 0.0
        done, _ = await asyncio.wait([future], timeout=wait_s)
        if done:
            return future.result()
        return f"{self._path} could not be written within {stuck_s + wait_s:.1f} s"

    def _enqueue(self, data: bytes, tell: Callable[[str], None]) -> float:
        """Queue it; the seconds that the write before it has been under way."""
        with self._lock:
            # Replaced data is older state: its waiters are served by the newer one.
            waiters = self._waiting[1] if self._waiting else []
            self._waiting = (data, [*waiters, tell])
            if self._busy_since is not None:
                return time.monotonic() - self._busy_since
            self._busy_since = time.monotonic()
        threading.Thread(target=self._work, name=f"store {self._path.name}", daemon=True).start()
        return 0.0

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._busy_since = None
                    return
                data, waiters = self._waiting
                self._waiting = None
                self._busy_since = time.monotonic()
            problem = ""
            try:
                self._write(self._path, data)
            except OSError as err:
                problem = f"{self._path} could not be written: {err.strerror or err}"
            for tell in waiters:
                tell(problem)


def _resolve(future: "asyncio.Future[str]", problem: str) -> None:
    if not future.done():
        future.set_result(problem)


# --------------------------------------------------------------- files


def default_fallback(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The runtime folder systemd gave us, else /run/healthguard; None if we may not write there."""
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    folder = Path(given or "/run/healthguard")
    nearest = folder if folder.exists() else folder.parent
    return folder if os.access(nearest, os.W_OK | os.X_OK) else None


def _file_name(pool: str) -> str:
    return f"{quote(pool, safe='')}.json"


def _encode(pool: str, counter: int, document: Mapping[str, Any]) -> bytes:
    envelope = {"version": VERSION, "pool": pool, "counter": counter, "document": dict(document)}
    # ASCII only: texts from the network may hold what UTF-8 cannot express.
    text = json.dumps(envelope, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"


def _read(path: Path, pool: str, problems: list[str]) -> tuple[int, Mapping[str, Any]] | None:
    """(counter, document) of one file; None: there is none to use, ``problems`` says why."""
    try:
        data = _read_bytes(path)
        return _decode(data, pool)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        problems.append(f"{path.parent} is not a folder")
        return None
    except OSError as err:
        problems.append(f"{path} could not be read: {err.strerror or err}")
        return None
    except ValueError as err:
        problems.append(f"{path} cannot be used ({err}){_move_aside(path)}")
        return None


def _read_bytes(path: Path) -> bytes:
    # Without blocking: a FIFO at this place must not stop the start.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a regular file")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(_MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > _MAX_BYTES:
        raise ValueError("too large")
    return data


def _decode(data: bytes, pool: str) -> tuple[int, Mapping[str, Any]]:
    if not data:
        raise ValueError("empty")
    try:
        envelope = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(envelope, dict):
        raise ValueError("not a healthguard document")
    if envelope.get("version") != VERSION:
        raise ValueError(
            f"version {envelope.get('version')!r}, but this healthguard reads {VERSION}"
        )
    counter, document = envelope.get("counter"), envelope.get("document")
    if envelope.get("pool") != pool or type(counter) is not int or not isinstance(document, dict):
        raise ValueError("a document of another pool")
    return counter, document


def _move_aside(path: Path) -> str:
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{when}")
    number = 0
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{when}-{number}")
    try:
        path.rename(aside)
    except OSError as err:
        return f" and could not be moved aside: {err.strerror or err}"
    return f", moved aside to {aside.name}"
