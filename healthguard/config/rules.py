"""Contradictions: values that are right one by one and make no sense together.

Each rule gets what is known so far, with BAD where a value was refused (then it keeps silent),
and points at the place where the value stands: in the pool, or in ``defaults``.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthguard.config.addresses import Address, Url
from healthguard.config.kinds import BAD
from healthguard.config.problems import Report
from healthguard.core.durations import written

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PoolValues:
    """One pool: ``given`` holds what the file says (defaults merged in), ``full`` everything."""

    name: str
    given: Values
    full: Values
    report: Report

    @property
    def path(self) -> str:
        """The pool's place in the file."""
        return f"pools.{self.name}"

    def says(self, dotted: str) -> bool:
        """True if the file says ``dotted`` for this pool, itself or in defaults."""
        values: Any = self.given
        for key in dotted.split("."):
            if not isinstance(values, Mapping) or key not in values:
                return False
            values = values[key]
        return True

    def add(self, dotted: str, message: str) -> None:
        """Report ``dotted`` at the pool, or at defaults when the value stands there."""
        here, there = f"{self.path}.{dotted}", f"defaults.{dotted}"
        inherited = not self.report.knows(here) and self.report.knows(there)
        self.report.add(there if inherited else here, message)


def known(*values: Any) -> bool:
    """True if none of ``values`` was refused or left out."""
    return all(value is not BAD and value is not None for value in values)


def check_pool(pool: PoolValues) -> None:
    """Report the contradictions within one pool."""
    _health(pool)
    _bake(pool)
    _rollback(pool)
    _target(pool)
    _files(pool)
    _shared_addresses(pool)
    _dependencies(pool)
    _release(pool)
    for name, upstream in _upstreams(pool):
        _upstream(pool, name, upstream)


def _health(pool: PoolValues) -> None:
    health = pool.full["health"]
    if not known(health):
        return
    interval, fast = health["interval"], health["fast_interval"]
    if known(interval, fast) and fast > interval:
        pool.add("health.fast_interval", f"must not be longer than interval ({written(interval)})")
    window, fall = health["window"], health["fall"]
    if not known(window) or not known(window["fails"], window["of"]):
        return
    fails, of = window["fails"], window["of"]
    if fails > of:
        pool.add("health.window.fails", f"can never be reached: the window has only {of} results")
    elif known(fall) and fails < fall:
        pool.add("health.fall", f"has no effect: health.window.fails ({fails}) is reached first")


def _bake(pool: PoolValues) -> None:
    health, bake, rollback = pool.full["health"], pool.full["bake"], pool.full["rollback"]
    if (
        known(bake, health)
        and known(bake["fall"], health["fall"])
        and bake["fall"] > health["fall"]
    ):
        pool.add("bake.fall", f"must not be more than health.fall ({health['fall']})")
    if not known(bake, rollback) or not known(bake["min_down"], rollback["min_down"]):
        return
    if bake["min_down"] > rollback["min_down"]:
        longest = written(rollback["min_down"])
        pool.add("bake.min_down", f"must not be longer than rollback.min_down ({longest})")


def _rollback(pool: PoolValues) -> None:
    rollback = pool.full["rollback"]
    if not known(rollback) or not known(rollback["budget"], rollback["daily_budget"]):
        return
    switches = rollback["budget"]["switches"]
    if known(switches) and rollback["daily_budget"] < switches:
        message = f"must be at least rollback.budget.switches ({switches})"
        pool.add("rollback.daily_budget", message)


def _target(pool: PoolValues) -> None:
    stable, standby, upstreams = pool.full["stable"], pool.full["standby"], pool.full["upstreams"]
    if known(stable, upstreams) and stable not in upstreams:
        pool.add("stable", f"{stable} is not one of the upstreams ({', '.join(upstreams)})")
    if standby == "stopped":
        for key in ("stable", "rollback.standby_passes"):
            if pool.says(key):
                pool.add(key, "has no effect with standby: stopped")


def _upstreams(pool: PoolValues) -> Iterator[tuple[str, Values]]:
    upstreams = pool.full["upstreams"]
    if known(upstreams):
        yield from ((name, values) for name, values in upstreams.items() if known(values))


# --------------------------------------------------------------- files


def colour_path(link: Path, config: str) -> Path:
    """The absolute path of a colour file, without following anything."""
    return Path(posixpath.normpath(link.parent / config))


def _files(pool: PoolValues) -> None:
    link = pool.full["link"]
    if not known(link):
        return
    owners: dict[Path, str] = {}
    for name, upstream in _upstreams(pool):
        if not known(upstream["config"]):
            continue
        file, place = colour_path(link, upstream["config"]), f"upstreams.{name}.config"
        if file.parent != link.parent:
            pool.add(place, f"must be in the link's folder ({link.parent})")
        elif file == link:
            pool.add(place, "is the link itself")
        elif file in owners:
            pool.add(place, f"is already the file of {owners[file]}: each upstream needs its own")
        owners.setdefault(file, name)


# --------------------------------------------------------------- probes


def _dependencies(pool: PoolValues) -> None:
    probes = pool.full["dependencies"]
    if not known(probes):
        return
    names: set[str] = set()
    for number, probe in enumerate(probes):
        place = f"dependencies[{number}]"
        if "name" not in probe:
            pool.add(f"{place}.name", "is missing: every dependency needs a name")
        elif known(probe["name"]):
            if probe["name"] in names:
                pool.add(f"{place}.name", f"{probe['name']} is used twice in this pool")
            names.add(probe["name"])
        _probe(pool, probe, place)


