"""What people and signals want: each verb of an order, refused by name or carried out."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from healthguard.core.draft import Draft, actor_fields
from healthguard.core.events import Ordered
from healthguard.core.gates import FORCE_GATES, Gate, binding_for, evaluate, first_closed
from healthguard.core.memory import Ledger, Pause
from healthguard.core.model import AUTOMATIC, Outcome
from healthguard.core.probation import PAUSE_TOLD_MS, forget_verdicts
from healthguard.core.proposals import close, command
from healthguard.core.releases import pardon, release_of, vouch
from healthguard.core.state import (
    QUEUED,
    SWITCHING,
    TESTING,
    TICKET_MS,
    DryRun,
    Work,
    in_use,
    target,
    usable_test,
)
from healthguard.core.switching import ask_test, withdraw


def on_ordered(draft: Draft, event: Ordered) -> bool:
    """Carry out one order, or begin to; each is answered exactly once."""
    handler = _VERBS.get(event.verb)
    if handler is None:
        _reply(draft, event, Outcome(2, "usage", f"unknown order {event.verb!r}"))
        return False
    known = draft.s.policy.upstreams
    if event.upstream is not None and event.upstream not in known:
        message = f"pool {draft.s.policy.pool} has no upstream {event.upstream!r}, only " + (
            ", ".join(known)
        )
        _reply(draft, event, Outcome(2, "unknown_upstream", message))
        return False
    if not event.dry_run:
        draft.record(
            "order_received",
            order=event.order_id,
            verb=event.verb,
            to=event.upstream,
            trigger=event.trigger,
            reason=event.reason,
            force=event.force,
            actor=actor_fields(event.actor),
        )
    handler(draft, event)
    return True


def _reply(draft: Draft, event: Ordered, outcome: Outcome) -> None:
    draft.reply((event.order_id,), outcome)


def _refuse(draft: Draft, event: Ordered, gate: str, message: str) -> None:
    if not event.dry_run:
        draft.record(
            "order_refused",
            "warning",
            order=event.order_id,
            verb=event.verb,
            to=event.upstream,
            actor=actor_fields(event.actor),
            gate=gate,
            reason=message,
        )
    _reply(draft, event, Outcome(1, gate, message))


# --------------------------------------------------------------- switch and rollback


def _switch(draft: Draft, event: Ordered) -> None:
    if event.upstream is None:
        _reply(draft, event, Outcome(2, "usage", "switch needs an upstream"))
        return
    _to(draft, event, event.upstream)


def _rollback(draft: Draft, event: Ordered) -> None:
    """To the target. It names no upstream, so it never goes onto what was just left."""
    to = target(draft.s)
    if to is None:
        gate = first_closed(evaluate(draft.s, None), frozenset({"no_target"}))
        _refuse(draft, event, "no_target", gate.evidence if gate is not None else "no target")
        return
    _to(draft, event, to)


def _to(draft: Draft, event: Ordered, to: str, waived: tuple[str, ...] = ()) -> None:
    state, work = draft.s, draft.s.work
    if event.dry_run:
        now = draft.at.boot_ms
        dry = DryRun(event.order_id, to, event.trigger, event.verb, event.force, now)
        draft.set(dry_runs=(*state.dry_runs, dry))
        return
    if work is not None and work.trigger != AUTOMATIC and work.to != to:
        _refuse(draft, event, "switch_in_flight", f"a switch to {work.to} is under way")
        return
    if work is not None and (work.stage == SWITCHING or work.trigger != AUTOMATIC):
        if work.to == to:  # a second order for the same target joins the first
            draft.set(work=replace(work, orders=(*work.orders, event.order_id)))
        else:
            _refuse(draft, event, "switch_in_flight", f"a switch to {work.to} is under way")
        return
    name, how, _ = in_use(state)
    if name == to and not state.memory.lost:
        already = {"from": name, "to": to, "changed": False}
        _reply(draft, event, Outcome(0, "", f"{to} is active already ({how})", already))
        return
    if state.memory.attempt is not None:
        _refuse(draft, event, "switch_in_flight", "an earlier switch is not settled yet")
        return
    if work is not None:  # an order beats a waiting automatic switch
        withdraw(draft, "switch_in_flight", "an order came first")
    draft.set(work=replace(_work(draft, event, to), waived=waived))


def _work(draft: Draft, event: Ordered, to: str) -> Work:
    return Work(
        to,
        event.trigger,
        TESTING,
        draft.at.boot_ms,
        event.verb,
        event.reason,
        event.actor,
        (event.order_id,),
        event.force,
    )


def _approve(draft: Draft, event: Ordered) -> None:
    """Carry out the open proposal; everything is judged again, but what it named as in the way."""
    proposal = draft.memory.proposal
    if proposal is None:
        _refuse(draft, event, "no_proposal", "no proposal is open")
        return
    if event.proposal is not None and event.proposal != proposal.proposal_id:
        message = f"{event.proposal} is not open any more; now it is {command(draft.s, proposal)}"
        _refuse(draft, event, "no_proposal", message)
        return
    reason = event.reason or f"approved: {proposal.reason}"
    _to(draft, replace(event, reason=reason), proposal.to, proposal.gates)


def _reject(draft: Draft, event: Ordered) -> None:
    """No: not asked again before the active upstream was up once."""
    proposal = draft.memory.proposal
    if proposal is None:
        _refuse(draft, event, "no_proposal", "no proposal is open")
        return
    close(draft, f"rejected by {event.actor.user}{': ' + event.reason if event.reason else ''}")
    draft.remember(rejected=True)
    _reply(draft, event, Outcome(0, "", f"rejected: {proposal.origin} -> {proposal.to}"))


def answer_dry_runs(draft: Draft) -> None:
    """Answer those for whom a prepare has ended since; ask for one for the others."""
    waiting = []
    for dry in draft.s.dry_runs:
        test = usable_test(draft.s, dry.to, TICKET_MS)
        if dry.to not in draft.s.policy.upstreams:
            message = f"a reload has removed {dry.to}"
            draft.reply((dry.order_id,), Outcome(2, "unknown_upstream", message))
        elif test is not None and test.at.boot_ms >= dry.since_ms:
            draft.reply((dry.order_id,), _dry_outcome(draft, dry))
        else:
            waiting.append(dry)
            ask_test(draft, dry.to, urgent=True)
    if len(waiting) != len(draft.s.dry_runs):
        draft.set(dry_runs=tuple(waiting))


def _dry_outcome(draft: Draft, dry: DryRun) -> Outcome:
    state = draft.s
    gates = evaluate(state, dry.to)
    closed = first_closed(gates, binding_for(dry.trigger, dry.verb, dry.force))
    test = state.tests[dry.to]
    data: Mapping[str, object] = {
        "dry_run": True,
        "from": in_use(state)[0],
        "to": dry.to,
        "gates": [gate_row(gate) for gate in gates],
        "prepare_ms": test.took_ms,
    }
    if in_use(state)[0] == dry.to:
        return Outcome(0, "", f"{dry.to} is active already: nothing would be done", data)
    if closed is not None:
        return Outcome(1, closed.name, closed.evidence, data)
    return Outcome(0, "", f"would switch to {dry.to}; the prepare passed", data)


def gate_row(gate: Gate) -> dict[str, object]:
    """One gate as it stands in JSON."""
    return {
        "gate": gate.name,
        "closed": gate.closed,
        "pending": gate.pending,
        "evidence": gate.evidence,
        "never_forced": gate.name in FORCE_GATES,
    }


# --------------------------------------------------------------- the other verbs


def _pause(draft: Draft, event: Ordered) -> None:
    if event.for_ms <= 0 or not event.reason.strip():
        _reply(draft, event, Outcome(2, "usage", "a pause needs a length and a reason"))
        return
    until, old = draft.at.boot_ms + event.for_ms, draft.memory.pause
    if event.trigger == "signal" and old is not None and old.until_ms >= until:
        _reply(draft, event, Outcome(0, "", "paused for longer already"))
        return
    pause = Pause(until, event.reason, event.actor.user, told=event.for_ms <= PAUSE_TOLD_MS)
    draft.remember(pause=pause, down_at_pause_end=False)
    work = draft.s.work
    if work is not None and work.trigger == AUTOMATIC and work.stage in (TESTING, QUEUED):
        withdraw(draft, "paused", event.reason)
    draft.record(
        "paused",
        reason=event.reason,
        for_ms=event.for_ms,
        until_wall_ms=draft.at.wall_ms + event.for_ms,
        actor=actor_fields(event.actor),
    )
    _reply(draft, event, Outcome(0, "", f"paused: {event.reason}", {"for_ms": event.for_ms}))


def _resume(draft: Draft, event: Ordered) -> None:
    if draft.memory.pause is None and not draft.memory.down_at_pause_end:
        _reply(draft, event, Outcome(0, "", "not paused"))
        return
    if draft.memory.pause is not None:
        forget_verdicts(draft)  # what was seen in the pause is not acted on
    draft.remember(pause=None, down_at_pause_end=False)
    draft.record("resumed", reason=event.reason, actor=actor_fields(event.actor))
    _reply(draft, event, Outcome(0, "", "resumed"))


def _ack(draft: Draft, event: Ordered) -> None:
    """A person has looked: the latch opens with a new budget; `lost` ends if the truth is back."""
    memory = draft.memory
    latched = memory.ledger.latched_ms is not None or memory.shadow.latched_ms is not None
    if memory.lost and in_use(draft.s)[0] is None:
        _refuse(draft, event, "lost", f"link and workers do not agree yet: {in_use(draft.s)[2]}")
        return
    if not latched and not memory.lost:
        _reply(draft, event, Outcome(0, "", "nothing to acknowledge"))
        return
    draft.remember(
        ledger=replace(memory.ledger, latched_ms=None, charges_ms=()), shadow=Ledger(), lost=""
    )
    draft.record(
        "acked",
        what="lost" if memory.lost else "latched",
        reason=event.reason,
        actor=actor_fields(event.actor),
    )
    _reply(draft, event, Outcome(0, "", "acknowledged"))


def _good(draft: Draft, event: Ordered) -> None:
    if event.upstream is None:
        _reply(draft, event, Outcome(2, "usage", "good needs an upstream"))
        return
    pardon(draft, event.upstream, "somebody vouched for it")
    vouch(draft, event.upstream, event.reason or f"vouched for by {event.actor.user}")
    draft.record(
        "release_marked",
        upstream=event.upstream,
        release=release_of(draft.s, event.upstream),
        mark="good",
        reason=event.reason,
        actor=actor_fields(event.actor),
    )
    _reply(draft, event, Outcome(0, "", f"{event.upstream} is vouched for"))


def _clear(draft: Draft, event: Ordered) -> None:
    """Forget the mark of one upstream, or of all (no upstream given)."""
    names = [event.upstream] if event.upstream is not None else list(draft.s.policy.upstreams)
    reason = event.reason or f"cleared by {event.actor.user}"
    cleared = [name for name in names if pardon(draft, name, reason)]
    message = f"cleared: {', '.join(cleared)}" if cleared else "there was no mark"
    _reply(draft, event, Outcome(0, "", message, {"cleared": cleared}))


_VERBS: Mapping[str, Callable[[Draft, Ordered], None]] = {
    "switch": _switch,
    "rollback": _rollback,
    "approve": _approve,
    "reject": _reject,
    "pause": _pause,
    "resume": _resume,
    "ack": _ack,
    "good": _good,
    "clear": _clear,
}
