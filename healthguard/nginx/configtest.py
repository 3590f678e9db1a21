"""``nginx -t``: of the configuration as it stands, and as it would be with a moved link.

The live link is never touched, so nobody else's reload can pick up what was not tested. Nothing
is created either: ``nginx -t`` would make log files, and an empty pid file that breaks the next
reload.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from healthguard.nginx import conf, link, spawn
from healthguard.nginx.master import Master
from healthguard.nginx.namespace import entering
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.nginx.sibling import CannotCopy, Copies

_NOT_ALLOWED = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What nginx said. ``files``: what it read, by its own word (only when ``ok``)."""

    ok: bool
    message: str = ""
    files: tuple[Path, ...] = ()
    took_ms: int = 0
    way: str = ""  # namespace | plain | copy


class ConfigTest:
    """Tests the configuration of one nginx."""

    def __init__(self, settings: NginxSettings, *, allow_namespace: bool = True) -> None:
        self._settings = settings
        self._allow_namespace = allow_namespace

    async def baseline(self, master: Master, pid_file: Path, listing: conf.Listing) -> Verdict:
        """The configuration as it stands."""
        problem = _pid_file_problem(pid_file)
        if problem:
            return Verdict(False, problem)
        verdict = await self._in_namespace(master, {}, listing)
        return verdict or await self._plain(self._settings.config)

    async def candidate(
        self, pool: PoolFiles, to: str, master: Master, pid_file: Path, listing: conf.Listing
    ) -> Verdict:
        """The configuration as it would be with the link on upstream ``to``."""
        problem = _pid_file_problem(pid_file) or link.candidate_problem(pool, to)
        if problem:
            return Verdict(False, problem)
        links = {pool.link: link.target_text(pool, to)}
        verdict = await self._in_namespace(master, links, listing)
        return verdict or await self._by_copy(pool, to)

    async def _in_namespace(
        self, master: Master, links: Mapping[Path, str], listing: conf.Listing
    ) -> Verdict | None:
        """None: no namespace to be had here."""
        if not self._allow_namespace:
            return None
        setup = entering(master.pid, links, lambda: _folders_to_cover(listing))
        try:
            ran = await spawn.run(self._argv(self._settings.config), self._timeout, setup)
        except OSError as error:
            if error.errno in _NOT_ALLOWED:
                return None
            return Verdict(False, f"nginx -t could not be set up: {error.strerror}")
        return self._judge(ran, "namespace")

    async def _plain(self, config: Path) -> Verdict:
        return self._judge(await spawn.run(self._argv(config), self._timeout), "plain")

    async def _by_copy(self, pool: PoolFiles, to: str) -> Verdict:
        config = self._settings.config
        copies = Copies(config.parent, {pool.link: pool.upstreams[to]})
        try:
            verdict = await self._plain(copies.main(config))
            mine = set(copies.made)
        except CannotCopy as error:
            return Verdict(False, str(error))
        finally:
            copies.remove()
        files = tuple(path for path in verdict.files if path not in mine)
        return replace(verdict, files=files, way="copy")

    @property
    def _timeout(self) -> int:
        return self._settings.test_timeout_ms

    def _argv(self, config: Path) -> list[str]:
        # -T is -t that also tells what was read; the text stays in our memory.
        return [str(self._settings.binary), "-T", "-q", "-c", str(config)]

    def _judge(self, ran: spawn.Ran, way: str) -> Verdict:
        if ran.problem:
            return Verdict(False, ran.problem, way=way)
        if ran.timed_out:
            seconds = self._timeout / 1000
            text = f"nginx -t was killed after {seconds:g} s"
            hint = "is there a host name that does not resolve, or an include that is a pipe?"
            return Verdict(False, f"{text}: {hint}", took_ms=ran.took_ms, way=way)
        if ran.code != 0:
            return Verdict(False, complaint(ran.err, ran.code), took_ms=ran.took_ms, way=way)
        files = tuple(Path(name) for name in conf.included_files(ran.out))
        return Verdict(True, "", files, ran.took_ms, way)


def complaint(err: str, code: int | None) -> str:
    """The sentence that matters out of what ``nginx -t`` printed."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    for level in ("[emerg]", "[alert]", "[crit]", "[error]"):
        for line in lines:
            if level in line:
                return line.split(level, 1)[1].strip()
    return lines[0] if lines else f"nginx -t failed with exit code {code} and printed nothing"


def _pid_file_problem(pid_file: Path) -> str:
    if pid_file.exists():
        return ""
    return (
        f"nginx is running but its pid file {pid_file} is missing: nginx -t would create an empty "
        f"one and break the next reload. Write the master's pid into it"
    )


def _folders_to_cover(listing: conf.Listing) -> Iterable[Path]:
    """Folders in which the test would create a log file, if nothing it must read lies there."""
    needed = {*listing.files, *listing.secrets}
    for folder in dict.fromkeys(log.parent for log in listing.logs if not log.exists()):
        if folder.is_dir() and not any(folder in path.parents for path in needed):
            yield folder
