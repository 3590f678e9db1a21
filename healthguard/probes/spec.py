"""What a probe is told to do: built by the configuration, run by the probers."""

from dataclasses import dataclass, field

from healthguard.core.model import Expect


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """One HTTP check.

    ``host``/``port`` is where to connect; ``unix_socket`` instead of both where given.
    ``headers`` are sent as they stand; ``host_header`` overrides the Host of the URL.
    ``body_text`` must be contained in the first 64 KiB of the body, ``body_regex`` must be found
    there, ``json_fields`` are (dotted path, expected value), ``header_fields`` are (name, exact
    value).  ``ca_file``: trust only this; ``verify`` False: trust anybody. The running release is
    named by the header ``release_header`` or the JSON path ``release_json``, where given.
    """

    url: str
    host: str
    port: int
    target: str  # path and query as sent
    tls: bool = False
    unix_socket: str | None = None
    method: str = "GET"
    host_header: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body_text: str | None = None
    body_regex: str | None = None
    json_fields: tuple[tuple[str, object], ...] = ()
    header_fields: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    verify: bool = True
    release_header: str | None = None
    release_json: str | None = None
    timeout_ms: int = 2_000
    expect: Expect = field(default_factory=Expect)


@dataclass(frozen=True, slots=True)
class TcpSpec:
    """A connection that opens is a pass. ``unix_socket`` instead of host and port where given."""

    host: str
    port: int
    unix_socket: str | None = None
    timeout_ms: int = 2_000
    expect: Expect = field(default_factory=Expect)


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A command that exits 0 is a pass. No shell; its process group is killed at the timeout."""

    argv: tuple[str, ...]
    timeout_ms: int = 2_000
    expect: Expect = field(default_factory=Expect)


Spec = HttpSpec | TcpSpec | ExecSpec
