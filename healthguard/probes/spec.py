"""What a probe does: built by the configuration, run by the probers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from healthguard.core.model import Expect
from healthguard.machine.codec import encode


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """One HTTP check.

    ``host``/``port`` is where to connect; ``unix_socket`` instead of both where given.
    ``headers`` are sent as they stand; ``host_header`` overrides the Host of the URL.
    ``body_text`` must be contained in the first 64 KiB of the body, ``body_regex`` must be found
    there, ``json_fields`` are (dotted path, expected value), ``header_fields`` are (name, exact
    value).  ``ca_file``: trust only this; ``verify`` False: trust any. The running release is
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

KINDS: Mapping[str, type[Spec]] = {"http": HttpSpec, "tcp": TcpSpec, "exec": ExecSpec}


def kind_of(spec: Spec) -> str:
    """Its key in the configuration: http, tcp or exec."""
    return next(name for name, kind in KINDS.items() if isinstance(spec, kind))


def definition(spec: Spec) -> str:
    """All of ``spec`` but what it expects, as JSON: always the same text for the same probe.

    ``spec`` as it is configured, so that a secret is still a ``${NAME}``.
    """
    fields = encode(spec)
    del fields["expect"]
    return json.dumps({kind_of(spec): fields}, separators=(",", ":"), sort_keys=True)
