"""The settings of the nginx room: built by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NginxSettings:
    """One nginx on this host. ``reload``: auto, systemctl, signal or a command."""

    binary: Path = Path("/usr/sbin/nginx")
    config: Path = Path("/etc/nginx/nginx.conf")
    reload: str | tuple[str, ...] = "auto"
    test_timeout_ms: int = 10_000
    confirm_timeout_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class PoolFiles:
    """One pool's link, the file of each upstream (absolute, in the link's folder), and marker."""

    pool: str
    link: Path
    upstreams: Mapping[str, Path]
    confirm_url: str | None = None