def _release(pool: PoolValues) -> None:
    release = pool.full["release"]
    if not known(release) or release is None:
        return
    probes = [
        probe
        for _, upstream in _upstreams(pool)
        if known(upstream["probes"])
        for probe in upstream["probes"]
    ]
    if probes and not any("http" in probe for probe in probes):
        pool.add("release", "has no effect: no upstream has an http probe")


def _upstream(pool: PoolValues, name: str, upstream: Values) -> None:
    probes, require = upstream["probes"], upstream["require"]
    if not known(probes):
        return
    if known(require) and require > len(probes):
        count = f"only {len(probes)} probe{'s' if len(probes) > 1 else ''}"
        pool.add(f"upstreams.{name}.require", f"can never be reached: the upstream has {count}")
    names: set[str] = set()
    for number, probe in enumerate(probes):
        place = f"upstreams.{name}.probes[{number}]"
        if known(probe.get("name")):
            if probe["name"] in names:
                pool.add(f"{place}.name", f"{probe['name']} is used twice in this upstream")
            names.add(probe["name"])
        _probe(pool, probe, place)


def _probe(pool: PoolValues, probe: Values, place: str) -> None:
    expect = probe.get("expect") or {}
    health = pool.full["health"]
    timeout = probe.get("timeout", health["timeout"] if known(health) else None)
    latency: Any = expect.get("max_latency") if known(expect) else None
    if known(timeout, latency) and latency >= timeout:
        message = f"has no effect: the probe times out after {written(timeout)}"
        pool.add(f"{place}.expect.max_latency", message)
    if "http" in probe:
        _http(pool, probe, expect if known(expect) else {}, place)


_OURS = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


def _http(pool: PoolValues, probe: Values, expect: Values, place: str) -> None:
    url = probe["http"]
    if known(url) and not url.tls:
        for key in ("ca_file", "verify"):
            if key in probe:
                pool.add(f"{place}.{key}", "works only with https")
    elif known(url, probe.get("ca_file")) and probe.get("verify") is False:
        pool.add(f"{place}.ca_file", "has no effect with verify: false")
    if probe.get("method") == "HEAD":
        for key in ("body", "json"):
            if key in expect:
                pool.add(f"{place}.expect.{key}", "can never match: an answer to HEAD has no body")
    for key in probe.get("headers") or {} if known(probe.get("headers")) else {}:
        if key.lower() in _OURS:
            use = ": use the key host" if key.lower() == "host" else ": remove it"
            pool.add(f"{place}.headers.{key}", f"is set by healthguard{use}")


def _identity(probe: Values) -> tuple[object, ...] | None:
    """What two upstreams must not share: where a probe goes, and as whom it asks for it."""
    if "exec" in probe:
        return ("exec", probe["exec"]) if known(probe["exec"]) else None
    where = probe.get("http", probe.get("tcp"))
    if not known(where):
        return None
    address: Address = where.address if isinstance(where, Url) else where
    host = "127.0.0.1" if address.host == "localhost" else address.host
    asked = probe.get("host")
    return (address.unix or host, address.port, asked if known(asked) else "")


def _shared_addresses(pool: PoolValues) -> None:
    owners: dict[tuple[object, ...], str] = {}
    for name, upstream in _upstreams(pool):
        if not known(upstream["probes"]):
            continue
        for number, probe in enumerate(upstream["probes"]):
            identity = _identity(probe)
            if identity is None:
                continue
            owner = owners.setdefault(identity, name)
            if owner != name:
                kind = next(key for key in ("http", "tcp", "exec") if key in probe)
                what = "command" if kind == "exec" else "address"
                place = f"upstreams.{name}.probes[{number}].{kind}"
                pool.add(place, f"is the same {what} as a probe of {owner}")


# --------------------------------------------------------------- between pools


def check_all(pools: list[PoolValues]) -> None:
    """Report the contradictions between pools."""
    links: dict[Path, str] = {}
    files: dict[Path, str] = {}
    markers: dict[str, str] = {}
    for pool in pools:
        link, confirm = pool.full["link"], pool.full["confirm"]
        if known(link):
            owner = links.setdefault(link, pool.name)
            if owner != pool.name:
                pool.add("link", f"is already the link of pool {owner}")
            else:
                _foreign_files(pool, link, files)
        if known(confirm) and known(confirm["url"]):
            owner = markers.setdefault(confirm["url"].url, pool.name)
            if owner != pool.name:
                pool.add("confirm.url", f"is already the confirm.url of pool {owner}")


def _foreign_files(pool: PoolValues, link: Path, files: dict[Path, str]) -> None:
    for name, upstream in _upstreams(pool):
        if known(upstream["config"]):
            owner = files.setdefault(colour_path(link, upstream["config"]), pool.name)
            if owner != pool.name:
                pool.add(f"upstreams.{name}.config", f"is already a file of pool {owner}")


def check_paths(nginx: Values, daemon: Values, report: Report) -> None:
    """Report two things of the daemon on one path."""
    owners: dict[Path, str] = {}
    for place, path in (
        ("daemon.state_dir", daemon["state_dir"]),
        ("daemon.event_log", daemon["event_log"]),
        ("daemon.control_socket", daemon["control_socket"]),
        ("nginx.switcher", nginx["switcher"]),
    ):
        if isinstance(path, Path):
            owner = owners.setdefault(path, place)
            if owner != place:
                report.add(place, f"is the same path as {owner}")
