"""The probes: http, tcp, exec. ``build`` makes one from its specification."""

from collections.abc import Iterable

from healthguard.probes.exec import ExecProber
from healthguard.probes.http import HttpProber
from healthguard.probes.prober import Done, Prober
from healthguard.probes.reasons import DOUBTS, REASONS
from healthguard.probes.shared import Shared
from healthguard.probes.spec import ExecSpec, HttpSpec, Spec, TcpSpec
from healthguard.probes.tcp import TcpProber

__all__ = ["DOUBTS", "REASONS", "Done", "Prober", "Shared", "build"]


def build(spec: Spec, shared: Shared | None = None, secrets: Iterable[str] = ()) -> Prober:
    """The prober for ``spec``. Give all probers of a daemon the same ``shared``.

    ``secrets`` never show in an answer, nor do the values of headers such as Authorization.
    ValueError if a header of the request or the pattern for the body is not one.
    """
    shared = shared or Shared()
    match spec:
        case HttpSpec():
            return HttpProber(spec, shared, secrets)
        case TcpSpec():
            return TcpProber(spec, shared)
        case ExecSpec():
            return ExecProber(spec, secrets)
