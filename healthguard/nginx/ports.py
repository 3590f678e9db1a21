"""What the rest of healthguard needs of nginx: two small protocols.

They are fulfilled in process (``inline``), by the switcher's socket, and by fakes in tests.
Nothing here raises for what the world does; trouble comes back as values.
"""

from dataclasses import dataclass
from typing import Protocol

from healthguard.core.events import Commit
from healthguard.core.model import Done, LinkFact, NginxFact, PrepareFact


@dataclass(frozen=True, slots=True)
class Recovered:
    """How the latest switch of a pool ended, for a caller that did not hear it.

    After a crash: how it was brought to an end. Else: the recorded end. A caller takes the one
    whose ``switch_id`` it still waits for and ignores the others.
    """

    switch_id: str
    pool: str
    to: str
    done: Done


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a pool."""

    link: LinkFact
    nginx: NginxFact
    marker: str | None = None
    marker_problem: str = ""
    stamp: str = ""


class Switcher(Protocol):
    """Moves traffic: prepare, commit, reconcile."""

    async def prepare(self, pool: str, upstream: str) -> PrepareFact:
        """Test everything a switch to ``upstream`` needs, without touching the live link."""

    async def commit(self, order: Commit) -> Done:
        """Check everything again, move the link, reload, confirm; undo if need be."""

    async def reconcile(self) -> tuple[Recovered, ...]:
        """End what a crash left open and remove left-overs."""


class Observer(Protocol):
    """Looks only; needs no rights beyond reading."""

    async def look(self, pool: str) -> Sight:
        """Link, nginx and marker of one pool as they are now."""

    def glance(self, pool: str) -> object:
        """A few microseconds' look: as long as it equals the last one, nothing has happened to
        link, master or workers. Compared only.
        """
