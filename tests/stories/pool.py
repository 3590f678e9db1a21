"""One pool of a story: what the core wants of its world comes later, if at all."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from healthguard.core import host as turns
from healthguard.core.events import Commit, Say
from healthguard.core.memory import Memory
from healthguard.core.model import Done, Outcome, Policy
from tests.stories.nginx import Act, Site
from tests.stories.run import Said

if TYPE_CHECKING:
    from tests.stories.sim import Simulation

PREPARE_MS = 15


@dataclass
class Probe:
    """A timer of one check. ``name`` of an upstream or a dependency."""

    pool: "StoryPool"
    name: str
    probe: str
    nominal: float = 0.0  # of the next start, without jitter
    last: float | None = None  # nominal time of the last start
    began: int = 0  # when it really was
    running: bool = False
    plan: int = 0  # number of the plan that counts

    def pace_ms(self) -> int:
        """From this start to the next one."""
        if self.probe:
            return self.pool.pace_ms(self.name, self.probe)
        return self.pool.dependency_pace_ms(self.name)


class StoryPool(Site):
    """One pool of one guard. It outlives the daemon, as link and nginx do."""

    def __init__(self, sim: "Simulation", policy: Policy) -> None:
        super().__init__(sim, policy)
        self.name = policy.pool
        self.acts: list[Act] = []
        self.probes: list[Probe] = []

    def send(self, event: Any) -> None:
        bake = self.bake is None
        super().send(event)
        if (self.bake is None) != bake:  # which changes the pace
            for probe in self.probes:
                self.sim.plan_next(probe)

    def save(self, memory: Memory) -> None:
        self.sim.durable = not self._is_so("the disk is full")
        super().save(memory)  # on a full disk in /run

    def wants_to_wake(self, at: int) -> None:
        self.wake = at
        self.sim.later(at, lambda: self._wakes(at), guard=True)

    def _wakes(self, at: int) -> None:
        if self.wake == at:
            self.woke()

    def wants_a_test(self, upstream: str, urgent: bool) -> None:
        self.sim.later(self.sim.now + PREPARE_MS, lambda: self._tests(upstream), guard=True)

    def _tests(self, upstream: str) -> None:
        gate, message = self.refusal(upstream, self.sim.now)
        self.tested(upstream, gate, message, took_ms=PREPARE_MS, stamp="")

    def wants_the_turn(self) -> None:
        self.sim.hand_on(turns.ask(self.sim.turns, self.name))

    def gives_back_the_turn(self) -> None:
        self.sim.hand_on(turns.give_back(self.sim.turns, self.name))

    def wants_a_switch(self, switch: Commit) -> None:
        act = Act(self, switch, self.sim.now, self.sim.commit_ms, self.done(""))
        self.acts.append(act)
        life = self.sim.life

        def end() -> None:  # the switcher's work: it ends even if the daemon has died
            act.end(self.sim.now)
            if self.sim.alive and self.sim.life == life:
                told = lambda: self.ended(act.switch_id, act.done)  # noqa: E731
                self.sim.later(self.sim.now, told, guard=True)

        self.sim.later(act.ends_at, end)

    def reconciles(self) -> None:
        """After a start: the end of the switch that the life before had begun."""
        if self.attempt is None or self.attempt.begun is None:
            return
        switch_id = self.attempt.begun.switch_id
        act = next((each for each in self.acts if each.switch_id == switch_id), None)
        if act is not None:
            self.sim.later(act.ends_at, lambda: self._recovers(switch_id, act.done), guard=True)
        else:
            self._recovers(switch_id, self.done("", confirm="", timings={}))

    def _recovers(self, switch_id: str, done: Done) -> None:
        self.ended(switch_id, replace(done, recovered=True))

    def replies_to(self, order: str, outcome: Outcome) -> None:
        if self.sim.asked.get(order):
            self.sim.run_.replies[self.sim.asked[order]] = outcome

    def tells(self, record: Say) -> None:
        fields = dict(record.fields)
        if "durable" in fields or record.event.startswith("switch_"):
            fields["durable"] = bool(fields.get("durable", True)) and self.sim.durable
        fields["id"] = record.event_id
        self.sim.run_.said.append(Said(self.sim.now, record.pool, record.event, fields))
