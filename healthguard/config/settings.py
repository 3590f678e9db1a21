"""What a configuration says, as frozen data: what `load` and `parse` return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from healthguard.core.model import Policy
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.notify.spec import Notifier
from healthguard.probes.spec import Spec

DEPENDENCIES = ""  # stands for the upstream in the place of a dependency's probe


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """Where the daemon keeps, tells and listens.

    ``http``: host and port of the page and the metrics; None: off. ``log_level``: debug info
    warning error. ``log_format``: auto journal text json.
    """

    state_dir: Path = Path("/var/lib/healthguard")
    event_log: Path = Path("/var/log/healthguard/events.jsonl")
    control_socket: Path = Path("/run/healthguard/control.sock")
    control_groups: tuple[str, ...] = ("healthguard",)
    http: tuple[str, int] | None = ("127.0.0.1", 9464)
    log_level: str = "info"
    log_format: str = "auto"


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """One pool. ``probes``: upstream name -> probe name -> what to do; ``dependencies``: by name.

    ``jitter`` is a fraction of the interval (0.05: up to 5 % later or sooner);
    ``timeout_ms`` is the timeout of every probe that does not bring its own.
    ``notify``: names of notifiers.
    """

    policy: Policy
    files: PoolFiles
    probes: Mapping[str, Mapping[str, Spec]]
    dependencies: Mapping[str, Spec]
    jitter: float
    timeout_ms: int
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration, valid. ``digest`` is the SHA-256 of the file's bytes, in hex.

    ``switcher``: "inline", or the socket of the switcher service.
    """

    path: Path
    digest: str
    nginx: NginxSettings
    switcher: str | Path
    daemon: DaemonSettings
    pools: Mapping[str, PoolConfig]
    notifiers: Mapping[str, Notifier] = field(default_factory=dict)
