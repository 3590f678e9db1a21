"""The probes: http, tcp, exec. ``build`` makes one from its specification."""

from healthguard.edges.probes.exec import ExecProber
from healthguard.edges.probes.http import HttpProber
from healthguard.edges.probes.prober import Done, Prober
from healthguard.edges.probes.reasons import DOUBTS, REASONS
from healthguard.edges.probes.shared import Shared
from healthguard.edges.probes.spec import ExecSpec, HttpSpec, Spec, TcpSpec
from healthguard.edges.probes.tcp import TcpProber

__all__ = ["DOUBTS", "REASONS", "Done", "Prober", "Shared", "build"]


def build(spec: Spec, shared: Shared | None = None) -> Prober:
    """The prober for ``spec``. Give all probers of a daemon the same ``shared``.

    ValueError if a header of the request or the pattern for the body is not one.
    """
    shared = shared or Shared()
    match spec:
        case HttpSpec():
            return HttpProber(spec, shared)
        case TcpSpec():
            return TcpProber(spec, shared)
        case ExecSpec():
            return ExecProber(spec)
