"""The laws on long random ways through larger policies, by the same world as the search."""

import os
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from healthguard.core import events as ev
from healthguard.core.model import (
    BakePolicy,
    Done,
    Expect,
    HealthPolicy,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Policy,
    PrepareFact,
    RollbackPolicy,
    UpstreamPolicy,
)
from healthguard.core.pool import begin, step
from healthguard.machine.codec import decode, encode
from healthguard.machine.memory import load_memory, save_memory
from healthguard.views.pool import pool_view, ready_view, why_view

from .search import ENDS
from .world import DANA, FAIL, PASS, UNSURE, World

NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
modes = st.sampled_from(["auto", "auto", "auto", "observe", "propose"])


@st.composite
def policies(draw: st.DrawFn, upstreams: int | None = None) -> Policy:
    """Two or three upstreams with one probe each, thresholds and times of all kinds."""
    count = upstreams or draw(st.integers(2, 3))
    fall, switches = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return Policy(
        "app",
        {name: UpstreamPolicy({"p": Expect()}) for name in NAMES[:count]},
        stable=draw(st.sampled_from([None, "b"])),
        mode_bake=draw(modes),
        mode_steady=draw(modes),
        marker=True,
        health=HealthPolicy(fall=fall, rise=draw(st.integers(1, 2))),
        rollback=RollbackPolicy(
            min_down_ms=draw(st.sampled_from([0, 700, 2_000])),
            cooldown_ms=draw(st.sampled_from([0, 2_500, 30_000])),
            budget_switches=switches,
            budget_per_ms=draw(st.sampled_from([5_000, 600_000])),
            daily_budget=max(switches, draw(st.integers(1, 5))),
            standby_passes=draw(st.integers(1, 2)),
            start_grace_ms=draw(st.sampled_from([0, 4_000])),
        ),
        bake=BakePolicy(for_ms=draw(st.sampled_from([1_500, 20_000])), fall=1, min_down_ms=0),
    )


