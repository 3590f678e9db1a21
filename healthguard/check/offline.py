"""What can be said of a configuration without nginx: timers, probes, the way back, colour files."""

from collections.abc import Iterable, Iterator

from healthguard.check import detection
from healthguard.check.colours import names_a_host
from healthguard.check.findings import OK, WARNING, CheckResult
from healthguard.config import Config, PoolConfig, names_secret
from healthguard.core.durations import written
from healthguard.machine.secrets import HEADERS
from healthguard.nginx import conf
from healthguard.nginx.settings import NginxSettings
from healthguard.probes.spec import ExecSpec, HttpSpec, Spec

_CONFIRM_MS = 3_000  # less is too short for an nginx with many sites


def check_offline(config: Config) -> list[CheckResult]:
    """Findings about a valid configuration; needs no nginx and no daemon."""
    found = [finding for pool in config.pools.values() for finding in _pool(pool)]
    return [*_nginx(config.nginx), *found]


def _nginx(nginx: NginxSettings) -> Iterator[CheckResult]:
    if nginx.confirm_timeout_ms < _CONFIRM_MS:
        # Measured: with 500 TLS servers nginx takes 0.5 s, and 100 ms more until its old workers
        # have stopped answering; on a busy host it is a multiple of that.
        yield CheckResult(
            WARNING,
            None,
            "confirm_timeout",
            f"nginx.confirm_timeout is {written(nginx.confirm_timeout_ms)}: with many servers or "
            f"on a busy host a reload takes longer, and a good switch would be undone",
            "set it to 3s or more; a switch that is confirmed sooner does not wait for it",
        )


def _pool(pool: PoolConfig) -> Iterator[CheckResult]:
    name = pool.policy.pool
    yield CheckResult(OK, name, "detection", detection.sentence(pool))
    yield from _timers(pool)
    yield from _way_back(pool)
    yield from _marker(pool)
    for upstream, specs in pool.probes.items():
        yield from _blind(name, upstream, specs.values())
        for probe, spec in specs.items():
            yield from _secrets(name, f"{upstream}.{probe}", spec)
    for upstream, path in pool.files.upstreams.items():
        for address in filter(names_a_host, conf.server_addresses(path)):
            yield CheckResult(
                WARNING,
                name,
                "upstream_by_name",
                f"the file of {upstream} has a host name as server ({address}): nginx resolves it "
                f"at every test and reload, and each takes 10 s when the resolver does not answer",
                f"write the IP address into {path}",
            )


def _timers(pool: PoolConfig) -> Iterator[CheckResult]:
    timeout, interval = detection.longest_timeout(pool), pool.policy.health.interval_ms
    if timeout > interval:
        yield CheckResult(
            WARNING,
            pool.policy.pool,
            "timeout",
            f"a probe may take {written(timeout)}, longer than interval {written(interval)}: a "
            f"slow upstream is then checked less often than configured, and a slow standby may be "
            f"refused for lack of fresh passes",
            "set timeout no longer than interval",
        )


def _way_back(pool: PoolConfig) -> Iterator[CheckResult]:
    policy = pool.policy
    if policy.standby == "stopped":
        message = "standby: stopped, so there is no automatic switch"
        yield CheckResult(OK, policy.pool, "target", message)
    elif policy.stable is None:
        yield CheckResult(
            WARNING,
            policy.pool,
            "target",
            "stable is not set: on a new host no rollback is possible until an upstream has passed "
            "a bake",
            f"healthguard good {policy.pool} UPSTREAM, or set stable in the configuration",
        )
    if policy.mode_steady == policy.mode_bake == "observe":
        message = "mode: observe, so healthguard only reports what it would have done"
        yield CheckResult(OK, policy.pool, "mode", message)


def _marker(pool: PoolConfig) -> Iterator[CheckResult]:
    if pool.files.confirm_url is None:
        yield CheckResult(
            WARNING,
            pool.policy.pool,
            "marker",
            "confirm.url is not set: which upstream nginx's workers use is inferred, never proven",
            "set up the marker as nginx/README.md shows, and set confirm.url to its address",
        )


def _blind(pool: str, upstream: str, specs: Iterable[Spec]) -> Iterator[CheckResult]:
    if not any(_knows_whom_it_asks(spec) for spec in specs):
        yield CheckResult(
            WARNING,
            pool,
            "probe_blind",
            f"the probes of {upstream} check only a status or an open port: another program on "
            f"that port, or the other colour, would pass too",
            "expect something that only this upstream sends: header, json or body",
        )


def _knows_whom_it_asks(spec: Spec) -> bool:
    if not isinstance(spec, HttpSpec):
        return isinstance(spec, ExecSpec)  # a command may look at anything
    predicates = (spec.body_text, spec.body_regex, spec.json_fields, spec.header_fields)
    return any(predicates) or bool(spec.ca_file)


def _secrets(pool: str, place: str, spec: Spec) -> Iterator[CheckResult]:
    for header, value in spec.headers if isinstance(spec, HttpSpec) else ():
        if header.lower() in HEADERS and not names_secret(value):
            yield CheckResult(
                WARNING,
                pool,
                "secret",
                f"the header {header} of {place} contains its secret in plain text",
                "write ${NAME} and put the value into the daemon's environment",
            )
