"""A pool as a story's world has it: link and nginx; and an act of the switcher."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from healthguard.core.events import Commit
from healthguard.core.model import COMPLETED, LOST, REFUSED, UNDONE, Done, NginxFact, Policy
from tests.stories.transcript import StoryError
from tests.stories.world import World
from tests.support.pool import Clock, Pool

if TYPE_CHECKING:
    from tests.stories.sim import Simulation

REFUSAL_MS = 3_800  # until a reload that the master silently refuses is known and put back


class Site(Pool):
    """Where the link leads, and which upstream the workers really use."""

    def __init__(self, sim: "Simulation", policy: Policy) -> None:
        self.sim = sim
        super().__init__(policy)
        self.masters = 1

    @property
    def clock(self) -> Clock:
        return self.sim

    @property
    def world(self) -> World:
        return self.sim.world

    def _is_so(self, what: str) -> bool:
        return self.world.is_so(what, self.sim.now)

    def seen_nginx(self) -> NginxFact:
        if self._is_so("nginx is down"):
            return NginxFact("down", "nginx is not running")
        upgrading = self._is_so("nginx is being upgraded")
        return replace(self.nginx, state="upgrading" if upgrading else "running")

    def seen_stamp(self) -> str:
        names = self.world.upstreams
        broken = [name for name in names if self.world.broken(name, self.sim.now)]
        return f"{self.stamp}-{'-'.join(broken)}"

    def nginx_starts(self) -> None:
        """A new master, which reads the link as it is."""
        self.masters += 1
        self.nginx = replace(self.nginx, master=f"{99 + self.masters}:1")
        self.reload()

    def refusal(self, to: str, at: int) -> tuple[str, str]:
        """(gate, message) of a prepare for ``to``; empty if there is nothing against it."""
        if self.link.upstream is None:
            return "link_unmanaged", self.link.problem
        if self.world.is_so("nginx is down", at):
            return "nginx_down", "nginx is not running"
        if self.world.is_so("nginx is being upgraded", at):
            return "nginx_upgrading", "an old binary still runs"
        if self.world.broken(to, at):
            return "config_invalid", 'nginx: [emerg] directive "server" is not terminated by ";"'
        return "", ""

    def happens(self, what: str) -> None:
        """Somebody's hand, or fate."""
        words = what.split()
        if what.startswith("somebody moves the link to "):
            self.move(words[5], hand="uid 0 (root)")
            if what.endswith("and reloads nginx"):
                self.reload()
        elif what == "somebody reloads nginx":
            self.reload()
        elif what == "somebody replaces the link by a file":
            self.move(None, "it is a regular file, not a symlink", "uid 0 (root)")
        elif what.startswith("the DISABLE file appears"):
            self.disabled = what.partition('"')[2].rstrip('"')
        elif what == "the DISABLE file goes":
            self.disabled = None
        else:
            raise StoryError(f"nothing known: {what!r}")


@dataclass
class Act:
    """One act of the switcher, from ``began_at`` to ``ends_at``."""

    site: Site
    command: Commit
    began_at: int
    takes_ms: int
    done: Done

    def __post_init__(self) -> None:
        if self._refused_by_nginx():
            self.takes_ms += REFUSAL_MS

    def _refused_by_nginx(self) -> bool:
        return self.site.world.is_so("reloads are refused by nginx", self.began_at)

    @property
    def switch_id(self) -> str:
        """Of the switch that it carries out."""
        return self.command.switch_id

    @property
    def ends_at(self) -> int:
        """When its outcome is known."""
        return self.began_at + self.takes_ms

    def end(self, at: int) -> None:
        """Do it, and say how it ended."""
        world = self.site.world
        gate, message = self.site.refusal(self.command.to, self.began_at)
        if not gate and self.site.link.upstream != self.command.origin:
            gate, message = "active_unknown", "the link was moved meanwhile"
        outcome = COMPLETED
        if gate:
            outcome = REFUSED
        elif self._refused_by_nginx():
            outcome = LOST if world.is_so("the undo fails", at) else UNDONE
        durable = not world.is_so("the disk is full", at)
        self.done = self.site.commit(
            self.command,
            outcome,
            gate=gate,
            message=message,
            timings={"total": self.takes_ms},
            durable=durable,
        )