class Laws(RuleBasedStateMachine):
    """Anything may happen at any time; ``World.send`` checks every law at each step."""

    @initialize(policy=policies())
    def start(self, policy: Policy) -> None:
        self.world = World(policy)
        for name in policy.upstreams:
            for _ in range(2):
                self.world.answer(name, PASS)
        self.world.tick(500)

    def pick(self, name: str) -> str:
        return name if name in self.world.policy.upstreams else "a"

    @rule(name=names, answer=st.sampled_from([PASS, FAIL, FAIL, UNSURE]), times=st.integers(1, 4))
    def answers(self, name: str, answer: Any, times: int) -> None:
        for _ in range(times):
            self.world.now += 200
            self.world.answer(self.pick(name), answer)

    @rule(ms=st.sampled_from([1, 300, 1_000, 1_000, 5_000, 16_000, 700_000]))
    def time(self, ms: int) -> None:
        self.world.tick(ms)

    @rule(standby=names)
    def incident(self, standby: str) -> None:
        """What the random walk would rarely hit: one is well, the others fail for a while."""
        for _ in range(5):
            self.world.now += 600
            for name in self.world.policy.upstreams:
                self.world.answer(name, PASS if name == self.pick(standby) else FAIL)
            self.world.tick(1)
            if self.world.queued:
                self.world.turn()

    @precondition(lambda self: self.world.queued)
    @rule()
    def turn(self) -> None:
        self.world.turn()

    @precondition(lambda self: self.world.flight is not None)
    @rule(how=st.sampled_from(ENDS))
    def finish(self, how: str) -> None:
        self.world.finish(how)

    @rule(away=st.integers(0, 9_000), reboot=st.booleans())
    def crash(self, away: int, reboot: bool) -> None:
        self.world.crash(away, reboot)

    @rule(
        name=names,
        force=st.booleans(),
        dry=st.booleans(),
        trigger=st.sampled_from(["manual"] * 3 + ["deploy"]),
    )
    def switch(self, name: str, force: bool, dry: bool, trigger: str) -> None:
        force = force and trigger == "manual"
        self.world.order("switch", self.pick(name), force=force, dry_run=dry, trigger=trigger)

    @rule(
        verb=st.sampled_from(
            ["rollback", "resume", "ack", "clear", "pause", "good", "approve", "reject"]
        ),
        name=names,
    )
    def order(self, verb: str, name: str) -> None:
        upstream = self.pick(name) if verb == "good" else None
        self.world.order(verb, upstream, for_ms=4_000)

    @rule(name=names, reload=st.booleans())
    def hand(self, name: str, reload: bool) -> None:
        self.world.hand(self.pick(name), reload)

    @rule(on=st.booleans())
    def doubt(self, on: bool) -> None:
        self.world.doubt("late" if on else "")

    @rule(state=st.sampled_from(["running", "running", "down", "upgrading"]), off=st.booleans())
    def host(self, state: str, off: bool) -> None:
        self.world.nginx_is(state)
        self.world.disabled = "hands off" if off and state != "running" else None
        self.world.look()

    @rule(broken=st.booleans())
    def files(self, broken: bool) -> None:
        self.world.broken = broken
        self.world.touch()
        self.world.look()

    @invariant()
    def what_is_on_disk_is_what_is_remembered(self) -> None:
        disk = self.world.disk
        assert disk is not None
        assert load_memory(save_memory(disk)) == disk
        assert replace(self.world.state.memory, saved=disk.saved) == disk

    @invariant()
    def every_view_can_be_shown(self) -> None:
        state, now = self.world.state, self.world.instant
        for view in (pool_view(state, now), why_view(state, now), ready_view(state, now)):
            assert view.pool == "app"

    @rule()
    def a_restart_changes_no_decision(self) -> None:
        """Restarted here and not restarted, but doubting itself once, the same follows."""
        world = self.world
        if not _at_rest(world):
            return
        stays, restarts = world.copy(), world.copy()
        stays.doubt("late")
        stays.doubt("")
        stays.look()
        restarts.crash()
        assert _decided(stays) == _decided(restarts)
        for twin in (stays, restarts):
            twin.answered = frozenset()
            twin.spoken.clear()
            for _ in range(3):
                twin.now += 900
                for name in twin.policy.upstreams:
                    twin.answer(name, FAIL if name == twin.link.upstream else PASS)
                twin.tick(0)
            if twin.queued:
                twin.turn()
        assert (stays.flight is None) == (restarts.flight is None)
        if stays.flight is not None and restarts.flight is not None:
            assert stays.flight.to == restarts.flight.to
        said = {"switch_started", "latched", "release_marked", "would_switch"}
        assert [e for e in stays.spoken if e in said] == [e for e in restarts.spoken if e in said]


def _at_rest(world: World) -> bool:
    """Nothing is under way that a restart rightly forgets: orders, dry runs, retries, a bake's
    seconds that were not put down yet."""
    state = world.state
    return (
        state.doing.switch is None
        and not state.doing.dry_runs
        and state.memory.attempt is None
        and state.memory.bake is None
        and state.memory.pause is None
        and state.doing.retry_ms <= state.at.boot_ms
        and not state.seen.doubt
    )


def _decided(world: World) -> object:
    memory = world.state.memory
    return replace(memory, saved=Instant(0, 0), last_decision={})


# The same ways each time, so that a change is never blamed for luck; LAWS_SEEDLESS=1 explores.
COMMON = settings(
    derandomize=not os.environ.get("LAWS_SEEDLESS"),
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],  # explaining traces every line
    suppress_health_check=list(HealthCheck),
)
Laws.TestCase.settings = settings(
    COMMON, max_examples=int(os.environ.get("LAWS_EXAMPLES", "80")), stateful_step_count=40
)
TestLaws = Laws.TestCase


# ---------------------------------------------------------------- any event in any state

