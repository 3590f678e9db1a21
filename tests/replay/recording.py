"""Records for tests: a small world around the real core, written by the real recorder."""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from healthguard.core.model import Answer, Policy
from healthguard.core.state import State
from healthguard.replay.recorder import Recorder
from tests.core.story import policy as core_policy
from tests.support.eventually import eventually
from tests.support.pool import DANA, Pool
from tests.support.step import Step

GOOD, BAD = Answer(4_000, 200), Answer(3_000, 503, detail="answered 503", excerpt="HTTP/1.1 503")
Noted = tuple[State, Any, tuple[Any, ...]]  # before, event, commands
Says = Callable[[int, str], Answer]


class Living(Pool):
    """One pool that lives: probes at their real pace, looks, tests, turns, switches, timers.

    ``says(ms, upstream)``: what a probe answers, ``ms`` after the beginning.
    """

    def __init__(self, policy: Policy, says: Says, *, seed: int = 1) -> None:
        super().__init__(policy)
        self.answers = says
        self.random = random.Random(seed)
        self.noted: list[Noted] = []
        self.decided: list[tuple[int, Any]] = []
        self._todo: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def live(self, ms: int) -> "Living":
        self.restored(None)
        self.look()
        for upstream in self.policy.upstreams:
            self._later(50, lambda upstream=upstream: self._probe(upstream))
        while self._todo[0][0] <= ms:
            self.now, _, work = heapq.heappop(self._todo)
            work()
        return self

    def _later(self, ms: int, work: Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._todo, (self.now + ms, self._count, work))

    def _probe(self, upstream: str) -> None:
        for probe in self.policy.upstreams[upstream].probes:
            answer = self.answers(self.now, upstream)
            if answer is GOOD:
                answer = Answer(int(self.random.lognormvariate(8.3, 0.4)), 200)
            self.answer(upstream, answer, probe)
        pace = self.idle_pace_ms(upstream, probe)  # also of what is in use: results are far apart
        jitter = self.random.uniform(-0.05, 0.05)
        self._later(int(pace * (1 + jitter)), lambda: self._probe(upstream))

    def look(self) -> None:
        super().look(self.instant.boot_ms - self.random.randrange(3, 9))
        self._later(1_000 + self.random.randrange(3), self.look)

    def stepped(self, step: Step) -> None:
        self.noted.append((step.before, step.event, step.commands))

    def wants_a_test(self, upstream: str, urgent: bool) -> None:
        self._later(12, lambda: self.tested(upstream, took_ms=12))

    def wants_the_turn(self) -> None:
        self._later(0, self.turn)

    def wants_to_wake(self, at: int) -> None:
        self.wake = at
        self._later(max(0, at - self.now) + 1, lambda: self._woke(at))

    def _woke(self, at: int) -> None:
        if self.wake == at:
            self.woke()

    def wants_a_switch(self, switch: Any) -> None:
        self.decided.append((self.now, switch))
        self._later(130, lambda: self.ended(switch.switch_id, self.commit(switch, "completed")))

    def order(self, ms: int, verb: str, upstream: str | None = None, **how: object) -> "Living":
        """Somebody orders it then; before ``live``."""
        self._later(ms, lambda: self.ordered(f"o{ms}", verb, DANA, upstream, "because", **how))
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
    hour = 3_600_000
    says = outages(blue=[(hour, hour + 60_000)], green=[(9 * hour, 9 * hour + 45_000)])
    living = Living(replace(core_policy(stable="green"), pool=pool), says, seed=len(pool))
    living.order(5 * hour, "clear", "blue")
    record(folder, living.live(hours * hour).noted)
