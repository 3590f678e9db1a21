"""What is tried: troubles with everybody well, and real failures of the active upstream."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.doubt import troubles as t
from bench.doubt.host import Host
from bench.doubt.place import Place, here, names, network, one_cpu

Trouble = Callable[[Host], AbstractContextManager[None]]
Where = Callable[[Path], AbstractContextManager[Place]]
DURING, AFTER, THROUGHOUT = "during", "after", "throughout"


def _here(_: Path) -> AbstractContextManager[Place]:
    return here()


def _one_cpu(_: Path) -> AbstractContextManager[Place]:
    return one_cpu()


def _network(_: Path, *, apps_inside: bool) -> AbstractContextManager[Place]:
    return network(apps_inside=apps_inside)


ALL_INSIDE: Where = partial(_network, apps_inside=True)
APPS_OUTSIDE: Where = partial(_network, apps_inside=False)


@dataclass(frozen=True, slots=True)
class Case:
    """One row. ``lasts``: seconds of trouble.

    ``fails``: "" for nobody, else how blue does (``kill``, ``hang``, ``slow``). ``when``: at ``at``
    seconds into the trouble (during: it then ends after ``lasts``; throughout: it goes on until the
    failure is seen), or as many seconds after its end.
    """

    title: str
    trouble: Trouble
    lasts: float
    where: Where = _here
    fails: str = ""
    when: str = DURING
    at: float = 0.0

    @property
    def starving(self) -> bool:
        """These need the last CPU for themselves, one after the other."""
        return self.where is _one_cpu


HARMLESS = (
    Case("none", t.nothing, 1.0),
    Case("guard stopped for 0.1 s", t.stopped, 0.1),
    Case("guard stopped for 0.3 s", t.stopped, 0.3),
    Case("guard stopped for 1 s", t.stopped, 1.0),
    Case("guard stopped for 3 s", t.stopped, 3.0),
    Case("guard and active app stopped for 0.3 s, go on together", t.stopped_with_blue, 0.3),
    Case("guard and active app stopped for 1 s, go on together", t.stopped_with_blue, 1.0),
    Case("guard and both apps stopped for 1 s, go on together", t.stopped_with_all, 1.0),
    Case("guard loses 50 ms several times a second, for 2 s", t.pulses, 2.0),
    Case("guard loses 150 ms again and again, for 2 s", t.stutter, 2.0),
    Case("guard and active app lose 300 ms again and again, for 2 s", t.stutter_with_blue, 2.0),
    Case("no descriptors for 1 s", t.no_descriptors, 1.0),
    Case("descriptors now and then, for 2 s", t.few_descriptors, 2.0),
    Case("dead resolver for 1 s", t.dead_resolver, 1.0, names),
    Case("loopback down for 1 s", t.loopback_down, 1.0, ALL_INSIDE),
    Case("own interface down for 1 s", t.interface_down, 1.0, APPS_OUTSIDE),
    Case("own interface without carrier for 2 s", t.cable_out, 2.0, APPS_OUTSIDE),
    Case("on one CPU, nothing else", t.nothing, 1.0, _one_cpu),
    Case("next to 4 busy processes on one CPU, for 2 s", t.busy, 2.0, _one_cpu),
    Case("the same at nice 19, for 2 s", t.starved, 2.0, _one_cpu),
    Case("the same at idle priority (SCHED_IDLE), for 2 s", t.starved_out, 2.0, _one_cpu),
)
REAL = (
    Case("none", t.nothing, 0.0, fails="kill"),
    Case("none", t.nothing, 0.0, fails="hang"),
    Case("1 s after the guard was stopped for 3 s",
         t.stopped, 3.0, fails="kill", when=AFTER, at=1.0),
    Case("1 s after the guard was stopped for 3 s",
         t.stopped, 3.0, fails="hang", when=AFTER, at=1.0),
    Case("while the guard is stopped for 1 s", t.stopped, 1.0, fails="kill", at=0.5),
    Case("while the guard is stopped for 3 s", t.stopped, 3.0, fails="kill", at=1.5),
    Case("together with the guard, which goes on after 0.3 s", t.stopped, 0.3, fails="hang"),
    Case("together with the guard, which goes on after 1 s", t.stopped, 1.0, fails="hang"),
    Case("while the guard loses 50 ms several times a second",
         t.pulses, 15.0, fails="kill", when=THROUGHOUT, at=1.0),
    Case("while the guard loses 50 ms several times a second",
         t.pulses, 15.0, fails="hang", when=THROUGHOUT, at=1.0),
    Case("while the guard loses 150 ms again and again",
         t.stutter, 15.0, fails="hang", when=THROUGHOUT, at=1.0),
    Case("within 1 s without descriptors", t.no_descriptors, 1.0, fails="kill", at=0.5),
    Case("within 1 s of a dead resolver", t.dead_resolver, 1.0, names, fails="kill", at=0.5),
    Case("within 1 s of an interface that is down",
         t.interface_down, 1.0, APPS_OUTSIDE, fails="kill", at=0.5),
    Case("none", t.nothing, 0.0, fails="slow"),
    Case("while the guard loses 50 ms several times a second",
         t.pulses, 15.0, fails="slow", when=THROUGHOUT, at=1.0),
    Case("next to 4 busy processes on one CPU",
         t.busy, 10.0, _one_cpu, fails="slow", when=THROUGHOUT, at=1.0),
    Case("next to 4 busy processes on one CPU",
         t.busy, 10.0, _one_cpu, fails="hang", when=THROUGHOUT, at=1.0),
    Case("the same at nice 19, until it is seen, 5 s at most",
         t.starved, 5.0, _one_cpu, fails="kill", when=THROUGHOUT, at=1.0),
    Case("within 2 s at idle priority (SCHED_IDLE)",
         t.starved_out, 2.0, _one_cpu, fails="kill", at=1.0),
)  # fmt: skip
