"""One cheap look at a pool: link, nginx, marker, and whether files changed."""

import asyncio
import os
import time
from collections.abc import Mapping

from healthguard.core.model import NginxFact
from healthguard.nginx import marker
from healthguard.nginx.confirm import RUN
from healthguard.nginx.fingerprint import Files
from healthguard.nginx.link import read_link
from healthguard.nginx.master import IS_DOWN, MasterFinder
from healthguard.nginx.ports import Sight
from healthguard.nginx.settings import NginxSettings, PoolFiles

SHARED_FOR = 0.05  # s: pools looked at together share what they have in common
DOWN_FOR = 0.5  # s: the same while nginx is down: looking for orphans reads all processes
# s: a commit looks at the files again in any case. Very many files are looked at less often, so
# that a hundredth of the time goes into it, but a change is never overlooked for long.
STAMP_FOR, STAMP_AT_MOST = 1.0, 3.0
STAMP_SHARE = 0.01
STAMP_SLOW = 0.002  # s: longer than this in the loop would delay probes
MANY = 20  # pools: so many files that the first stamp is slow too
_ASK_TIMEOUT = 1.0


class NginxObserver:
    """Fulfils ``ports.Observer``. Needs no rights beyond reading the configuration and /proc."""

    def __init__(self, settings: NginxSettings, pools: Mapping[str, PoolFiles]) -> None:
        self._pools = pools
        self._finder = MasterFinder(settings)
        self._files = Files(settings, pools)
        self._shared: tuple[float, NginxFact] | None = None
        self._stamp, self._stamp_until = "", 0.0
        self._stamp_slow = len(pools) > MANY
        self._stamping: asyncio.Future[None] | None = None
        self._pid_file = ""  # as of the last look
        self._glanced: tuple[float, tuple[object, ...]] | None = None

    async def look(self, pool: str) -> Sight:
        """The pool as it is now. KeyError: no such pool."""
        files = self._pools[pool]
        nginx, stamp = self._nginx(), await self.stamp()
        fact = read_link(files)
        if files.confirm_url is None:
            return Sight(fact, nginx, stamp=stamp)
        name, problem = await self._marker(files, fact.upstream)
        return Sight(fact, nginx, name, problem, stamp)

    def glance(self, pool: str) -> object:
        """The link itself, and what all pools share: pid files, master, its children."""
        now = time.monotonic()
        if self._glanced is None or now - self._glanced[0] > SHARED_FOR:
            self._glanced = (now, self._glance_nginx())
        return _lstat(self._pools[pool].link), self._glanced[1]

    def _glance_nginx(self) -> tuple[object, ...]:
        master = self._shared[1].master.partition(":")[0] if self._shared is not None else ""
        children = _read(f"/proc/{master}/task/{master}/children") if master else b""
        return _lstat(self._pid_file), _lstat(f"{self._pid_file}.oldbin"), master, children

    async def stamp(self) -> str:
        """The cheap fingerprint over all files, as in ``Sight.stamp``."""
        if time.monotonic() >= self._stamp_until:
            if self._stamping is not None or self._stamp_slow:
                if self._stamping is None:
                    self._stamping = asyncio.ensure_future(self._stamp_in_thread())
                await asyncio.shield(self._stamping)  # other waiters may be cancelled
            else:
                began = time.monotonic()
                self._stamped(self._files.stamp(), began)
        return self._stamp

    async def _stamp_in_thread(self) -> None:
        began = time.monotonic()
        try:
            self._stamped(await asyncio.to_thread(self._files.stamp), began)
        finally:
            self._stamping = None

    def _stamped(self, stamp: str, began: float) -> None:
        now = time.monotonic()
        self._stamp, self._stamp_slow = stamp, now - began > STAMP_SLOW
        rest = max(STAMP_FOR, min(STAMP_AT_MOST, (now - began) / STAMP_SHARE))
        self._stamp_until = now + rest

    def _nginx(self) -> NginxFact:
        now = time.monotonic()
        if self._shared is not None:
            age = now - self._shared[0]
            if age <= (DOWN_FOR if self._shared[1].state == IS_DOWN else SHARED_FOR):
                return self._shared[1]
        fact, _ = self._finder.find()
        self._shared = (time.monotonic(), fact)
        self._pid_file = os.fspath(self._finder.pid_file())
        return fact

    async def _marker(self, files: PoolFiles, expected: str | None) -> tuple[str | None, str]:
        """What the marker says. An answer that fits the link is believed at once, another only
        when a run of fresh connections agrees: during a reload old and new workers both answer.
        """
        assert files.confirm_url is not None
        first = await marker.ask(files.confirm_url, _ASK_TIMEOUT)
        if first.name is None:
            return None, first.problem
        if first.name == expected:
            return first.name, ""
        for _ in range(RUN - 1):
            said = await marker.ask(files.confirm_url, _ASK_TIMEOUT)
            if said.name is None:
                return None, said.problem
            if said.name != first.name:
                return None, f"the marker's answers disagree: {first.name} and {said.name}"
        if first.name not in files.upstreams:
            return (
                None,
                f"the marker names {first.name[:40]!r}, which is not an upstream of this pool",
            )
        return first.name, ""


def _read(path: str) -> bytes | int | None:
    """The first bytes of a small file; the error number when it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(handle, 4096)
        finally:
            os.close(handle)
    except OSError as error:
        return error.errno


def _lstat(path: str | os.PathLike[str]) -> tuple[int, ...] | int | None:
    """What changes when ``path`` is touched; the error number when it cannot be read."""
    try:
        seen = os.lstat(path)
    except OSError as error:
        return error.errno
    return seen.st_ino, seen.st_ctime_ns, seen.st_mtime_ns
