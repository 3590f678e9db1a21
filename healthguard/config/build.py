"""Values of the file to settings: merges ``defaults``, applies the rules, makes the types."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from healthguard.config import rules, table
from healthguard.config.kinds import BAD
from healthguard.config.problems import Report
from healthguard.config.rules import PoolValues, Values, known
from healthguard.config.settings import PoolConfig
from healthguard.core.model import (
    Expect,
    Policy,
    UpstreamPolicy,
)
from healthguard.nginx.settings import PoolFiles
from healthguard.probes.spec import ExecSpec, HttpSpec, Spec, TcpSpec, definition


def merged(base: Values, over: Values) -> dict[str, Any]:
    """``over`` on top of ``base``, key by key, as deep as both are mappings."""
    both = {
        key: merged(base[key], value)
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        else value
        for key, value in over.items()
    }
    return {**base, **both}


def pools_of(root: Values, report: Report) -> list[PoolValues]:
    """Every pool that could be read, complete, with its contradictions reported."""
    defaults = root.get("defaults", {})
    named = root["pools"]
    if not known(named):
        return []
    pools = [
        _complete(name, values, {} if defaults is BAD else defaults, report)
        for name, values in named.items()
        if known(values)
    ]
    for pool in pools:
        rules.check_pool(pool)
    rules.check_all(pools)
    return pools


def _complete(name: str, values: Values, defaults: Values, report: Report) -> PoolValues:
    given = merged(defaults, values)
    full = table.POOL.fill(given)
    upstreams = full["upstreams"]
    if known(upstreams):
        full["upstreams"] = {
            colour: table.UPSTREAM.fill(upstream) if known(upstream) else BAD
            for colour, upstream in upstreams.items()
        }
    pool = PoolValues(name, given, full, report)
    _lower(pool, "health", "fast_interval", full["health"], "interval")
    _lower(pool, "bake", "fall", full["health"], "fall")
    _lower(pool, "bake", "min_down", full["rollback"], "min_down")
    return pool


def _lower(pool: PoolValues, section: str, key: str, other: Any, bound: str) -> None:
    """A default gives way to a value that is set explicitly."""
    values = pool.full[section]
    if not known(values, other) or pool.says(f"{section}.{key}"):
        return
    if known(values[key], other[bound]):
        values[key] = min(values[key], other[bound])


# --------------------------------------------------------------- types


def pool_config(pool: PoolValues) -> PoolConfig:
    """One pool without problems."""
    full, health = pool.full, pool.full["health"]
    probes = {
        name: {
            probe: _with_release(spec, full["release"])
            for probe, spec in _specs(upstream["probes"], health["timeout"]).items()
        }
        for name, upstream in full["upstreams"].items()
    }
    dependencies = _specs(full["dependencies"], health["timeout"])
    return PoolConfig(
        policy=_policy(pool, probes, dependencies),
        files=PoolFiles(
            pool=pool.name,
            link=full["link"],
            upstreams={
                name: rules.colour_path(full["link"], upstream["config"])
                for name, upstream in full["upstreams"].items()
            },
            confirm_url=full["confirm"]["url"].url if full["confirm"] else None,
        ),
        probes=probes,
        dependencies=dependencies,
        jitter=health["jitter"],
        timeout_ms=health["timeout"],
        notify=tuple(full["notify"]),
    )


def _policy(
    pool: PoolValues,
    probes: Mapping[str, Mapping[str, Spec]],
    dependencies: Mapping[str, Spec],
) -> Policy:
    full, mode = pool.full, pool.full["mode"]
    modes = {"bake": "auto", "steady": "auto"} | mode if isinstance(mode, dict) else None
    return Policy(
        pool=pool.name,
        upstreams={
            name: UpstreamPolicy(_expects(probes[name]), upstream["require"])
            for name, upstream in full["upstreams"].items()
        },
        stable=full["stable"],
        standby=full["standby"],
        mode_bake=modes["bake"] if modes else mode,
        mode_steady=modes["steady"] if modes else mode,
        marker=full["confirm"] is not None,
        releases=full["release"] is not None,
        dependencies=_expects(dependencies),
        health=table.HEALTH.make(full["health"]),
        rollback=table.ROLLBACK.make(full["rollback"]),
        bake=table.BAKE.make(full["bake"]),
    )


def _expects(specs: Mapping[str, Spec]) -> dict[str, Expect]:
    """What each probe demands, with its whole definition: counts end when that changes."""
    return {name: replace(spec.expect, definition=definition(spec)) for name, spec in specs.items()}


def _us(ms: int | None) -> int | None:
    return None if ms is None else ms * 1_000


# --------------------------------------------------------------- probes


def _specs(probes: tuple[Values, ...], timeout_ms: int) -> dict[str, Spec]:
    taken = {probe["name"] for probe in probes if "name" in probe}
    specs: dict[str, Spec] = {}
    for probe in probes:
        kind = next(key for key in ("http", "tcp", "exec") if key in probe)
        name = probe.get("name") or _free(kind, taken)
        taken.add(name)
        specs[name] = _spec(kind, probe, probe.get("timeout", timeout_ms))
    return specs


def _with_release(spec: Spec, release: Values | None) -> Spec:
    if release is None or not isinstance(spec, HttpSpec):
        return spec
    return replace(spec, release_header=release.get("header"), release_json=release.get("json"))


def _free(kind: str, taken: set[str]) -> str:
    number, name = 1, kind
    while name in taken:
        number += 1
        name = f"{kind}-{number}"
    return name


def _spec(kind: str, probe: Values, timeout_ms: int) -> Spec:
    if kind == "http":
        return _http_spec(table.PROBE.sections["http"].fill(probe), timeout_ms)
    expect = Expect((), _us(probe.get("expect", {}).get("max_latency")))
    if kind == "exec":
        return ExecSpec(probe["exec"], timeout_ms, expect)
    address = probe["tcp"]
    return TcpSpec(address.host, address.port, address.unix, timeout_ms, expect)


def _http_spec(probe: Values, timeout_ms: int) -> HttpSpec:
    url, expect, body = probe["http"], probe["expect"], probe["expect"]["body"]
    status = expect["status"]
    return HttpSpec(
        url=url.url,
        host=url.address.host,
        port=url.address.port,
        target=url.target,
        tls=url.tls,
        unix_socket=url.address.unix,
        method=probe["method"],
        host_header=probe["host"],
        headers=tuple((probe["headers"] or {}).items()),
        body_text=body if isinstance(body, str) else None,
        body_regex=body["regex"] if isinstance(body, dict) else None,
        json_fields=tuple((expect["json"] or {}).items()),
        header_fields=tuple((expect["header"] or {}).items()),
        ca_file=str(probe["ca_file"]) if probe["ca_file"] else None,
        verify=probe["verify"],
        timeout_ms=timeout_ms,
        expect=Expect(
            (status,) if isinstance(status[0], int) else status, _us(expect["max_latency"])
        ),
    )
