"""Records for tests: a small world around the real core, written by the real recorder."""

import heapq
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from healthguard.core import events as ev
from healthguard.core.health import interval_ms
from healthguard.core.model import (
    Answer,
    Done,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Policy,
    PrepareFact,
)
from healthguard.core.pool import begin, step
from healthguard.core.state import State, baking
from healthguard.replay.recorder import Recorder
from tests.support.eventually import eventually

BOOT_MS, WALL_MS = 10_000_000, 1_700_000_000_000
GOOD, BAD = Answer(4_000, 200), Answer(3_000, 503, detail="answered 503", excerpt="HTTP/1.1 503")
Noted = tuple[State, ev.Event, tuple[ev.Command, ...]]
Says = Callable[[int, str], Answer]


class Living:
    """One pool that lives: probes at their real pace, looks, tests, turns, switches, timers.

    ``says(ms, upstream)``: what a probe answers, ``ms`` after the beginning.
    """

    def __init__(self, policy: Policy, says: Says, *, seed: int = 1) -> None:
        self.policy, self.says = policy, says
        self.random = random.Random(seed)
        self.now = 0
        self.noted: list[Noted] = []
        self.decided: list[tuple[int, ev.Commit]] = []
        self.link = LinkFact("blue", "", "link-0", WALL_MS - 1_000_000)
        self.nginx = NginxFact("running", "", "100:1", WALL_MS - 900_000)
        self.state = begin(self.at, policy)
        self._todo: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._wake = 0

    @property
    def at(self) -> Instant:
        return Instant(BOOT_MS + self.now, WALL_MS + self.now)

    def live(self, ms: int) -> "Living":
        self.send(ev.Restored(self.at, None, "boot-1"))
        self.look()
        for upstream in self.policy.upstreams:
            self._later(50, lambda upstream=upstream: self._probe(upstream))
        while self._todo[0][0] <= ms:
            self.now, _, work = heapq.heappop(self._todo)
            work()
        return self

    def _later(self, ms: int, work: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._todo, (self.now + ms, self._count, work))

    def _probe(self, upstream: str) -> None:
        for probe in self.policy.upstreams[upstream].probes:
            answer = self.says(self.now, upstream)
            if answer is GOOD:
                answer = Answer(int(self.random.lognormvariate(8.3, 0.4)), 200)
            self.send(ev.Checked(self.at, upstream, probe, answer))
            tally = self.state.upstreams[upstream].probes[probe]
        pace = interval_ms(tally, self.state.policy.health, baking(self.state, upstream))
        jitter = self.random.uniform(-0.05, 0.05)
        self._later(int(pace * (1 + jitter)), lambda: self._probe(upstream))

    def look(self) -> None:
        began = self.at.boot_ms - self.random.randrange(3, 9)
        self.send(ev.Observed(self.at, self.link, self.nginx, began, stamp="files-0"))
        self._later(1_000 + self.random.randrange(3), self.look)

    def send(self, event: ev.Event) -> None:
        before = self.state
        self.state, commands = step(before, event)
        self.noted.append((before, event, commands))
        for command in commands:
            self._do(command)

    def _do(self, command: ev.Command) -> None:
        match command:
            case ev.Prepare(upstream):
                self._later(12, lambda: self._tested(upstream))
            case ev.AskTurn():
                self._later(0, lambda: self.send(ev.Turn(self.at)))
            case ev.Wake(at):
                self._wake = at
                self._later(max(0, at - self.at.boot_ms) + 1, lambda: self._woke(at))
            case ev.Commit():
                self.decided.append((self.now, command))
                self._later(130, lambda: self._finished(command))

    def _woke(self, at: int) -> None:
        if self._wake == at:
            self.send(ev.Woke(self.at))

    def _tested(self, upstream: str) -> None:
        fact = PrepareFact(self.at, f"ticket-{self.now}", stamp="files-0", took_ms=12)
        self.send(ev.Prepared(self.at, upstream, fact))

    def _finished(self, command: ev.Commit) -> None:
        self.link = LinkFact(command.to, "", f"link-{self.now}", self.at.wall_ms - 20)
        done = Done("completed", "", "", "proven", {"total": 130}, link=self.link.identity,
                    master=self.nginx.master)  # fmt: skip
        self.send(ev.SwitchFinished(self.at, command.switch_id, done))

    def order(self, ms: int, verb: str, upstream: str | None = None, **how: object) -> "Living":
        """Somebody orders it then; before ``live``."""
        from tests.core.story import DANA

        def give() -> None:
            order = Order(verb, DANA, upstream, "because", order_id=f"o{ms}", **how)
            self.send(ev.Ordered(self.at, order))

        self._later(ms, give)
        return self


def outages(**times: Iterable[tuple[int, int]]) -> Says:
    """``green=[(from_ms, to_ms)]`` answers 503 then; all else is good."""

    def says(now: int, upstream: str) -> Answer:
        bad = any(start <= now < end for start, end in times.get(upstream, ()))
        return BAD if bad else GOOD

    return says


def record(folder: Path, noted: Iterable[Noted], **how: int) -> list[str]:
    """Writes it as the daemon does; what the recorder had to say."""
    said: list[str] = []
    recorder = Recorder(folder, lambda level, text: said.append(f"{level}: {text}"), **how)
    recorder.start()
    for count, each in enumerate(noted):
        if count % 20_000 == 19_999:
            eventually(lambda: recorder.waiting == 0, within=30.0)
        recorder.note(*each)
    recorder.close(30.0)
    return said


def day(folder: Path, pool: str, hours: int = 24) -> None:
    """A day of one pool at the default pace, with two outages in it, under ``folder``."""
    from dataclasses import replace

    from tests.core.story import policy

    hour = 3_600_000
    says = outages(blue=[(hour, hour + 60_000)], green=[(9 * hour, 9 * hour + 45_000)])
    living = Living(replace(policy(stable="green"), pool=pool), says, seed=len(pool))
    living.order(5 * hour, "clear", "blue")
    record(folder, living.live(hours * hour).noted)
