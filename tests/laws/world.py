"""A small world for the laws: link, workers, switcher, files, people; and ghosts.

The *ghosts* keep what the laws need to know apart from the core's own memory: what was charged,
who was left, what was seen. They are fed by events and commands only.
"""

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

from healthguard.core.model import Answer, Policy
from healthguard.core.state import STALE_MS
from tests.support.pool import DANA, GOOD, REFUSED, UNSURE, Pool
from tests.support.step import Step

from .dumb import DumbProbe
from .laws import check

PASS, FAIL = GOOD, REFUSED
__all__ = ["DANA", "FAIL", "PASS", "UNSURE", "World"]


class World(Pool):
    """One pool and everything around it. ``copy()`` is cheap: a search needs many."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        names = list(policy.upstreams)
        self.broken = False  # `nginx -t` fails
        self.queued = False
        self.flight: Any = None  # the switch under way
        self.releases = dict.fromkeys(names, "1") if policy.releases else {}
        # ghosts
        self.probes = {name: DumbProbe(policy.health.rise) for name in names}
        self.charges: tuple[int, ...] = ()
        self.latched = False
        self.marks: frozenset[str] = frozenset()
        self.database = DumbProbe(policy.health.rise)  # the dependency, where there is one
        self.doubts = False
        self.paused = False
        self.memory_had_pause = False
        self.lost = False
        self.seen: tuple[str | None, str | None] | None = None  # link, workers as last looked at
        self.bake_seen = 0
        self.answered: frozenset[str] = frozenset()
        self.asked: frozenset[str] = frozenset()
        self.spoken: list[str] = []
        self.restored(None)
        self.look()

    def copy(self) -> "World":
        twin = copy.copy(self)
        twin.probes = {name: probe.copy() for name, probe in self.probes.items()}
        twin.database, twin.releases = self.database.copy(), dict(self.releases)
        twin.spoken = []
        return twin

    # ------------------------------------------------------------ what the core wants

    def stepped(self, step: Step) -> None:
        self._ghosts_of_the_event(step)
        self._ghosts_of_the_commands(step)
        check(self, step)

    def wants_a_test(self, upstream: str, urgent: bool) -> Any:
        refused = "config_invalid" if self.broken else ""
        return self._tested(upstream, refused, refused)

    def wants_the_turn(self) -> None:
        self.queued = True

    def gives_back_the_turn(self) -> None:
        self.queued = False

    def wants_a_switch(self, switch: Any) -> None:
        self.flight = switch
        if self._automatic():
            self.charges = (*self.charges, self.now)

    def replies_to(self, order: str, outcome: Any) -> None:
        self.answered |= {order}

    def tells(self, record: Any) -> None:
        self.spoken.append(record.event)

    # ------------------------------------------------------------ ghosts

    def _ghosts_of_the_event(self, step: Step) -> None:
        before = step.before
        bake, passed = before.memory.bake, max(0, step.event.at.boot_ms - before.at.boot_ms)
        if bake is not None and not step.is_start:
            blind = self.doubts or self.paused or self.probes[bake.upstream].health == "unknown"
            self.bake_seen += 0 if blind or passed > STALE_MS else passed
        if step.answer is not None:
            name, answer = step.answer
            if answer.inconclusive is None:
                in_bake = bake is not None and bake.upstream == name
                fall = self.policy.bake.fall if in_bake else self.policy.health.fall
                self.probes[name].add(self.now, answer.failure is None, fall)
        elif step.dependency is not None:
            self.database.add(self.now, step.dependency.failure is None, self.policy.health.fall)
        elif step.doubt is not None and bool(step.doubt) is not self.doubts:
            self.doubts = bool(step.doubt)
            self._forget()

    def _ghosts_of_the_commands(self, step: Step) -> None:
        for record in step.records:
            match record.event:
                case "resumed":
                    self.paused = False
                    if self.memory_had_pause:
                        self._forget()
                case "paused" if not record.fields.get("reminder"):
                    self.paused = True
                case "bake_started":
                    self.bake_seen = 0
                case "latched":
                    self.latched = True
                case "acked":
                    self.latched, self.charges, self.lost = False, (), False
                case "switch_lost":
                    self.lost = step.outcome == "lost"
                case "release_marked":
                    name = str(record.fields["upstream"])
                    bad = record.fields["mark"] == "bad"
                    self.marks = self.marks | {name} if bad else self.marks - {name}
                case "switch_completed" if record.fields["trigger"] == "automatic":
                    self.marks |= {str(record.fields["from"])}
        self.memory_had_pause = step.after.memory.pause is not None

    def _forget(self) -> None:
        for probe in (*self.probes.values(), self.database):
            probe.results.clear()

    # ------------------------------------------------------------ what may happen

    def look(self) -> None:
        """One observation of link, nginx and marker as they truly are."""
        self.marker = self.workers if self.nginx.state == "running" else None
        self.seen = (self.link.upstream, self.marker)
        super().look()

    def tick(self, ms: int) -> None:
        """Time passes: timers fire on their way, and the world is looked at."""
        self.now += ms
        self.woke()
        self.look()

    def answer(self, upstream: str, answer: Answer) -> None:
        answer = replace(answer, release=self.releases.get(upstream))
        super().answer(upstream, answer, "p")

    def deploy(self, upstream: str) -> None:
        """A new release runs there from now on."""
        self.releases[upstream] = str(int(self.releases[upstream]) + 1)
        self.marks -= {upstream}
        self.answer(upstream, PASS)

    def depend(self, answer: Answer) -> None:
        """The database answers."""
        self.dependency("database", answer)

    def finish(self, how: str) -> None:
        """The switch in flight ends: completed, undone, lost, refused, unclear, vanished (-old)."""
        flight = self.flight
        assert flight is not None
        outcome, _, stale = how.partition("-")
        gate = "switcher_unavailable" if outcome == "refused" else ""
        done = self.commit(flight, "" if outcome == "vanished" else outcome, gate=gate, message=how)
        if outcome == "vanished":
            self.move(flight.origin if stale else flight.to)
        if outcome in ("unclear", "vanished") and not (outcome == "unclear" and stale):
            self.reload()
        self.flight = None
        if outcome == "refused" and self._automatic():
            self.charges = self.charges[:-1]
        if outcome in ("completed", "undone"):
            self.seen = (self.link.upstream, self.workers)
        self.ended(flight.switch_id, done)

    def _automatic(self) -> bool:
        return self.attempt is not None and self.attempt.order.trigger == "automatic"

    def crash(self, away: int = 0, reboot: bool = False) -> None:
        """The daemon is killed and starts from what is on its disk; the switcher goes on.

        ``reboot``: in another boot of the host, whose boot time begins anew.
        """
        self.now += away
        if reboot:
            self.reboot()
        self.queued, self.doubts = False, False
        self.seen = None
        self._forget()
        memory = self.remembered()
        self.paused = self.memory_had_pause = memory is not None and memory.pause is not None
        self.starts(memory)
        self.look()

    def order(self, verb: str, upstream: str | None = None, **how: Any) -> None:
        self.orders += 1
        order = f"o{self.orders}"
        self.asked |= {order}
        self.ordered(order, verb, DANA, upstream, "why", **how)

    def hand(self, to: str, reload: bool) -> None:
        """Somebody else moves the link, and reloads nginx or forgets it."""
        self.move(to)
        if reload:
            self.reload()
        self.look()

    # ------------------------------------------------------------ for the search

    def key(self) -> object:
        """Equal for worlds from which the same can follow: times are ages, names of no matter."""
        base = self.state.at.boot_ms
        ghosts = (
            self.link.upstream,
            self.workers,
            self.nginx.state,
            self.disabled,
            self.broken,
            self.queued,
            self.flight is not None and (self.flight.to, self.flight.origin),
            self.latched,
            self.marks,
            tuple(self.releases.values()),
            tuple(self.now - at for at in self.charges),
            min(self.bake_seen, 99_000),
        )
        return ghosts, _canon(self.state, base), self.disk == self.state.memory


_IGNORED = frozenset(
    {
        "policy", "at", "saved", "epoch", "seq", "recent", "fields", "last_decision", "wake_ms",
        "ticket", "identity", "stamp", "testing_stamp", "undo_stamp", "switch_id", "link_id",
        "changed_wall_ms", "workers_since_wall_ms", "orders", "message", "reason", "confirmed",
        "active_since_ms", "since_ms", "lost", "took_ms",
    }
)  # fmt: skip
_FAR = 30_000


def _canon(value: Any, base: int, name: str = "") -> object:
    if name.endswith("_ms") and isinstance(value, int):
        return max(-_FAR, min(_FAR, value - base)) if name != "seen_ms" else value
    if name.endswith("_ms") and isinstance(value, tuple):
        return tuple(max(-_FAR, each - base) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(
            _canon(getattr(value, item.name), base, item.name)
            for item in fields(value)
            if item.name not in _IGNORED or (item.name == "lost" and not value)
        )
    if isinstance(value, dict):
        return tuple((key, _canon(each, base)) for key, each in sorted(value.items()))
    if isinstance(value, tuple):
        return tuple(_canon(each, base) for each in value)
    return value
