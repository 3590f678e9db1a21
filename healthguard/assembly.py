"""Making the parts of a daemon from its configuration."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from healthguard.config import (
    DEPENDENCIES,
    Config,
    PoolConfig,
    UnresolvedVariable,
    resolve_env,
    secrets_in,
)
from healthguard.nginx.observe import NginxObserver
from healthguard.nginx.ports import Observer, Switcher
from healthguard.nginx.settings import PoolFiles
from healthguard.nginx.switch import InlineSwitcher
from healthguard.probes import Prober, Shared
from healthguard.probes import build as build_prober
from healthguard.probes.spec import HttpSpec, Spec
from healthguard.switcher.client import SocketSwitcher

Probers = Mapping[str, Mapping[str, Prober]]  # by upstream, or DEPENDENCIES, and name


class BuildError(Exception):
    """The configuration is valid, but one of its probes cannot be made. Names the place."""


def build_probers(pool: PoolConfig, shared: Shared) -> Probers:
    """The probers of one pool. BuildError: a secret is missing or a header is impossible."""
    place = f"pools.{pool.policy.pool}"
    groups = [pool.dependencies, *pool.probes.values()]
    secrets = _secrets(spec for specs in groups for spec in specs.values())

    def make(specs: Mapping[str, Spec], section: str) -> dict[str, Prober]:
        return {
            name: _prober(spec, shared, secrets, f"{place}.{section}.{name}")
            for name, spec in specs.items()
        }

    upstreams = {
        upstream: make(specs, f"upstreams.{upstream}") for upstream, specs in pool.probes.items()
    }
    return {**upstreams, DEPENDENCIES: make(pool.dependencies, "dependencies")}


def _secrets(specs: Iterable[Spec]) -> tuple[str, ...]:
    """Of the whole pool: what one upstream is sent, another one behind it may show."""
    return secrets_in(
        value for spec in specs if isinstance(spec, HttpSpec) for _, value in spec.headers
    )


def _prober(spec: Spec, shared: Shared, secrets: Iterable[str], place: str) -> Prober:
    try:
        return build_prober(_with_secrets(spec), shared, secrets)
    except (UnresolvedVariable, ValueError) as problem:
        raise BuildError(f"{place}: {problem}") from problem


def _with_secrets(spec: Spec) -> Spec:
    if not isinstance(spec, HttpSpec):
        return spec
    headers = tuple((name, resolve_env(value)) for name, value in spec.headers)
    return replace(spec, headers=headers)


def files_of(config: Config) -> dict[str, PoolFiles]:
    """What the nginx edge needs to know of every pool."""
    return {name: pool.files for name, pool in config.pools.items()}


def build_observer(config: Config) -> Observer:
    """Who looks at nginx: always this process."""
    return NginxObserver(config.nginx, files_of(config))


def build_switcher(config: Config) -> Switcher:
    """Who moves traffic: this process (``inline``), or the switcher service."""
    if isinstance(config.switcher, Path):
        return SocketSwitcher(
            config.switcher,
            test_timeout_ms=config.nginx.test_timeout_ms,
            confirm_timeout_ms=config.nginx.confirm_timeout_ms,
        )
    return InlineSwitcher(config.nginx, files_of(config), config.daemon.state_dir / "switcher")
