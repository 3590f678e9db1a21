"""One pool: same state + same event = same commands.

``step`` is the only door. It is pure: time is data, nothing is read or written here, and it
never raises on any event in any state. Its laws; each is a test:

 1. No switch to an upstream that is not up, except by a forced order.
 2. No automatic switch unless the active upstream is down. Unknown is never down; inconclusive
    counts for nothing.
 3. One switch in flight per pool; one nginx act at a time per nginx.
 4. No automatic switch while a gate is closed.
 5. An attempt is charged before the link moves; never more than the budget; a crash keeps the
    charge.
 6. After an automatic switch the upstream left is known bad: no automatic way back until a
    person, a deploy or a new release says so.
 7. A bake ends by time *and* health, by a switch or by a new deploy: not by flicker, not by a
    restart.
 8. Both down, or truth lost: hold, and say so loudly. Never move traffic onto something unproven.
 9. Nothing is believed until observed: active is what link *and* workers say. What is refuted
    is undone.
10. Every change of phase gives exactly one event with its reason. A refusal is a named gate,
    never a bare False.

Output order is meaning: what is saved comes before what is done.
"""

from dataclasses import replace

from healthguard.core.dependencies import VETO_MS, clock_veto, on_dependency
from healthguard.core.draft import Draft
from healthguard.core.events import (
    Checked,
    Command,
    Configured,
    DependencyChecked,
    Event,
    HostDoubt,
    Observed,
    Ordered,
    Restored,
    Save,
    SwitchFinished,
    Tested,
    Turn,
    Wake,
)
from healthguard.core.evidence import failure_sentence
from healthguard.core.facts import adopt, drop_shadow, on_checked, on_doubt, on_observed, on_tested
from healthguard.core.gates import evaluate, ledger_charges
from healthguard.core.health import Tally, Upstream, fresh_passes, upstream_health
from healthguard.core.memory import Memory, rebase
from healthguard.core.model import AUTOMATIC, OBSERVE, UP, Instant, Policy
from healthguard.core.orders import answer_dry_runs, on_ordered
from healthguard.core.probation import (
    PAUSE_TOLD_MS,
    QUANTUM_MS,
    account,
    end_bake,
    end_pause,
    note_up,
)
from healthguard.core.proposals import propose, tend, waivable
from healthguard.core.state import (
    PRELOAD_MS,
    STALE_MS,
    TEST_MS,
    TESTING,
    State,
    Work,
    active,
    failing_since,
    min_down_ms,
    mode,
    still_failing,
    target,
    usable_test,
    wanted,
)
from healthguard.core.switching import (
    PENDING_MS,
    UNSETTLED_MS,
    advance,
    ask_test,
    on_finished,
    on_turn,
    settle_unknown,
)
from healthguard.core.telling import tell
from healthguard.core.would import latch, would_switch

REFUSED_RETRY_MS = 30_000  # a refused prepare is asked for again after this, or on a changed file
WANTED_RETRY_MS = 5_000  # the same while a switch is wanted


def begin(at: Instant, policy: Policy) -> State:
    """The state before anything was heard; Restored comes next."""
    return _configure(State(policy, Memory("", at), at), policy)


