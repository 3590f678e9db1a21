"""One pool and its world, around the real ``step``; every test that drives the core drives this.

``Pool`` holds the state, feeds it events, and carries commands out: by itself like the simplest
world there is, in which every prepare succeeds, the turn comes at once and every switch completes.
Whoever needs another world overrides the methods under "what the core wants". Their users:

    tests/core/story.py        one pool as a dialogue
    tests/laws/world.py        what the laws need to know apart from the core
    tests/stories/sim.py       incidents on a heap of things to come, several pools at a time
    tests/replay/recording.py  a pool that lives for hours, and is recorded

How events, commands and facts look, only this file and ``step.py`` know: if the core renames one,
these change.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from healthguard.core import events as ev
from healthguard.core.gates import evaluate
from healthguard.core.happenings import HAPPENINGS
from healthguard.core.health import interval_ms
from healthguard.core.memory import Bake, Memory, Switch
from healthguard.core.model import (
    Actor,
    Answer,
    Done,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Outcome,
    Policy,
    PrepareFact,
)
from healthguard.core.now import Finding, in_use, now_of, pace_ms
from healthguard.core.pool import begin, step
from healthguard.core.state import State, baking
from healthguard.machine.memory import load_memory, save_memory
from tests.support.step import Step

BOOT_MS = 10_000_000  # boot time at which a tale begins: negative times would hide mistakes
WALL_MS = 1_700_000_000_000
GOOD = Answer(4_000, 200)
REFUSED = Answer(4_000, failure="refused")
UNSURE = Answer(0, inconclusive="no_descriptors")
DANA = Actor("dana", 1000, 4711)
SIGNAL = Actor("signal")
MASTER = "100:1"
PROOFS = {
    "completed": "proven",
    "undone": "refuted",
    "lost": "refuted",
    "unclear": "unclear",
    "refused": "",
    "": "unclear",
}


def _check_listed(said: ev.Say) -> None:
    """Whatever happens in any test: the event is in the list of all, and so is each field."""
    assert said.fields.keys() <= HAPPENINGS[said.event].fields, said


class Clock:
    """Both clocks of a host. ``now``: milliseconds since the tale began."""

    def __init__(self, boot_base: int = BOOT_MS) -> None:
        self.now = 0
        self.wall_shift = 0
        self.boot = "boot-1"
        self.boot_base = boot_base

    @property
    def wall_ms(self) -> int:
        return WALL_MS + self.wall_shift + self.now

    @property
    def instant(self) -> Instant:
        return Instant(self.boot_base + self.now, WALL_MS + self.wall_shift + self.now)

    def reboot(self, fresh_ms: int = 50_000) -> None:
        """Another boot of the host, which has been up for ``fresh_ms``."""
        self.boot += "'"
        self.boot_base = fresh_ms - self.now


class Pool(Clock):
    """One pool of one guard; link, nginx and files as they truly are; what is on the disk."""

    def __init__(self, policy: Policy, boot_base: int = BOOT_MS) -> None:
        super().__init__(boot_base)
        self.policy = policy
        first = next(iter(policy.upstreams))
        wall = self.clock.wall_ms
        self.link = LinkFact(first, "", "link-0", wall - 1_000_000)
        self.nginx = NginxFact("running", "", MASTER, wall - 900_000)
        self.workers: str | None = first  # what nginx's workers really use
        self.moves = 0  # of the link, or changes of a file
        self.marker: str | None = None
        self.marker_problem = ""
        self.disabled: str | None = None  # the text of the DISABLE file
        self.stamp = "files-0"
        self.disk: Memory | None = None
        self.wake = 0  # when the core wants to be called
        self.orders = 0
        self.state = begin(self.clock.instant, policy)

    # ------------------------------------------------------------ the guard's life

    @property
    def clock(self) -> Clock:
        """Its own, unless several pools share that of their host."""
        return self

    @property
    def memory(self) -> Memory:
        return self.state.memory

    @property
    def attempt(self) -> Switch | None:
        """The switch that was begun and whose end is not known."""
        return self.state.memory.attempt

    @property
    def bake(self) -> Bake | None:
        return self.state.memory.bake

    def send(self, event: ev.Event) -> Any:
        """One event, and whatever the world answers by itself."""
        todo = [event]
        while todo:
            event, before = todo.pop(0), self.state
            self.state, commands = step(before, event)
            self.stepped(Step(before, event, self.state, commands))
            for command in commands:
                answer = self._carry_out(command)
                if answer is not None:
                    todo.append(answer)
        return self

    def stepped(self, step: Step) -> None:
        """After each step, before its commands are carried out."""

    def starts(self, memory: Memory | None) -> None:
        """The daemon starts with this memory and has seen nothing yet."""
        self.state = begin(self.clock.instant, self.policy)
        self.restored(memory)

    def restored(self, memory: Memory | None) -> None:
        self.send(ev.Restored(self.clock.instant, memory, self.clock.boot))

    def remembered(self) -> Memory | None:
        """What a start reads from the disk."""
        return load_memory(save_memory(self.disk)) if self.disk is not None else None

    def pace_ms(self, upstream: str, probe: str) -> int:
        """From this start of a probe to its next one."""
        return pace_ms(self.state, upstream, probe)

    def idle_pace_ms(self, upstream: str, probe: str) -> int:
        """The same as if the upstream were not in use."""
        tally = self.state.upstreams[upstream].probes[probe]
        return interval_ms(tally, self.state.policy.health, baking(self.state, upstream))

    def dependency_pace_ms(self, name: str) -> int:
        return interval_ms(self.state.dependencies[name], self.state.policy.health, False)

    # ------------------------------------------------------------ what the world says

    def answer(self, upstream: str, answer: Answer, probe: str = "health") -> Any:
        return self.send(ev.Checked(self.clock.instant, upstream, probe, answer))

    def dependency(self, name: str, answer: Answer) -> Any:
        return self.send(ev.DependencyChecked(self.clock.instant, name, answer))

    def look(self, looked_ms: int | None = None) -> Any:
        """One observation of link, nginx and marker as they are."""
        now = self.clock.instant
        return self.send(
            ev.Observed(
                now,
                self.link,
                self.seen_nginx(),
                now.boot_ms if looked_ms is None else looked_ms,
                self.marker,
                self.marker_problem,
                self.disabled,
                self.seen_stamp(),
            )
        )

    def tested(self, upstream: str, gate: str = "", message: str = "no", **more: Any) -> Any:
        """A prepare has ended: with a ticket, or refused by ``gate``."""
        return self.send(self._tested(upstream, gate, message, **more))

    def turn(self) -> Any:
        return self.send(ev.Turn(self.clock.instant))

    def ended(self, switch_id: str, done: Done) -> Any:
        """A switch has ended."""
        return self.send(ev.SwitchFinished(self.clock.instant, switch_id, done))

    def ordered(self, order_id: str, verb: str, actor: Actor, *rest: Any, **how: Any) -> Any:
        """``rest``: upstream and reason."""
        order = Order(verb, actor, *rest, order_id=order_id, **how)
        return self.send(ev.Ordered(self.clock.instant, order))

    def doubt(self, reason: str) -> Any:
        return self.send(ev.HostDoubt(self.clock.instant, reason))

    def woke(self) -> Any:
        return self.send(ev.Woke(self.clock.instant))

    def configure(self, policy: Policy) -> Any:
        self.policy = policy
        return self.send(ev.Configured(self.clock.instant, policy))

    # ------------------------------------------------------------ what the core wants

    def _carry_out(self, command: ev.Command) -> ev.Event | None:
        match command:
            case ev.Save(memory):
                self.save(memory)
            case ev.Wake(at):
                self.wants_to_wake(at - self.clock.boot_base)
            case ev.Prepare(upstream, urgent):
                return self.wants_a_test(upstream, urgent)
            case ev.AskTurn():
                return self.wants_the_turn()
            case ev.GiveBackTurn():
                self.gives_back_the_turn()
            case ev.Commit():
                return self.wants_a_switch(command)
            case ev.Reply(order, outcome):
                self.replies_to(order, outcome)
            case ev.Say():
                _check_listed(command)
                self.tells(command)
        return None

    def save(self, memory: Memory) -> None:
        self.disk = memory

    def wants_to_wake(self, at: int) -> None:
        self.wake = at

    def wants_a_test(self, upstream: str, urgent: bool) -> ev.Event | None:
        return self._tested(upstream)

    def wants_the_turn(self) -> ev.Event | None:
        return ev.Turn(self.clock.instant)

    def gives_back_the_turn(self) -> None: ...

    def wants_a_switch(self, switch: ev.Commit) -> ev.Event | None:
        return self._ended(switch, self.commit(switch, "completed"))

    def replies_to(self, order: str, outcome: Outcome) -> None: ...

    def tells(self, record: ev.Say) -> None: ...

    def _ended(self, switch: ev.Commit, done: Done) -> ev.SwitchFinished:
        return ev.SwitchFinished(self.clock.instant, switch.switch_id, done)

    def _tested(
        self,
        upstream: str,
        gate: str = "",
        message: str = "no",
        took_ms: int = 9,
        stamp: str | None = None,
    ) -> ev.Prepared:
        ticket = None if gate else f"ticket-{upstream}-{self.clock.now}"
        words = message if gate else ""
        files = self.seen_stamp() if stamp is None else stamp
        fact = PrepareFact(self.clock.instant, ticket, gate, words, files, took_ms)
        return ev.Prepared(self.clock.instant, upstream, fact)

    # ------------------------------------------------------------ link and nginx

    def seen_nginx(self) -> NginxFact:
        """What a look at nginx shows."""
        return self.nginx

    def seen_stamp(self) -> str:
        """Changes with every file that nginx reads."""
        return self.stamp

    def move(self, to: str | None, problem: str = "", hand: str = "") -> None:
        """The link is another one now, and so are the files that nginx reads."""
        self.moves += 1
        self.link = LinkFact(to, problem, f"link-{self.moves}", self.clock.wall_ms, hand)
        self.stamp = f"files-{self.moves}"

    def touch(self) -> None:
        """A file that nginx reads is another one now."""
        self.moves += 1
        self.stamp = f"files-{self.moves}"

    def reload(self) -> None:
        """New workers, which use what the link names."""
        if self.link.upstream is not None:
            self.workers = self.link.upstream
        self.nginx = replace(self.nginx, workers_since_wall_ms=self.clock.wall_ms + 20)

    def nginx_is(self, state: str) -> None:
        """Running, down or upgrading."""
        self.nginx = replace(self.nginx, state=state, master=MASTER if state == "running" else "")

    def commit(self, switch: ev.Commit, outcome: str, **more: Any) -> Done:
        """Link and workers become what ``outcome`` means; and how the switcher puts it."""
        if outcome in ("completed", "lost", "unclear", "undone"):
            self.move(switch.to)
        if outcome == "undone":
            self.move(switch.origin, "" if switch.origin else "not a symlink")
        if outcome in ("completed", "undone"):
            self.reload()
        return self.done(outcome, **more)

    def done(
        self,
        outcome: str,
        gate: str = "",
        message: str = "",
        *,
        confirm: str | None = None,
        timings: Mapping[str, int] | None = None,
        knows: bool | None = None,
        **more: Any,
    ) -> Done:
        """``knows``: the switcher says which link and master it left behind."""
        known = outcome in ("completed", "undone") if knows is None else knows
        return Done(
            outcome,
            gate,
            message,
            PROOFS[outcome] if confirm is None else confirm,
            {"total": 130} if timings is None else timings,
            link=self.link.identity if known else "",
            master=(self.seen_nginx().master or MASTER) if known else "",
            **more,
        )


def active(state: State) -> str | None:
    """The upstream that the guard takes to be in use."""
    return in_use(state)[0]


def findings(state: State, to: str | None = None) -> tuple[Finding, ...]:
    """Every gate on the way to ``to``, or to where an automatic switch would go."""
    now = now_of(state)
    return evaluate(now, to or now.target)
