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

from healthguard.core.charges import counted, drop_shadow, latch
from healthguard.core.dependencies import VETO_MS, clock_veto, on_dependency
from healthguard.core.draft import Draft
from healthguard.core.dryrun import answer_dry_runs
from healthguard.core.ending import UNSETTLED_MS, on_finished, settle_unknown
from healthguard.core.events import (
    Checked,
    Command,
    Configured,
    DependencyChecked,
    Event,
    HostDoubt,
    Observed,
    Ordered,
    Prepared,
    Restored,
    Save,
    SwitchFinished,
    Turn,
    Wake,
)
from healthguard.core.evidence import failure_sentence
from healthguard.core.facts import adopt, on_checked, on_doubt, on_observed, on_prepared
from healthguard.core.gates import evaluate, only_vetoed, waivable
from healthguard.core.health import Tally, Upstream, fresh_passes, upstream_health
from healthguard.core.memory import INTERRUPTED, TESTING, Memory, rebase
from healthguard.core.model import AUTOMATIC, OBSERVE, UP, Instant, Order, Policy
from healthguard.core.now import Now
from healthguard.core.orders import on_ordered
from healthguard.core.probation import (
    PAUSE_TOLD_MS,
    QUANTUM_MS,
    account,
    end_bake,
    end_pause,
    note_up,
)
from healthguard.core.proposals import propose, tend
from healthguard.core.state import (
    PRELOAD_MS,
    STALE_MS,
    TEST_MS,
    State,
    min_down_ms,
    usable_prepare,
)
from healthguard.core.switching import PENDING_MS, advance, ask_prepare, on_turn, set_out
from healthguard.core.telling import judge_calm, tell
from healthguard.core.would import would_switch

REFUSED_RETRY_MS = 30_000  # a refused prepare is asked for again after this, or on a changed file
WANTED_RETRY_MS = 5_000  # the same while a switch is wanted


def begin(at: Instant, policy: Policy) -> State:
    """The state before anything was heard; Restored comes next."""
    draft = Draft(State(policy, Memory("", at), at), at)
    _configure(draft, policy)
    return draft.state()


