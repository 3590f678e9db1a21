"""What people and signals want: each verb of an order, refused by name or carried out."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from healthguard.core.charges import acknowledge
from healthguard.core.codes import Code
from healthguard.core.draft import Draft, actor_fields
from healthguard.core.events import Ordered
from healthguard.core.gates import evaluate, first_closed
from healthguard.core.memory import SWITCHING, Pause
from healthguard.core.model import Order, Outcome
from healthguard.core.probation import PAUSE_TOLD_MS, forget_verdicts
from healthguard.core.proposals import close, command
from healthguard.core.releases import pardon, release_of, vouch
from healthguard.core.state import DryRun
from healthguard.core.switching import set_out, withdraw


def on_ordered(draft: Draft, event: Ordered) -> bool:
    """Carry out one order, or begin to; each is answered exactly once."""
    order, known = event.order, draft.policy.upstreams
    handler = _VERBS.get(order.verb)
    if handler is None:
        _reply(draft, order, Outcome(Code.USAGE, "usage", f"unknown order {order.verb!r}"))
        return False
    if order.upstream is not None and order.upstream not in known:
        pool, names = draft.policy.pool, ", ".join(known)
        message = f"pool {pool} has no upstream {order.upstream!r} (known: {names})"
        _reply(draft, order, Outcome(Code.USAGE, "unknown_upstream", message))
        return False
    if not order.dry_run:
        draft.say(
            "order_received",
            order=order.order_id,
            verb=order.verb,
            to=order.upstream,
            trigger=order.trigger,
            reason=order.reason,
            force=order.force,
            actor=actor_fields(order.actor),
        )
    handler(draft, order)
    return True


def _reply(draft: Draft, order: Order, outcome: Outcome) -> None:
    draft.reply((order.order_id,), outcome)


def _refuse(draft: Draft, order: Order, gate: str, message: str) -> None:
    if not order.dry_run:
        draft.say(
            "order_refused",
            order=order.order_id,
            verb=order.verb,
            to=order.upstream,
            actor=actor_fields(order.actor),
            gate=gate,
            reason=message,
        )
    _reply(draft, order, Outcome(Code.REFUSED, gate, message))


# --------------------------------------------------------------- switch and rollback


def _switch(draft: Draft, order: Order) -> None:
    if order.upstream is None:
        _reply(draft, order, Outcome(Code.USAGE, "usage", "switch needs an upstream"))
        return
    _to(draft, order, order.upstream)


def _rollback(draft: Draft, order: Order) -> None:
    """To the target. It names no upstream, so it never goes onto what was just left."""
    to = draft.now.target
    if to is None:
        gate = first_closed(evaluate(draft.now, None), frozenset({"no_target"}))
        _refuse(draft, order, "no_target", gate.evidence if gate is not None else "no target")
        return
    _to(draft, order, to)


def _to(draft: Draft, order: Order, to: str, waived: tuple[str, ...] = ()) -> None:
    doing, attempt = draft.doing, draft.memory.attempt
    if order.dry_run:
        dry = DryRun(order, to, draft.at.boot_ms)
        draft.doing = replace(doing, dry_runs=(*doing.dry_runs, dry))
        return
    running = attempt if attempt is not None and attempt.stage == SWITCHING else doing.switch
    if running is not None and (running.stage == SWITCHING or not running.automatic):
        if running.to == to:  # a second order for the same target joins the first
            draft.doing = replace(doing, waiting=(*doing.waiting, order.order_id))
        else:
            _refuse(draft, order, "switch_in_flight", f"a switch to {running.to} is in progress")
        return
    now = draft.now
    if now.active == to and not draft.memory.lost:
        already = {"from": to, "to": to, "changed": False}
        _reply(draft, order, Outcome(Code.OK, "", f"{to} is already active ({now.how})", already))
        return
    if attempt is not None:
        _refuse(draft, order, "switch_in_flight", "how an earlier switch ended is not known yet")
        return
    if running is not None:  # an order beats a waiting automatic switch
        withdraw(draft, "switch_in_flight", "an order took precedence")
    set_out(draft, to, order, waived)


def _approve(draft: Draft, order: Order) -> None:
    """Carry out the open proposal; everything is judged again, but what it named as in the way."""
    proposal = draft.memory.proposal
    if proposal is None:
        _refuse(draft, order, "no_proposal", "no proposal is open")
        return
    if order.proposal is not None and order.proposal != proposal.proposal_id:
        current = command(draft.now.state, proposal)
        message = f"proposal {order.proposal} is no longer open; the current one: {current}"
        _refuse(draft, order, "no_proposal", message)
        return
    reason = order.reason or f"approved: {proposal.reason}"
    _to(draft, replace(order, reason=reason), proposal.to, proposal.gates)


def _reject(draft: Draft, order: Order) -> None:
    """No: not asked again before the active upstream was up once."""
    proposal = draft.memory.proposal
    if proposal is None:
        _refuse(draft, order, "no_proposal", "no proposal is open")
        return
    close(draft, f"rejected by {_who(order)}{': ' + order.reason if order.reason else ''}")
    draft.memory = replace(draft.memory, rejected=True)
    _reply(
        draft,
        order,
        Outcome(Code.OK, "", f"rejected: {draft.policy.pool} stays on {proposal.origin}"),
    )


def _who(order: Order) -> str:
    return order.actor.user if order.actor is not None else "healthguard"


# --------------------------------------------------------------- the other verbs


def _pause(draft: Draft, order: Order) -> None:
    if order.for_ms <= 0 or not order.reason.strip():
        _reply(draft, order, Outcome(Code.USAGE, "usage", "a pause needs a length and a reason"))
        return
    until, old = draft.at.boot_ms + order.for_ms, draft.memory.pause
    if order.trigger == "signal" and old is not None and old.until_ms >= until:
        _reply(draft, order, Outcome(Code.OK, "", "already paused for longer"))
        return
    pause = Pause(until, order.reason, _who(order), told=order.for_ms <= PAUSE_TOLD_MS)
    draft.memory = replace(draft.memory, pause=pause, down_at_pause_end=False)
    if draft.doing.switch is not None and draft.doing.switch.automatic:
        withdraw(draft, "paused", order.reason)
    draft.say(
        "paused",
        reason=order.reason,
        for_ms=order.for_ms,
        until_wall_ms=draft.at.wall_ms + order.for_ms,
        actor=actor_fields(order.actor),
    )
    _reply(draft, order, Outcome(Code.OK, "", f"paused: {order.reason}", {"for_ms": order.for_ms}))


def _resume(draft: Draft, order: Order) -> None:
    if draft.memory.pause is None and not draft.memory.down_at_pause_end:
        _reply(draft, order, Outcome(Code.OK, "", "not paused"))
        return
    if draft.memory.pause is not None:
        forget_verdicts(draft)  # what was seen in the pause is not acted on
    draft.memory = replace(draft.memory, pause=None, down_at_pause_end=False)
    draft.say("resumed", reason=order.reason, actor=actor_fields(order.actor))
    _reply(draft, order, Outcome(Code.OK, "", "resumed"))


def _ack(draft: Draft, order: Order) -> None:
    """A person has looked: the latch opens with a new budget; `lost` ends if the truth is back."""
    memory = draft.memory
    latched = memory.charges.latched_ms is not None or memory.shadow.latched_ms is not None
    if memory.lost and draft.now.active is None:
        _refuse(draft, order, "lost", f"cannot acknowledge yet: {draft.now.problem}")
        return
    if not latched and not memory.lost:
        _reply(draft, order, Outcome(Code.OK, "", "nothing to acknowledge"))
        return
    acknowledge(draft)
    draft.memory = replace(draft.memory, lost="")
    draft.say(
        "acked",
        what="lost" if memory.lost else "latched",
        reason=order.reason,
        actor=actor_fields(order.actor),
    )
    _reply(draft, order, Outcome(Code.OK, "", "acknowledged"))


def _good(draft: Draft, order: Order) -> None:
    if order.upstream is None:
        _reply(draft, order, Outcome(Code.USAGE, "usage", "good needs an upstream"))
        return
    pardon(draft, order.upstream, "vouched for")
    vouch(draft, order.upstream, order.reason or f"vouched for by {_who(order)}")
    draft.say(
        "release_marked",
        upstream=order.upstream,
        release=release_of(draft, order.upstream),
        mark="good",
        reason=order.reason,
        actor=actor_fields(order.actor),
    )
    _reply(
        draft,
        order,
        Outcome(
            Code.OK,
            "",
            f"OK: {order.upstream}{_release(draft, order.upstream)} is now a rollback target",
        ),
    )


def _release(draft: Draft, upstream: str) -> str:
    release = release_of(draft, upstream)
    return f" ({release})" if release is not None else ""


def _clear(draft: Draft, order: Order) -> None:
    """Forget the mark of one upstream, or of all (no upstream given)."""
    names = [order.upstream] if order.upstream is not None else list(draft.policy.upstreams)
    reason = order.reason or f"cleared by {_who(order)}"
    cleared = [name for name in names if pardon(draft, name, reason)]
    message = f"cleared: {', '.join(cleared)}" if cleared else "nothing was marked as known bad"
    _reply(draft, order, Outcome(Code.OK, "", message, {"cleared": cleared}))


_VERBS: Mapping[str, Callable[[Draft, Order], None]] = {
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