def step(state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The next state, and what is to be done, in this order."""
    at = event.at
    if at.boot_ms < state.at.boot_ms:  # a late event never turns time back
        at = replace(at, boot_ms=state.at.boot_ms)
    draft = Draft(state, at)
    matters = _apply(draft, event)
    if not matters and 0 < state.wake_ms <= at.boot_ms:
        draft.set(at=at)  # a wake is late: until now it was as ``state`` says, whatever came first
        matters = True
    if matters:
        _settle(draft, state)
    commands: tuple[Command, ...] = tuple(draft.out)
    if draft.memory is not state.memory and draft.memory != state.memory:
        draft.remember(saved=at)
        commands = (Save(draft.memory), *commands)
    return draft.s, commands


def _apply(draft: Draft, event: Event) -> bool:
    """Take in one event; False if nothing can follow from it."""
    if isinstance(event, Checked):  # by far the most frequent: it moves the time itself
        return on_checked(draft, event)
    draft.set(at=draft.at)
    match event:
        case DependencyChecked():
            return on_dependency(draft, event)
        case Observed():
            return on_observed(draft, event)
        case Tested():
            return on_tested(draft, event)
        case Ordered():
            return on_ordered(draft, event)
        case Turn():
            return on_turn(draft)
        case SwitchFinished():
            return on_finished(draft, event)
        case HostDoubt():
            return on_doubt(draft, event)
        case Configured():
            draft.s = _configure(draft.s, event.policy)
            return True
        case Restored():
            _restore(draft, event)
            return True
    draft.set(wake_ms=0)  # Woke: a timer that fired a little early is asked for again
    return True


def _configure(state: State, policy: Policy) -> State:
    """A new policy: probes that are still there keep their counters, the rest starts unknown."""
    upstreams = {}
    for name, upstream in policy.upstreams.items():
        old = state.upstreams.get(name)
        known = state.policy.upstreams.get(name)
        probes = {}
        for probe, expect in upstream.probes.items():
            kept = old.probes.get(probe) if old is not None else None
            same = known is not None and known.probes.get(probe) == expect
            probes[probe] = kept if kept is not None and same else Tally(since_ms=state.at.boot_ms)
        health = upstream_health(probes, upstream.require)
        same_health = old is not None and old.health == health
        since = old.since_ms if old is not None and same_health else state.at.boot_ms
        release = old.release if old is not None else None
        upstreams[name] = Upstream(probes, health, since, release)
    tests = {name: fact for name, fact in state.tests.items() if name in policy.upstreams}
    old_policy = state.policy
    dependencies = {
        name: state.dependencies[name]
        if name in state.dependencies and old_policy.dependencies.get(name) == expect
        else Tally(since_ms=state.at.boot_ms)
        for name, expect in policy.dependencies.items()
    }
    seen = tuple(name for name in state.dependencies_seen if name in dependencies)
    return replace(
        state,
        policy=policy,
        upstreams=upstreams,
        tests=tests,
        dependencies=dependencies,
        dependencies_seen=seen,
    )


def _restore(draft: Draft, event: Restored) -> None:
    """What was remembered, in the time of this boot."""
    now = draft.at
    memory = event.memory
    if memory is None:
        memory = Memory(event.boot_id, now, grace_from_ms=now.boot_ms)
    memory = rebase(memory, now, event.boot_id)
    bake = memory.bake
    if bake is not None:  # while nobody looked it was blind: probation grows by that
        gap = max(0, now.boot_ms - bake.counted_ms)
        grown = replace(bake, until_ms=bake.until_ms + gap, counted_ms=now.boot_ms)
        memory = replace(memory, bake=grown)
    draft.set(memory=memory, epoch=_base36(now.wall_ms), seq=0, settled_ms=now.boot_ms)


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number > 0:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text or "0"


def _settle(draft: Draft, before: State) -> None:
    """Draw every consequence of what is known now, in one fixed order."""
    settle_unknown(draft)
    adopt(draft)
    if mode(draft.s) != OBSERVE:
        drop_shadow(draft)
    end_pause(draft)
    account(draft, before)
    end_bake(draft)
    note_up(draft)
    _decide(draft)
    tend(draft)
    advance(draft)
    answer_dry_runs(draft)
    _ask_tests(draft)
    tell(draft, evaluate(draft.s, target(draft.s)))
    _wake(draft)


def _decide(draft: Draft) -> None:
    """Begin an automatic switch when it is wanted and no gate is closed (laws 2 and 4)."""
    state = draft.s
    if state.work is not None or state.memory.attempt is not None or not wanted(state):
        clock_veto(draft, False)
        return
    to = target(state)
    closed = [gate for gate in evaluate(state, to) if gate.closed]
    clock_veto(draft, _only_vetoed({gate.name for gate in closed if not gate.pending}))
    if to is None:
        return
    if any(gate.name != "min_down" and not gate.pending for gate in closed):
        draft.set(held_ms=draft.at.boot_ms)
    if not closed:
        if not still_failing(state):
            return  # the next result tells, and it is asked for at the fast interval
        reason = failure_sentence(state, active(state))
        draft.set(work=Work(to, AUTOMATIC, TESTING, draft.at.boot_ms, reason=reason))
    elif waivable(draft.s, closed):
        propose(draft, to, closed)
    elif closed[0].name == "mode":
        would_switch(draft, to)
    elif closed[0].name == "latched":
        latch(draft, closed[0].evidence)


def _only_vetoed(closed: set[str]) -> bool:
    return "dependency_down" in closed and closed <= {"dependency_down", "known_bad", "mode"}


def _ask_tests(draft: Draft) -> None:
    """Know in advance whether a switch would be accepted; be armed once the active one fails."""
    state = draft.s
    if state.testing is not None or state.link is None or state.retry_ms > draft.at.boot_ms:
        return
    here, to, since = active(state), target(state), failing_since(state)
    if since is not None and to is not None:
        armed = usable_test(state, to, PRELOAD_MS)
        if armed is None or (armed.gate and _age(state, to) >= WANTED_RETRY_MS):
            ask_test(draft, to, urgent=True)
            return
    for name in state.policy.upstreams:
        if name == here or name == state.link.upstream:
            continue
        test = usable_test(state, name, TEST_MS)
        if test is None or (test.gate and _age(state, name) >= REFUSED_RETRY_MS):
            ask_test(draft, name, urgent=False)
            return


def _age(state: State, upstream: str) -> int:
    return state.at.boot_ms - state.tests[upstream].at.boot_ms


def _wake(draft: Draft) -> None:
    """Ask to be called when the next thing falls due that depends on time alone."""
    now = draft.at.boot_ms
    at = min((time for time in _due(draft.s) if time > now), default=0)
    if at != draft.s.wake_ms:
        draft.set(wake_ms=at)
        if at:
            draft.out.append(Wake(at))


def _due(state: State) -> list[int]:
    """Boot times at which a gate, a bake, a pause or a test changes by itself."""
    memory, rollback = state.memory, state.policy.rollback
    times = [memory.grace_from_ms + rollback.start_grace_ms, state.retry_ms]
    if memory.pause is not None:
        times += [memory.pause.until_ms, memory.pause.until_ms - PAUSE_TOLD_MS]
    if memory.bake is not None:
        times += [memory.bake.until_ms, memory.bake.counted_ms + QUANTUM_MS]
    if memory.proposal is not None:
        times.append(memory.proposal.remind_ms)
    if state.veto_ms is not None:
        times.append(state.veto_ms + VETO_MS)
    charges = ledger_charges(state)
    times += [at + rollback.cooldown_ms for at in charges]
    times += [at + rollback.budget_per_ms for at in charges]
    here, since = active(state), failing_since(state)
    if here is not None and since is not None:
        times += [since + min_down_ms(state, here), state.at.boot_ms + WANTED_RETRY_MS]
    if state.looked_ms is not None:
        times.append(state.looked_ms + STALE_MS + 1)
    for fact in state.tests.values():
        wait = REFUSED_RETRY_MS if fact.gate else TEST_MS
        times.append(fact.at.boot_ms + wait + 1)
    to = target(state)
    if to is not None and state.upstreams[to].health == UP:
        require = state.policy.upstreams[to].require
        needed = rollback.standby_passes
        _, lapse = fresh_passes(
            state.upstreams[to], state.policy.health, require, needed, state.at.boot_ms
        )
        times.append(lapse + 1)
    if state.work is not None and state.work.stage == TESTING:
        times.append(state.work.since_ms + PENDING_MS + 1)
    if state.unsettled:
        times.append(state.settled_ms + UNSETTLED_MS)
    return times