def step(state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The next state, and what is to be done, in this order."""
    at = event.at
    if at.boot_ms < state.at.boot_ms:  # a late event never turns time back
        at = replace(at, boot_ms=state.at.boot_ms)
    draft = Draft(state, at)
    # A wake that is late: until now it was as ``state`` says, whatever came first.
    overdue = 0 < state.doing.wake_ms <= at.boot_ms
    if _apply(draft, event, state) or overdue:
        _settle(draft, state)
    commands: tuple[Command, ...] = tuple(draft.out)
    if draft.memory is not state.memory and draft.memory != state.memory:
        draft.memory = replace(draft.memory, saved=at)
        commands = (Save(draft.memory), *commands)
    return draft.state(), commands


def _apply(draft: Draft, event: Event, before: State) -> bool:
    """Take in one event; False if nothing can follow from it."""
    match event:
        case Checked():
            return on_checked(draft, event, before)
        case DependencyChecked():
            return on_dependency(draft, event)
        case Observed():
            return on_observed(draft, event, before)
        case Prepared():
            return on_prepared(draft, event)
        case Ordered():
            return on_ordered(draft, event)
        case Turn():
            return on_turn(draft)
        case SwitchFinished():
            return on_finished(draft, event)
        case HostDoubt():
            return on_doubt(draft, event)
        case Configured():
            _configure(draft, event.policy)
            return True
        case Restored():
            _restore(draft, event)
            return True
    # Woke: a timer that fired a little early is asked for again.
    draft.doing = replace(draft.doing, wake_ms=0)
    return True


def _configure(draft: Draft, policy: Policy) -> None:
    """A new policy: probes that are still there keep their counters, the rest starts unknown."""
    before, now = draft.policy, draft.at.boot_ms
    upstreams = {}
    for name, upstream in policy.upstreams.items():
        old = draft.upstreams.get(name)
        known = before.upstreams.get(name)
        probes = {}
        for probe, expect in upstream.probes.items():
            kept = old.probes.get(probe) if old is not None else None
            same = known is not None and known.probes.get(probe) == expect
            probes[probe] = kept if kept is not None and same else Tally(since_ms=now)
        health = upstream_health(probes, upstream.require)
        same_health = old is not None and old.health == health
        since = old.since_ms if old is not None and same_health else now
        release = old.release if old is not None else None
        upstreams[name] = Upstream(probes, health, since, release)
    draft.dependencies = {
        name: draft.dependencies[name]
        if name in draft.dependencies and before.dependencies.get(name) == expect
        else Tally(since_ms=now)
        for name, expect in policy.dependencies.items()
    }
    draft.seen = replace(
        draft.seen,
        prepares={n: fact for n, fact in draft.seen.prepares.items() if n in policy.upstreams},
        dependencies_up=tuple(n for n in draft.seen.dependencies_up if n in policy.dependencies),
    )
    draft.policy, draft.upstreams = policy, upstreams


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
    if memory.attempt is not None:
        memory = replace(memory, attempt=replace(memory.attempt, stage=INTERRUPTED))
    draft.memory = memory
    draft.told = replace(draft.told, epoch=_base36(now.wall_ms), seq=0)
    draft.doing = replace(draft.doing, settled_ms=now.boot_ms)


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number > 0:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text or "0"


def _settle(draft: Draft, before: State) -> None:
    """Draw every consequence of what is known now, in one fixed order.

    What is true comes first, then what time has ended, then what is to be done, and last what
    is said: each reads only what the ones before it have settled.
    """
    settle_unknown(draft)
    adopt(draft)
    if draft.now.mode != OBSERVE:
        drop_shadow(draft)
    end_pause(draft)
    account(draft, before)
    end_bake(draft)
    note_up(draft)
    _decide(draft)
    tend(draft)
    advance(draft)
    answer_dry_runs(draft)
    _ask_prepares(draft)
    tell(draft)
    judge_calm(draft)
    _wake(draft)


def _decide(draft: Draft) -> None:
    """Begin an automatic switch when it is wanted and no gate is closed (laws 2 and 4)."""
    now = draft.now
    if draft.doing.switch is not None or draft.memory.attempt is not None or not now.wanted:
        clock_veto(draft, False)
        return
    to = now.target
    closed = [finding for finding in evaluate(now, to) if finding.closed]
    clock_veto(draft, only_vetoed(closed))
    if to is None:
        return
    if any(finding.name != "min_down" and not finding.pending for finding in closed):
        draft.doing = replace(draft.doing, held_ms=draft.at.boot_ms)
    if not closed:
        if now.still_failing:  # else the next result tells: it is asked for at the fast interval
            reason = failure_sentence(now.state, now.active)
            set_out(draft, to, Order("", reason=reason, trigger=AUTOMATIC))
    elif waivable(draft.now, closed):
        propose(draft, to, closed)
    elif closed[0].name == "mode":
        would_switch(draft, to)
    elif closed[0].name == "latched":
        latch(draft, closed[0].evidence)


def _ask_prepares(draft: Draft) -> None:
    """Know in advance whether a switch would be accepted; be armed once the active one fails."""
    now, link = draft.now, draft.seen.link
    if draft.doing.preparing is not None or link is None or draft.doing.retry_ms > draft.at.boot_ms:
        return
    to = now.target
    if now.failing_since is not None and to is not None:
        armed = usable_prepare(now.state, to, PRELOAD_MS)
        if armed is None or (armed.gate and _age(now.state, to) >= WANTED_RETRY_MS):
            ask_prepare(draft, to, urgent=True)
            return
    for name in draft.policy.upstreams:
        if name in (now.active, link.upstream):
            continue
        fact = usable_prepare(now.state, name, TEST_MS)
        if fact is None or (fact.gate and _age(now.state, name) >= REFUSED_RETRY_MS):
            ask_prepare(draft, name, urgent=False)
            return


def _age(state: State, upstream: str) -> int:
    return state.at.boot_ms - state.seen.prepares[upstream].at.boot_ms


def _wake(draft: Draft) -> None:
    """Ask to be called when the next thing falls due that depends on time alone."""
    now = draft.at.boot_ms
    at = min((time for time in _due(draft.now) if time > now), default=0)
    if at != draft.doing.wake_ms:
        draft.doing = replace(draft.doing, wake_ms=at)
        if at:
            draft.out.append(Wake(at))


def _due(now: Now) -> list[int]:
    """Boot times at which a gate, a bake, a pause or a prepare changes by itself."""
    state, memory, doing = now.state, now.state.memory, now.state.doing
    rollback = state.policy.rollback
    times = [memory.grace_from_ms + rollback.start_grace_ms, doing.retry_ms]
    if memory.pause is not None:
        times += [memory.pause.until_ms, memory.pause.until_ms - PAUSE_TOLD_MS]
    if memory.bake is not None:
        times += [memory.bake.until_ms, memory.bake.counted_ms + QUANTUM_MS]
    if memory.proposal is not None:
        times.append(memory.proposal.remind_ms)
    if doing.veto_ms is not None:
        times.append(doing.veto_ms + VETO_MS)
    charges = counted(now)
    times += [at + rollback.cooldown_ms for at in charges]
    times += [at + rollback.budget_per_ms for at in charges]
    if now.active is not None and now.failing_since is not None:
        again = state.at.boot_ms + WANTED_RETRY_MS
        times += [now.failing_since + min_down_ms(state, now.active), again]
    if state.seen.looked_ms is not None:
        times.append(state.seen.looked_ms + STALE_MS + 1)
    for fact in state.seen.prepares.values():
        wait = REFUSED_RETRY_MS if fact.gate else TEST_MS
        times.append(fact.at.boot_ms + wait + 1)
    times += _lapses(now)
    if doing.switch is not None and doing.switch.stage == TESTING:
        times.append(doing.switch.since_ms + PENDING_MS + 1)
    if doing.unsettled:
        times.append(doing.settled_ms + UNSETTLED_MS)
    return times


def _lapses(now: Now) -> list[int]:
    """When the target's passes are not fresh any more."""
    state, to = now.state, now.target
    if to is None or state.upstreams[to].health != UP:
        return []
    policy, require = state.policy, state.policy.upstreams[to].require
    needed = policy.rollback.standby_passes
    _, lapse = fresh_passes(state.upstreams[to], policy.health, require, needed, state.at.boot_ms)
    return [lapse + 1]
