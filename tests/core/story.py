"""A pool's story as a dialogue: what the world says, and what the core answers, in order.

``Story`` is a pool whose world a test plays by hand. Everything the core says is kept as short
lines:

    Prepare green! · AskTurn · GiveBackTurn · Commit blue->green · health blue down
    hold standby_not_up ·
    switch_started blue->green automatic · Reply o1 1 known_bad · ...

``says(...)`` compares them, whole and in order, and fails with a diff. Wakes and Saves are not
among them: ``wake`` is looked at where time matters, every Save is put through the codec.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from healthguard.core import events as ev
from healthguard.core.gates import first_closed
from healthguard.core.memory import Memory
from healthguard.core.model import (
    Answer,
    BakePolicy,
    Expect,
    HealthPolicy,
    Outcome,
    Policy,
    RollbackPolicy,
    UpstreamPolicy,
)
from healthguard.core.now import Finding
from healthguard.machine.memory import load_memory, save_memory
from tests.support.pool import BOOT_MS, DANA, SIGNAL, WALL_MS, Pool, findings

__all__ = ["BOOT_MS", "DANA", "FAIL", "PASS", "WALL_MS", "Story", "line", "policy"]

PASS, FAIL = "pass", "fail"


def policy(
    *names: str,
    probes: Mapping[str, Mapping[str, Expect]] | None = None,
    require: Mapping[str, int] | None = None,
    health: Mapping[str, int] | None = None,
    rollback: Mapping[str, int] | None = None,
    bake: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Policy:
    """A policy with the defaults of the contract, but no start grace unless it is asked for."""
    upstreams = {
        name: UpstreamPolicy(
            dict((probes or {}).get(name, {"health": Expect()})), (require or {}).get(name, 0)
        )
        for name in names or ("blue", "green")
    }
    return Policy(
        "app",
        upstreams,
        health=HealthPolicy(**(health or {})),
        rollback=RollbackPolicy(**{"start_grace_ms": 0, **(rollback or {})}),
        bake=BakePolicy(**(bake or {})),
        **rest,
    )


@cache
def read(document: str) -> Memory:
    """What a start reads; most stories begin alike, so each document is read once."""
    return load_memory(json.loads(document))


class Story(Pool):
    """One pool and its world. Times are milliseconds since the story began."""

    def __init__(self, pol: Policy | None = None) -> None:
        super().__init__(pol or policy(stable="green"))
        self.said: list[str] = []
        self.records: list[ev.Say] = []
        self.replies: dict[str, Outcome] = {}
        self.auto_test = True
        self.auto_turn = True
        self.auto_end: str | None = "completed"
        self.tested_for: list[str] = []
        self.runs: dict[str, str] = {}  # release by upstream: what its passes name
        self.needs: dict[str, str] = {}  # dependency: how it answers in `live`

    # ------------------------------------------------------------ time

    def at(self, ms: int) -> "Story":
        """It is ``ms`` now."""
        assert ms >= self.now, "stories go forward"
        self.now = ms
        return self

    def after(self, ms: int) -> "Story":
        self.now += ms
        return self

    # ------------------------------------------------------------ what the core wants

    def wants_a_test(self, upstream: str, urgent: bool) -> ev.Event | None:
        self.said.append(f"Prepare {upstream}{'!' if urgent else ''}")
        self.tested_for.append(upstream)
        return super().wants_a_test(upstream, urgent) if self.auto_test else None

    def wants_the_turn(self) -> ev.Event | None:
        self.said.append("AskTurn")
        return super().wants_the_turn() if self.auto_turn else None

    def gives_back_the_turn(self) -> None:
        self.said.append("GiveBackTurn")

    def wants_a_switch(self, switch: ev.Commit) -> ev.Event | None:
        self.said.append(f"Commit {switch.origin}->{switch.to}")
        self.switch = switch
        return self._end(self.auto_end) if self.auto_end is not None else None

    def save(self, memory: Memory) -> None:
        self.document = json.dumps(save_memory(memory))
        assert read(self.document) == memory
        super().save(memory)

    def replies_to(self, order: str, outcome: Outcome) -> None:
        assert order not in self.replies, f"{order} is answered twice"
        self.replies[order] = outcome
        self.said.append(f"Reply {order} {outcome.code} {outcome.error}".strip())

    def tells(self, record: ev.Say) -> None:
        self.records.append(record)
        self.said.append(line(record))

    # ------------------------------------------------------------ what the world says

    def passes(
        self, upstream: str, times: int = 1, every: int = 500, probe: str = "health"
    ) -> "Story":
        answer = Answer(4_000, 200, release=self.runs.get(upstream))
        return self._each(upstream, answer, times, every, probe)

    def fails(
        self,
        upstream: str,
        times: int = 1,
        every: int = 500,
        reason: str = "refused",
        probe: str = "health",
    ) -> "Story":
        return self._each(upstream, Answer(4_000, failure=reason), times, every, probe)

    def unsure(self, upstream: str, times: int = 1, every: int = 500) -> "Story":
        return self._each(upstream, Answer(0, inconclusive="no_descriptors"), times, every)

    def _each(
        self, upstream: str, answer: Answer, times: int, every: int, probe: str = "health"
    ) -> "Story":
        """The first one now, the others ``every`` ms after each other."""
        for n in range(times):
            self.after(every if n else 0).answer(upstream, answer, probe)
        return self

    def depends(self, name: str, how: str = PASS) -> "Story":
        """A dependency answers now."""
        failure = {PASS: None, FAIL: "refused"}[how]
        return self.dependency(name, Answer(900, failure=failure))

    def look(self, **facts: Any) -> "Story":
        """An observation of the world as it is; ``facts`` change it first."""
        for name, value in facts.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        return super().look()

    def hand_moves(self, to: str, *, reload: bool = True) -> "Story":
        """Somebody else moves the link, and reloads nginx or forgets it."""
        self.move(to, hand="dana")
        if reload:
            self.reload()
        return self

    def finished(self, outcome: str = "completed", gate: str = "") -> "Story":
        """The switch under way ends."""
        return self.send(self._end(outcome, gate))

    def _end(self, outcome: str, gate: str = "") -> ev.Event:
        assert self.attempt is not None
        known = outcome in ("completed", "undone", "unclear")
        done = self.commit(self.switch, outcome, gate=gate, message=f"it {outcome}", knows=known)
        return self._ended(self.switch, done)

    def order(self, verb: str, upstream: str | None = None, **how: Any) -> "Story":
        """The next order (o1, o2, ...), by dana unless a signal gives it."""
        self.orders += 1
        actor = SIGNAL if how.get("trigger") == "signal" else DANA
        reason = how.pop("reason", "because")
        return self.ordered(f"o{self.orders}", verb, actor, upstream, reason, **how)

    # ------------------------------------------------------------ longer passages

    def begins(self, memory: Memory | None = None) -> "Story":
        """The daemon starts: memory, then a first look."""
        self.restored(memory)
        return self.look()

    def steady(self) -> "Story":
        """Started, both upstreams up, everything tested; nothing said so far matters."""
        self.begins()
        for _ in range(2):
            for name, how in self.needs.items():
                self.depends(name, how)
            for name in self.policy.upstreams:
                for probe in self.policy.upstreams[name].probes:
                    self.passes(name, probe=probe)
            self.after(500)
        self.look()
        return self.forget()

    def restart(
        self, away: int = 1_000, *, reboot: bool = False, wall: int | None = None
    ) -> "Story":
        """The daemon ends without a word, and starts again ``away`` ms later from the disk.

        ``reboot``: in another boot of the host, with boot time from anew; ``wall``: what the
        wall clock says has passed, if not ``away``.
        """
        self.after(away)
        if reboot:
            self.reboot()
            self.wall_shift += (wall if wall is not None else away) - away
            self.nginx = replace(self.nginx, master="9:9", workers_since_wall_ms=self.wall_ms)
        self.starts(self.remembered())
        return self

    def live(self, ms: int, *, look: bool = True, **health: str) -> "Story":
        """``ms`` pass: answers, looks, and wakes when they were asked for.

        ``blue="fail"`` and so on; who is not named passes, ``"silent"`` does not answer.
        """
        begun, end = self.now, self.now + ms
        while (then := self._next_answers(begun, end)) <= end:
            while 0 < self.wake <= then:
                self.woke_at(self.wake)
            self.at(then)
            for name, how in self.needs.items():
                self.depends(name, how)
            for name in self.policy.upstreams:
                how = health.get(name, PASS)
                if how == PASS:
                    self.passes(name)
                elif how == FAIL:
                    self.fails(name)
                elif how == "unsure":
                    self.unsure(name)
            if look and self.now % 1_000 == 0:
                self.look()
        return self.at(max(end, self.now))

    def _next_answers(self, begun: int, end: int) -> int:
        """Every 500 ms near both ends. Between them nothing changes but the time, for which
        there are wakes: an answer and a look every 4 s keep what is known young enough.
        """
        near = self.now < begun + 3_000 or self.now > end - 4_000
        every = 500 if near else 4_000
        return (self.now // every + 1) * every

    def woke_at(self, ms: int) -> None:
        self.wake = 0
        self.at(max(ms, self.now)).woke()
        assert self.wake == 0 or self.wake > self.now, "a wake for what is due already"

    # ------------------------------------------------------------ what the core said

    def forget(self) -> "Story":
        """What was said until now is not asked about."""
        self.said.clear()
        self.records.clear()
        return self

    def says(self, *lines: str, only: tuple[str, ...] = ()) -> "Story":
        """Exactly these lines were said, in this order. ``only``: of those that begin so."""
        said = [each for each in self.said if not only or each.startswith(only)]
        if said != list(lines):
            diff = "\n".join(difflib.ndiff(list(lines), said))
            raise AssertionError(f"at {self.now} ms, expected (-), said (+):\n{diff}")
        return self.forget()

    def quiet(self) -> "Story":
        return self.says()

    def never(self, *beginnings: str) -> "Story":
        """Nothing that begins so was said."""
        found = [each for each in self.said if each.startswith(beginnings)]
        assert not found, f"at {self.now} ms: {found}"
        return self

    def record(self, event: str) -> Mapping[str, object]:
        """The fields of the last ``event``."""
        return next(each.fields for each in reversed(self.records) if each.event == event)

    def gates(self, to: str | None = None) -> dict[str, Finding]:
        return {gate.name: gate for gate in findings(self.state, to)}

    def closed(self, to: str | None = None) -> list[str]:
        return [gate.name for gate in self.gates(to).values() if gate.closed]

    def hold(self) -> str | None:
        gate = first_closed(tuple(self.gates().values()))
        return gate.name if gate is not None else None

    def health(self, upstream: str) -> str:
        return self.state.upstreams[upstream].health


def line(record: ev.Say) -> str:
    """One event in one short line."""
    fields, event = record.fields, record.event
    match event:
        case "health_changed":
            return f"health {fields.get('upstream') or fields['dependency']} {fields['to']}"
        case "hold_entered":
            return f"hold {fields['gate']}"
        case "hold_left":
            return f"left {fields['gate']}"
        case "readiness_changed":
            return "ready" if fields["ready"] else f"not ready: {fields['gate']}"
        case "switch_started" | "switch_completed" | "switch_undone" | "switch_lost":
            gate = f" ({fields['gate']})" if fields.get("gate") else ""
            return f"{event} {fields['from']}->{fields['to']} {fields['trigger']}{gate}"
        case "would_switch":
            return f"{event} {fields['from']}->{fields['to']}"
        case "release_marked":
            return f"mark {fields['upstream']} {fields['mark']}"
        case "bake_started" | "bake_passed" | "bake_failed":
            return f"{event} {fields['upstream']}"
        case "order_received":
            return f"order {fields['order']} {fields['verb']}"
        case "order_refused":
            return f"refused {fields['gate']}"
        case "proposal_opened" | "proposal_closed":
            again = f" reminder {fields['reminder']}" if "reminder" in fields else ""
            return f"{event} {fields['from']}->{fields['to']}{again}"
        case "link_changed":
            return f"{event} {fields['from']}->{fields['to']}"
    return event
