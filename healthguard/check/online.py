"""Is this host ready for a switch? Everything looked at for real, nothing moved."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from healthguard.check.colours import check_colours
from healthguard.check.findings import ERROR, OK, WARNING, CheckResult
from healthguard.check.host import check_host
from healthguard.check.sandbox import Show, check_sandbox, show
from healthguard.config import Config
from healthguard.core.model import LinkFact
from healthguard.machine.disable import DISABLE, read_disable
from healthguard.nginx import link, marker
from healthguard.nginx.master import MasterFinder
from healthguard.nginx.ports import Switcher
from healthguard.nginx.settings import PoolFiles

MARKER_TIMEOUT = 2.0


async def check_online(
    config: Config, switcher: Switcher, show: Show = show, disable: Path = DISABLE
) -> list[CheckResult]:
    """Findings about this host. ``switcher`` does a real prepare for every other upstream.

    ``show`` gives the properties of a unit; ``disable`` is the DISABLE file.
    """
    findings = [*check_host(config), *check_sandbox(config, show), *_disabled(disable)]
    if any(each.what in ("nginx_binary", "nginx_config") for each in findings):
        return findings  # nothing true could be said about the rest
    running = _nginx(config)
    findings += running
    up = all(each.level != ERROR for each in running)
    for pool in config.pools.values():
        findings += [each async for each in _pool(config, pool.files, switcher, up)]
    return findings


def _disabled(disable: Path) -> Iterator[CheckResult]:
    said = read_disable(disable)
    if said is not None:
        message = f"automatic switching is off: {disable} exists ({said or 'no reason given'})"
        yield CheckResult(WARNING, None, "disabled", message, f"to turn it on again: rm {disable}")


def _nginx(config: Config) -> list[CheckResult]:
    fact, master = MasterFinder(config.nginx).find()
    if master is None:
        return [
            CheckResult(
                ERROR,
                None,
                "nginx",
                f"nginx is not running: {fact.detail}",
                "start nginx",
            )
        ]
    if fact.state != "running":
        return [
            CheckResult(ERROR, None, "nginx", fact.detail, "wait until the binary upgrade is over")
        ]
    findings = [CheckResult(OK, None, "nginx", f"nginx is running (master process {master.pid})")]
    if fact.detail:
        findings = [CheckResult(ERROR, None, "nginx", fact.detail, "see nginx's error log")]
    if fact.shutting_down:
        message = f"{fact.shutting_down} old workers are still finishing their connections"
        findings.append(CheckResult(OK, None, "nginx_old_workers", message))
    return findings


async def _pool(
    config: Config, pool: PoolFiles, switcher: Switcher, nginx_up: bool
) -> AsyncIterator[CheckResult]:
    seen = link.read_link(pool)
    for finding in (*_link(pool, seen), *check_colours(config.nginx, pool)):
        yield finding
    if not nginx_up:
        return
    if pool.confirm_url is not None:
        yield await _marker(pool, pool.confirm_url, seen)
    for upstream in pool.upstreams:
        yield await _prepare(pool, upstream, switcher)


def _link(pool: PoolFiles, seen: LinkFact) -> Iterator[CheckResult]:
    if seen.problem:
        first = next(iter(pool.upstreams.values())).name
        there = os.path.lexists(pool.link)
        remedy = "correct the link by hand" if there else f"ln -s {first} {pool.link}"
        yield CheckResult(ERROR, pool.pool, "link", seen.problem, remedy)
    else:
        yield CheckResult(OK, pool.pool, "link", f"{pool.link} points to {seen.upstream}")
    for upstream in pool.upstreams:
        problem = link.candidate_problem(pool, upstream)
        if problem and upstream != seen.upstream and os.path.exists(pool.upstreams[upstream]):  # noqa: PTH110 - raises nothing
            yield CheckResult(ERROR, pool.pool, "colour_rights", problem, "chown root, chmod go-w")


async def _marker(pool: PoolFiles, url: str, seen: LinkFact) -> CheckResult:
    said = await marker.ask(url, MARKER_TIMEOUT)
    if said.name is None:
        remedy = "set it up as nginx/README.md shows, then reload nginx"
        return CheckResult(ERROR, pool.pool, "marker", said.problem, remedy)
    if said.name not in pool.upstreams:
        names = ", ".join(pool.upstreams)
        message = f"the marker names {said.name!r}, which is not one of the upstreams ({names})"
        return CheckResult(
            ERROR, pool.pool, "marker", message, "correct the map in the colour files"
        )
    if seen.upstream is not None and said.name != seen.upstream:
        message = f"the link points to {seen.upstream}, but nginx's workers use {said.name}"
        remedy = f"healthguard switch {pool.pool} UPSTREAM (the one that should serve)"
        return CheckResult(ERROR, pool.pool, "marker", message, remedy)
    return CheckResult(OK, pool.pool, "marker", f"the marker confirms that nginx uses {said.name}")


async def _prepare(pool: PoolFiles, upstream: str, switcher: Switcher) -> CheckResult:
    fact = await switcher.prepare(pool.pool, upstream)
    if fact.ticket is not None:
        message = f"a switch to {upstream} is possible (tested in {fact.took_ms} ms)"
        return CheckResult(OK, pool.pool, "prepare", message)
    level = WARNING if fact.gate == "switch_in_flight" else ERROR
    message = f"a switch to {upstream} would be refused ({fact.gate}): {fact.message}"
    return CheckResult(
        level, pool.pool, "prepare", message, "correct that, then run healthguard check again"
    )
