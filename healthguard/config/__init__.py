"""The configuration: `load` a file, `parse` a text; strict, and all problems at once."""

from healthguard.config.environment import UnresolvedVariable, names_secret, resolve_env, secrets_in
from healthguard.config.loading import digest_of, load, parse
from healthguard.config.problems import ConfigError, Problem
from healthguard.config.settings import DEPENDENCIES, Config, DaemonSettings, PoolConfig

__all__ = [
    "DEPENDENCIES",
    "Config",
    "ConfigError",
    "DaemonSettings",
    "PoolConfig",
    "Problem",
    "UnresolvedVariable",
    "digest_of",
    "load",
    "names_secret",
    "parse",
    "resolve_env",
    "secrets_in",
]
