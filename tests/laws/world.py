"""A small world around the real ``step``: link, workers, switcher, files, people; and ghosts.

The *ghosts* keep what the laws need to know apart from the core's own memory: what was charged,
who was left, what was seen. They are fed by events and commands only.
"""

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

from healthguard.core import events as ev
from healthguard.core.memory import Memory
from healthguard.core.model import (
    Actor,
    Answer,
    Done,
    Instant,
    LinkFact,
    NginxFact,
    Policy,
    PrepareFact,
)
from healthguard.core.pool import begin, step
from healthguard.core.state import STALE_MS, State
from healthguard.machine.memory import load_memory, save_memory

from .dumb import DumbProbe
from .laws import check

BOOT_MS, WALL_MS = 10_000_000, 1_700_000_000_000
DANA = Actor("dana", 1000, 1)
PASS, FAIL = Answer(4_000, 200), Answer(4_000, failure="refused")
UNSURE = Answer(0, inconclusive="no_descriptors")


class World:
    """One pool and everything around it. ``copy()`` is cheap: a search needs many."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0
        self.boot = "boot-1"
        self.boot_base = BOOT_MS
        names = list(policy.upstreams)
        self.link: str | None = names[0]
        self.workers = names[0]
        self.moves = 0  # of the link, or changes of a file
        self.nginx = "running"
        self.disabled = False
        self.broken = False  # `nginx -t` fails
        self.testing: str | None = None
        self.queued = False
        self.flight: ev.Commit | None = None
        self.disk: Memory | None = None
        self.orders = 0
        self.releases = dict.fromkeys(names, "1") if policy.releases else {}
        # ghosts
        self.probes = {name: DumbProbe(policy.health.rise) for name in names}
        self.charges: tuple[int, ...] = ()
        self.latched = False
        self.marks: frozenset[str] = frozenset()
        self.database = DumbProbe(policy.health.rise)  # the dependency, where there is one
        self.doubt = False
        self.paused = False
        self.lost = False
        self.seen: tuple[str | None, str | None] | None = None  # link, workers as last looked at
        self.bake_seen = 0
        self.answered: frozenset[str] = frozenset()
        self.asked: frozenset[str] = frozenset()
        self.spoken: list[str] = []
        self.state: State = begin(self.instant, policy)
        self.send(ev.Restored(self.instant, None, self.boot))
        self.look()

    @property
    def instant(self) -> Instant:
        return Instant(self.boot_base + self.now, WALL_MS + self.now)

    def copy(self) -> "World":
        twin = copy.copy(self)
        twin.probes = {name: probe.copy() for name, probe in self.probes.items()}
        twin.database, twin.releases = self.database.copy(), dict(self.releases)
        twin.spoken = []
        return twin

    # ------------------------------------------------------------ events and commands

    def send(self, event: ev.Event) -> None:
        todo: list[ev.Event] = [event]
        while todo:
            event, before = todo.pop(0), self.state
            self._ghosts_before(event)
            self.state, commands = step(before, event)
            self._ghosts_after(event, commands)
            check(self, before, event, self.state, commands)
            for command in commands:
                todo.extend(self._carry_out(command))

    def _carry_out(self, command: ev.Command) -> list[ev.Event]:
        match command:
            case ev.Save(memory):
                self.disk = memory
            case ev.Prepare(upstream):
                refused = "config_invalid" if self.broken else ""
                ticket = None if refused else f"t-{upstream}-{self.now}"
                fact = PrepareFact(self.instant, ticket, refused, refused, self.stamp)
                return [ev.Prepared(self.instant, upstream, fact)]
            case ev.AskTurn():
                self.queued = True
            case ev.GiveBackTurn():
                self.queued = False
            case ev.Commit():
                self.flight = command
                attempt = self.state.memory.attempt
                if attempt is not None and attempt.trigger == "automatic":
                    self.charges = (*self.charges, self.now)
            case ev.Reply(order, _):
                self.answered |= {order}
            case ev.Say():
                self.spoken.append(command.event)
        return []

    def _ghosts_before(self, event: ev.Event) -> None:
        bake = self.state.memory.bake
        passed = max(0, event.at.boot_ms - self.state.at.boot_ms)
        if bake is not None and not isinstance(event, ev.Restored):
            blind = self.doubt or self.paused or self.probes[bake.upstream].health == "unknown"
            self.bake_seen += 0 if blind or passed > STALE_MS else passed
        match event:
            case ev.Checked(_, name, _, answer) if answer.inconclusive is None:
                in_bake = bake is not None and bake.upstream == name
                fall = self.policy.bake.fall if in_bake else self.policy.health.fall
                self.probes[name].add(self.now, answer.failure is None, fall)
            case ev.DependencyChecked(_, _, answer):
                self.database.add(self.now, answer.failure is None, self.policy.health.fall)
            case ev.HostDoubt(_, reason) if bool(reason) is not self.doubt:
                self.doubt = bool(reason)
                self._forget()

    def _ghosts_after(self, event: ev.Event, commands: tuple[ev.Command, ...]) -> None:
        for command in commands:
            if not isinstance(command, ev.Say):
                continue
            match command.event:
                case "resumed":
                    self.paused = False
                    if self.memory_had_pause:
                        self._forget()
                case "paused" if not command.fields.get("reminder"):
                    self.paused = True
                case "bake_started":
                    self.bake_seen = 0
                case "latched":
                    self.latched = True
                case "acked":
                    self.latched, self.charges, self.lost = False, (), False
                case "switch_lost":
                    done = event.done if isinstance(event, ev.SwitchFinished) else None
                    self.lost = done is not None and done.outcome == "lost"
                case "release_marked":
                    name = str(command.fields["upstream"])
                    bad = command.fields["mark"] == "bad"
                    self.marks = self.marks | {name} if bad else self.marks - {name}
                case "switch_completed" if command.fields["trigger"] == "automatic":
                    self.marks |= {str(command.fields["from"])}
        self.memory_had_pause = self.state.memory.pause is not None

    memory_had_pause = False

    def _forget(self) -> None:
        for probe in (*self.probes.values(), self.database):
            probe.results.clear()

    # ------------------------------------------------------------ what may happen

    @property
    def stamp(self) -> str:
        return f"files-{self.moves}"

    def look(self) -> None:
        """One observation of link, nginx and marker as they truly are."""
        wall = WALL_MS - 1_000 + self.moves
        link = LinkFact(self.link, "" if self.link else "not a symlink", f"l{self.moves}", wall)
        running = self.nginx == "running"
        nginx = NginxFact(self.nginx, "", "100:1" if running else "", wall)
        self.seen = (self.link, self.workers if running else None)
        self.send(
            ev.Observed(
                self.instant,
                link,
                nginx,
                self.instant.boot_ms,
                self.workers if running else None,
                "",
                "hands off" if self.disabled else None,
                self.stamp,
            )
        )

    def tick(self, ms: int) -> None:
        """Time passes: timers fire on their way, and the world is looked at."""
        self.now += ms
        self.send(ev.Woke(self.instant))
        self.look()

    def answer(self, upstream: str, answer: Answer) -> None:
        answer = replace(answer, release=self.releases.get(upstream))
        self.send(ev.Checked(self.instant, upstream, "p", answer))

    def deploy(self, upstream: str) -> None:
        """A new release runs there from now on."""
        self.releases[upstream] = str(int(self.releases[upstream]) + 1)
        self.marks -= {upstream}
        self.answer(upstream, PASS)

    def depend(self, answer: Answer) -> None:
        """The database answers."""
        self.send(ev.DependencyChecked(self.instant, "database", answer))

    def turn(self) -> None:
        self.send(ev.Turn(self.instant))

    def finish(self, how: str) -> None:
        """The switch in flight ends: completed, undone, lost, refused, unclear, vanished (-old)."""
        flight = self.flight
        assert flight is not None
        outcome, _, stale = how.partition("-")
        if outcome != "refused":
            self.moves += 1
        if outcome in ("completed", "unclear", "vanished") and not stale:
            self.link = self.workers = flight.to
        elif outcome in ("lost", "unclear"):
            self.link = flight.to
        elif outcome in ("undone", "vanished"):
            self.link = flight.origin
            self.workers = flight.origin or self.workers
        words = {"completed": "proven", "undone": "refuted", "lost": "refuted"}
        known = outcome in ("completed", "undone")
        done = Done(
            "" if outcome == "vanished" else outcome,
            "switcher_unavailable" if outcome == "refused" else "",
            how,
            words.get(outcome, "unclear"),
            link=f"l{self.moves}" if known else "",
            master="100:1" if known else "",
        )
        self.flight = None
        if outcome == "refused" and self._automatic():
            self.charges = self.charges[:-1]
        if known:
            self.seen = (self.link, self.workers)
        self.send(ev.SwitchFinished(self.instant, flight.switch_id, done))

    def _automatic(self) -> bool:
        attempt = self.state.memory.attempt
        return attempt is not None and attempt.trigger == "automatic"

    def crash(self, away: int = 0, reboot: bool = False) -> None:
        """The daemon is killed and starts from what is on its disk; the switcher goes on.

        ``reboot``: in another boot of the host, whose boot time begins anew.
        """
        self.now += away
        if reboot:
            self.boot += "'"
            self.boot_base = 50_000 - self.now
        self.state = begin(self.instant, self.policy)
        self.queued, self.doubt = False, False
        self.seen = None
        self._forget()
        memory = load_memory(save_memory(self.disk)) if self.disk is not None else None
        self.memory_had_pause = memory is not None and memory.pause is not None
        self.paused = self.memory_had_pause
        self.send(ev.Restored(self.instant, memory, self.boot))
        self.look()

    def order(self, verb: str, upstream: str | None = None, **how: Any) -> None:
        self.orders += 1
        order = f"o{self.orders}"
        self.asked |= {order}
        self.send(ev.Ordered(self.instant, order, verb, DANA, upstream, "why", **how))

    def hand(self, to: str, reload: bool) -> None:
        """Somebody else moves the link, and reloads nginx or forgets it."""
        self.moves += 1
        self.link = to
        if reload:
            self.workers = to
        self.look()

    def set_doubt(self, on: bool) -> None:
        self.send(ev.HostDoubt(self.instant, "late" if on else ""))

    # ------------------------------------------------------------ for the search

    def key(self) -> object:
        """Equal for worlds from which the same can follow: times are ages, names of no matter."""
        base = self.state.at.boot_ms
        ghosts = (
            self.link,
            self.workers,
            self.nginx,
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