instants = st.builds(
    lambda boot, wall: Instant(boot, 1_700_000_000_000 + wall),
    st.integers(0, 200_000),
    st.integers(-(10**7), 10**7),
)
maybe = st.sampled_from(["a", "b", "c", "gone"])
facts = st.builds(
    PrepareFact,
    instants,
    st.sampled_from([None, "t"]),
    st.sampled_from(["", "config_invalid", "switcher_unavailable", "nonsense"]),
    stamp=st.sampled_from(["", "x", "y"]),
)
links = st.builds(
    LinkFact,
    st.sampled_from([None, "a", "b", "c"]),
    st.just("problem"),
    st.sampled_from(["1", "2"]),
    st.integers(0, 10**6),
)
nginxes = st.builds(
    NginxFact,
    st.sampled_from(["running", "down", "upgrading"]),
    st.just(""),
    st.sampled_from(["", "1:1"]),
    st.integers(0, 10**6),
)
outcomes = ["completed", "undone", "lost", "refused", "unclear", "", "nonsense"]
ends = st.builds(
    Done,
    st.sampled_from(outcomes),
    st.sampled_from(["", "config_invalid", "nonsense"]),
    confirm=st.sampled_from(["", "proven", "unclear"]),
    link=st.sampled_from(["", "1", "2"]),
    master=st.sampled_from(["", "1:1"]),
)
verbs = ["switch", "rollback", "pause", "resume", "ack", "good", "clear", "dance"]
any_event = st.one_of(
    st.builds(
        ev.Checked, instants, maybe, st.sampled_from(["p", "gone"]),
        st.sampled_from([PASS, FAIL, UNSURE]),
    ),
    st.builds(
        ev.Observed, instants, links, nginxes, st.integers(0, 200_000),
        st.sampled_from([None, "a", "b", "gone"]), st.sampled_from(["", "two minds"]),
        st.sampled_from([None, "", "off"]), st.sampled_from(["", "x", "y"]),
    ),
    st.builds(ev.Prepared, instants, maybe, facts),
    st.builds(ev.Turn, instants),
    st.tuples(instants, ends),  # the end of the attempt there is
    st.builds(ev.SwitchFinished, instants, st.just("app-0-1"), ends),
    st.builds(
        ev.Ordered,
        instants,
        st.builds(
            Order, st.sampled_from(verbs), st.just(DANA), st.none() | maybe,
            st.sampled_from(["", "why"]), st.sampled_from(["manual", "signal", "deploy"]),
            st.booleans(), st.booleans(), st.integers(-1, 400_000), order_id=st.just("o"),
        ),
    ),
    st.builds(ev.HostDoubt, instants, st.sampled_from(["", "late"])),
    st.builds(ev.Woke, instants),
    st.builds(ev.Configured, instants, policies()),
    st.builds(ev.Restored, instants, st.none(), st.sampled_from(["boot-1", "boot-2"])),
)  # fmt: skip


class Anything(RuleBasedStateMachine):
    """Events in any order, late, early, about what never was: ``step`` never raises."""

    @initialize(policy=policies(3))
    def start(self, policy: Policy) -> None:
        self.state = begin(Instant(100_000, 1_700_000_000_000), policy)

    @rule(events=st.lists(any_event, min_size=5, max_size=12))
    def happens(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, tuple):
                attempt = self.state.memory.attempt
                at, done = event
                event = ev.SwitchFinished(at, attempt.begun.switch_id if attempt else "none", done)
            before = self.state
            self.state, commands = step(before, event)
            assert step(before, event) == (self.state, commands), "same state, same event"
            assert self.state.at.boot_ms >= before.at.boot_ms
            assert sum(isinstance(each, ev.Save) for each in commands) <= 1
            assert not commands or not any(isinstance(each, ev.Save) for each in commands[1:])
            memory = self.state.memory
            assert decode(type(memory), encode(memory)) == memory

    @rule(boot=st.sampled_from(["boot-1", "boot-2"]), at=instants)
    def restarts(self, boot: str, at: Instant) -> None:
        memory = self.state.memory
        self.state, _ = step(begin(at, self.state.policy), ev.Restored(at, memory, boot))


Anything.TestCase.settings = settings(
    COMMON, max_examples=int(os.environ.get("LAWS_EXAMPLES", "80")), stateful_step_count=12
)
TestAnything = Anything.TestCase
