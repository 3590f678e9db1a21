"""nginx's master process: found by its pid file or its unit, and proven before it is believed.

A pid file may be stale, empty (``nginx -t`` makes such), or name an innocent process that got
the number later. So: title, owner, configuration and start time must fit.
"""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from healthguard.core.model import NginxFact
from healthguard.nginx import conf, proc
from healthguard.nginx.build import Build, read_build
from healthguard.nginx.settings import NginxSettings

RUNNING, IS_DOWN, UPGRADING = "running", "down", "upgrading"
MASTER_TITLE = "nginx: master process"
WORKER_TITLE = "nginx: worker process"
_UNIT_GROUPS = (
    Path("/sys/fs/cgroup/system.slice/nginx.service/cgroup.procs"),
    Path("/sys/fs/cgroup/systemd/system.slice/nginx.service/cgroup.procs"),
    Path("/sys/fs/cgroup/unified/system.slice/nginx.service/cgroup.procs"),
)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process; ``exiting``: ordered to end, it only finishes what it has."""

    pid: int
    start: int
    exiting: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Who it is, also after the pid was used again."""
        return self.pid, self.start


@dataclass(frozen=True, slots=True)
class Master:
    """A proven master."""

    pid: int
    start: int

    @property
    def identity(self) -> str:
        """``pid:starttime``."""
        return f"{self.pid}:{self.start}"

    def alive(self) -> bool:
        """True while the same process runs under the same title."""
        seen = proc.process(self.pid)
        return (
            seen is not None
            and seen.start == self.start
            and proc.title(self.pid).startswith(MASTER_TITLE)
        )

    def workers(self) -> tuple[Worker, ...]:
        """Its workers now. A fresh fork still bears the master's title and is not yet one."""
        found = []
        for pid in proc.children(self.pid):
            name = proc.title(pid)
            if not name.startswith(WORKER_TITLE):
                continue
            seen = proc.process(pid)
            if seen is not None:
                found.append(Worker(pid, seen.start, name != WORKER_TITLE))
        return tuple(found)

    def active(self) -> tuple[Worker, ...]:
        """Workers that take new connections."""
        return tuple(each for each in self.workers() if not each.exiting)


class MasterFinder:
    """Finds the master of one nginx. Needs no rights beyond reading the configuration."""

    def __init__(self, settings: NginxSettings) -> None:
        self._settings = settings
        self._build: Build | None = None
        self._pid_cache: tuple[tuple[int, int], Path] | None = None

    @property
    def build(self) -> Build:
        """Built-in paths of the binary; the first use runs it (some milliseconds)."""
        if self._build is None:
            self._build = read_build(self._settings.binary)
        return self._build

    def pid_file(self) -> Path:
        """Where this nginx writes its pid."""
        config = self._settings.config
        try:
            seen = config.stat()
            stamp = (seen.st_ino, seen.st_mtime_ns)
        except OSError:
            stamp = (0, 0)
        if self._pid_cache is None or self._pid_cache[0] != stamp:
            value = conf.pid_directive(config)
            path = self.build.prefix / value if value else self.build.pid
            self._pid_cache = (stamp, path)
        return self._pid_cache[1]

    def find(self) -> tuple[NginxFact, Master | None]:
        """What nginx is doing, and its master if there is a proven one."""
        pid_file = self.pid_file()
        master, problem = self._from_file(pid_file)
        if master is None:
            master = self._from_unit()
        if master is None:
            return NginxFact(IS_DOWN, problem + _orphans()), None
        old, _ = self._from_file(pid_file.with_name(pid_file.name + ".oldbin"))
        return self._fact(master, old), master

    def _fact(self, master: Master, old: Master | None) -> NginxFact:
        workers = master.workers()
        active = [each.start for each in workers if not each.exiting]
        state, detail = RUNNING, ""
        if old is not None and old.pid != master.pid:
            state = UPGRADING
            detail = (
                f"a binary upgrade of nginx is under way: old master {old.pid} still runs next to "
                f"{master.pid}. Finish it (kill -QUIT {old.pid}) or revert it"
            )
        elif old is not None:
            # USR2 renames the pid file first: in between both names lead to one process.
            state, detail = UPGRADING, f"a binary upgrade of nginx master {old.pid} has just begun"
        elif not active:
            detail = f"nginx master {master.pid} is running, but no worker accepts connections"
        return NginxFact(
            state=state,
            detail=detail,
            master=master.identity,
            workers_since_wall_ms=wall_ms(min(active)) if active else 0,
            shutting_down=len(workers) - len(active),
        )

    def _from_file(self, path: Path) -> tuple[Master | None, str]:
        try:
            text = path.read_text().strip()
        except OSError as error:
            return None, f"no pid file {path}: {error.strerror}"
        except ValueError:
            return None, f"the pid file {path} is not a text file"
        if not text.isdigit():
            return None, f"the pid file {path} contains {text[:20]!r} instead of a pid"
        return self._prove(int(text), f"the pid file {path}")

    def _prove(self, pid: int, source: str) -> tuple[Master | None, str]:
        seen, name = proc.process(pid), proc.title(pid)
        if seen is None:
            return None, f"{source} names process {pid}, which is not running"
        if not name.startswith(MASTER_TITLE):
            return None, f"{source} names process {pid}, which is not nginx but {name[:40]!r}"
        uid = proc.owner(pid)
        if uid not in self._trusted():
            return None, f"{source} names process {pid}, which runs as uid {uid} and is not trusted"
        if not self._serves_our_config(name):
            return (
                None,
                f"{source} names process {pid}, an nginx with another configuration: {name[:80]!r}",
            )
        return Master(pid, seen.start), ""

    def _trusted(self) -> set[int]:
        uids = {0, os.geteuid()}
        with contextlib.suppress(OSError):
            uids.add(self._settings.config.stat().st_uid)
        return uids

    def _serves_our_config(self, name: str) -> bool:
        words = name.split()
        theirs = self.build.config
        if "-c" in words[:-1]:
            theirs = self.build.prefix / words[words.index("-c") + 1]
        return os.path.realpath(theirs) == os.path.realpath(self._settings.config)

    def _from_unit(self) -> Master | None:
        """The main process of nginx.service: systemd knows it also without a pid file."""
        for group in _UNIT_GROUPS:
            try:
                pids = [int(word) for word in group.read_text().split()]
            except (OSError, ValueError):
                continue
            for pid in sorted(pids):
                master, _ = self._prove(pid, "nginx.service")
                if master is not None:
                    return master
        return None


def wall_ms(start_ticks: int) -> int:
    """Unix time in milliseconds of a process start given in ticks since boot."""
    boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.time_ns() // 1_000_000 - boot_ms + start_ticks * 1000 // proc.TICKS


def _orphans() -> str:
    """A half sentence about workers that serve on without their master."""
    lost = [
        each.pid
        for each in proc.everybody()
        if proc.title(each.pid).startswith(WORKER_TITLE)
        and not proc.title(each.parent).startswith(MASTER_TITLE)
    ]
    if not lost:
        return ""
    return (
        f"; nginx workers without a master still serve traffic (pid "
        f"{', '.join(map(str, lost[:8]))}) and cannot be reloaded: stop them and start nginx"
    )
