"""Link and nginx of one pool, as a story's world has them, and a commit of the switcher."""

from dataclasses import dataclass, field
from typing import ClassVar

from healthguard.core import events as ev
from healthguard.core.model import (
    COMPLETED,
    LOST,
    REFUSED,
    UNDONE,
    Done,
    Instant,
    LinkFact,
    NginxFact,
    PrepareFact,
)
from tests.stories.transcript import StoryError
from tests.stories.world import World

REFUSAL_MS = 3_800  # until a reload that the master silently refuses is known and put back


class Nginx:
    """Where the link leads, and which upstream the workers really use."""

    def __init__(self, world: World, wall_ms: int) -> None:
        self.world = world
        self.moves = 0
        self.masters = 1
        self.disabled: str | None = None
        self.link = LinkFact(world.upstreams[0], "", "link-0", wall_ms)
        self.workers = world.upstreams[0]
        self.workers_since = wall_ms + 1_000

    def fact(self, at: int) -> NginxFact:
        """What a look at nginx shows."""
        if self.world.is_so("nginx is down", at):
            return NginxFact("down", "nginx is not running")
        upgrading = self.world.is_so("nginx is being upgraded", at)
        state = "upgrading" if upgrading else "running"
        return NginxFact(state, "", f"{100 + self.masters}:1", self.workers_since)

    def stamp(self, at: int) -> str:
        """Changes with every file."""
        broken = [name for name in self.world.upstreams if self.world.broken(name, at)]
        return f"files-{self.moves}-{'-'.join(broken)}"

    def move(self, to: str | None, wall_ms: int, problem: str = "", hand: str = "") -> None:
        """The link is another one now."""
        self.moves += 1
        self.link = LinkFact(to, problem, f"link-{self.moves}", wall_ms, hand)

    def start(self, wall_ms: int) -> None:
        """A new master, which reads the link as it is."""
        self.masters += 1
        self.reload(wall_ms)

    def reload(self, wall_ms: int) -> None:
        """New workers, which use what the link names."""
        if self.link.upstream is not None:
            self.workers = self.link.upstream
        self.workers_since = wall_ms + 20

    def prepare(self, to: str, at: int, now: Instant, took_ms: int) -> PrepareFact:
        """A ticket, or the gate that refuses it."""
        gate, message = self._refusal(to, at)
        ticket = None if gate else f"ticket-{to}-{at}"
        return PrepareFact(now, ticket, gate, message, "", took_ms)

    def _refusal(self, to: str, at: int) -> tuple[str, str]:
        if self.link.upstream is None:
            return "link_unmanaged", self.link.problem
        if self.world.is_so("nginx is down", at):
            return "nginx_down", "nginx is not running"
        if self.world.is_so("nginx is being upgraded", at):
            return "nginx_upgrading", "an old binary still runs"
        if self.world.broken(to, at):
            return "config_invalid", 'nginx: [emerg] directive "server" is not terminated by ";"'
        return "", ""

    def happens(self, what: str, wall_ms: int, at: int) -> None:
        """Somebody's hand, or fate."""
        words = what.split()
        if what.startswith("somebody moves the link to "):
            self.move(words[5], wall_ms, hand="uid 0 (root)")
            if what.endswith("and reloads nginx"):
                self.reload(wall_ms)
        elif what == "somebody reloads nginx":
            self.reload(wall_ms)
        elif what == "somebody replaces the link by a file":
            self.move(None, wall_ms, "it is a regular file, not a symlink", "uid 0 (root)")
        elif what.startswith("the DISABLE file appears"):
            self.disabled = what.partition('"')[2].rstrip('"')
        elif what == "the DISABLE file goes":
            self.disabled = None
        else:
            raise StoryError(f"nothing known: {what!r}")


@dataclass
class Commit:
    """One act of the switcher, from ``began_at`` to ``ends_at``."""

    nginx: Nginx
    command: ev.Commit
    began_at: int
    takes_ms: int
    done: Done = field(default_factory=lambda: Done(""))
    unknown: ClassVar[Done] = Done("", recovered=True)

    def __post_init__(self) -> None:
        if self._refused_by_nginx():
            self.takes_ms += REFUSAL_MS

    def _refused_by_nginx(self) -> bool:
        return self.nginx.world.is_so("reloads are refused by nginx", self.began_at)

    @property
    def switch_id(self) -> str:
        """Of the switch that it carries out."""
        return self.command.switch_id

    @property
    def ends_at(self) -> int:
        """When its outcome is known."""
        return self.began_at + self.takes_ms

    def end(self, at: int, wall_ms: int) -> None:
        """Do it, and say how it ended."""
        nginx, to, origin = self.nginx, self.command.to, self.command.origin
        gate, message = nginx._refusal(to, self.began_at)
        durable = not nginx.world.is_so("the disk is full", at)
        timings = {"total": self.takes_ms}
        if not gate and nginx.link.upstream != origin:
            gate, message = "active_unknown", "the link was moved meanwhile"
        if gate:
            self.done = Done(REFUSED, gate, message, timings_ms=timings, durable=durable)
            return
        if not self._refused_by_nginx():
            nginx.move(to, wall_ms)
            nginx.reload(wall_ms)
            outcome, words = COMPLETED, "proven"
        elif nginx.world.is_so("the undo fails", at):
            nginx.move(to, wall_ms)
            outcome, words = LOST, "refuted"
        else:
            nginx.move(to, wall_ms)
            nginx.move(origin, wall_ms)
            nginx.reload(wall_ms)
            outcome, words = UNDONE, "refuted"
        link = "" if outcome == LOST else nginx.link.identity
        master = nginx.fact(at).master
        self.done = Done(outcome, "", "", words, timings, durable, link, master)
