"""A switch on its way: prepared, queued, judged again at its turn, begun. Its end: ``ending.py``.

Law 5: an attempt is charged, and the charge saved, before the link moves. A refusal before
that gives it back; a crash keeps it.
"""

from dataclasses import replace

from healthguard.core.charges import charge
from healthguard.core.codes import Code
from healthguard.core.draft import Draft, actor_fields
from healthguard.core.events import AskTurn, Commit, GiveBackTurn, Prepare
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.gates import binding_for, evaluate, first_closed
from healthguard.core.happenings import INFO, WARNING
from healthguard.core.memory import QUEUED, SWITCHING, TESTING, Begun, Switch
from healthguard.core.model import DOWN, UP, Order, Outcome
from healthguard.core.now import Finding, Now
from healthguard.core.releases import release_of
from healthguard.core.state import TICKET_MS, State, baking, health_of, usable_prepare

PENDING_MS = 10_000  # an order waits this long for an outside fact, then it is refused


def ask_prepare(draft: Draft, upstream: str, urgent: bool) -> None:
    """Ask for a prepare, unless one is under way."""
    if draft.doing.preparing is None:
        stamp = draft.seen.stamp
        draft.doing = replace(draft.doing, preparing=upstream, preparing_stamp=stamp)
        draft.out.append(Prepare(upstream, urgent))


def set_out(draft: Draft, to: str, order: Order, waived: tuple[str, ...] = ()) -> None:
    """A switch to ``to`` is wanted: it goes its way from here."""
    switch = Switch(to, order, TESTING, draft.at.boot_ms, waived=waived)
    waiting = (order.order_id,) if order.order_id else ()
    draft.doing = replace(draft.doing, switch=switch, waiting=waiting)


def advance(draft: Draft) -> None:
    """Bring a waiting switch one stage further: a fresh ticket first, then the turn."""
    switch = draft.doing.switch
    if switch is None or switch.stage != TESTING:
        return
    closed = _closed(draft.now, switch)
    if closed is not None and not closed.pending:
        withdraw(draft, closed.name, closed.evidence)
        return
    if closed is not None and draft.at.boot_ms - switch.since_ms > PENDING_MS:
        withdraw(draft, closed.name, closed.evidence)
        return
    fact = usable_prepare(draft.now.state, switch.to, TICKET_MS)
    if fact is None or fact.ticket is None:
        ask_prepare(draft, switch.to, urgent=True)
    elif closed is None:
        draft.doing = replace(draft.doing, switch=replace(switch, stage=QUEUED))
        draft.out.append(AskTurn())


def _closed(now: Now, switch: Switch) -> Finding | None:
    """What closes the way for ``switch`` now, or None."""
    gate = first_closed(evaluate(now, switch.to), binding_for(switch.order, switch.waived))
    if gate is not None:
        return replace(gate, pending=gate.pending or _old_refusal(now.state, switch, gate.name))
    if (switch.automatic or switch.order.verb == "approve") and not now.wanted:
        return Finding("min_down", True, "the active upstream is no longer down")
    if switch.automatic and not now.still_failing:
        return Finding("min_down", True, "the last check of the active upstream passed")
    return None


def _old_refusal(state: State, switch: Switch, gate: str) -> bool:
    """True if an order meets a refusal from before it was given: it is worth another prepare."""
    fact = state.seen.prepares.get(switch.to)
    refused = fact is not None and fact.gate == gate and fact.at.boot_ms < switch.since_ms
    return refused and bool(state.doing.waiting)


def withdraw(draft: Draft, gate: str, message: str) -> None:
    """Give up a waiting switch: nothing was moved. Who ordered it gets the gate."""
    switch, waiting = draft.doing.switch, draft.doing.waiting
    if switch is None:
        return
    if switch.stage == QUEUED:
        draft.out.append(GiveBackTurn())
    draft.doing = replace(draft.doing, switch=None, waiting=())
    if waiting:
        draft.say(
            "order_refused",
            verb=switch.order.verb,
            to=switch.to,
            actor=actor_fields(switch.order.actor),
            gate=gate,
            reason=message,
        )
        draft.reply(waiting, Outcome(Code.REFUSED, gate, message))


def on_turn(draft: Draft) -> bool:
    """It is our turn on nginx: judge again, then begin."""
    switch = draft.doing.switch
    if switch is None or switch.stage != QUEUED:
        draft.out.append(GiveBackTurn())
        return True
    closed = _closed(draft.now, switch)
    fact = usable_prepare(draft.now.state, switch.to, TICKET_MS)
    if closed is not None and not closed.pending:
        withdraw(draft, closed.name, closed.evidence)
    elif closed is not None or fact is None or fact.ticket is None:
        draft.out.append(GiveBackTurn())
        draft.doing = replace(draft.doing, switch=replace(switch, stage=TESTING))
    else:
        _begin(draft, switch, fact.ticket)
    return True


def _begin(draft: Draft, switch: Switch, ticket: str) -> None:
    """Charge, remember the intent, say it, do it."""
    now, link = draft.now, draft.seen.link
    begun = _begun(now, switch, draft.next_id())
    attempt = replace(switch, stage=SWITCHING, begun=begun)
    fields = begun_fields(attempt, begun)
    draft.memory = replace(draft.memory, attempt=attempt)
    draft.decided("switch_started", fields)
    if switch.automatic:
        charge(draft)
    spent = replace(draft.seen.prepares[switch.to], ticket=None)  # good for one switch
    draft.seen = replace(draft.seen, prepares={**draft.seen.prepares, switch.to: spent})
    draft.doing = replace(draft.doing, switch=None)
    level = WARNING if switch.automatic else INFO
    draft.say_as(begun.switch_id, "switch_started", fields, level)
    linked = link.upstream if link is not None else None
    undo_unclear = health_of(now.state, begun.origin) == UP
    force = switch.order.force
    draft.out.append(
        Commit(begun.switch_id, draft.policy.pool, ticket, linked, switch.to, undo_unclear, force)
    )


def _begun(now: Now, switch: Switch, switch_id: str) -> Begun:
    state, left = now.state, now.serving
    since, fact = now.failing_since, state.seen.prepares.get(switch.to)
    detected = switch.automatic and since is not None
    return Begun(
        switch_id,
        left,
        health_of(state, left) == DOWN or baking(state, left),
        switch.order.reason or failure_sentence(state, left),
        release_of(state, left),
        release_of(state, switch.to),
        state.at.boot_ms - since if detected and since is not None else None,
        fact.took_ms if fact is not None else 0,
        tuple(evidence(state, left)),
        _warnings(now, switch),
    )


def begun_fields(switch: Switch, begun: Begun) -> dict[str, object]:
    """What `switch_started` says, and the end of the switch again."""
    fields: dict[str, object] = {
        "from": begun.origin,
        "to": switch.to,
        "trigger": switch.order.trigger,
        "reason": begun.reason,
        "actor": actor_fields(switch.order.actor),
        "release_from": begun.release_from,
        "release_to": begun.release_to,
        "detection_ms": begun.detection_ms,
        "timings_ms": {"prepare": begun.prepare_ms},
        "evidence": list(begun.evidence),
    }
    if begun.warnings:
        fields["warnings"] = list(begun.warnings)
    return fields


def _warnings(now: Now, switch: Switch) -> tuple[str, ...]:
    """Gates that are closed, but do not bind this order."""
    binding = binding_for(switch.order, switch.waived)
    if binding is None:
        return ()
    closed = [finding for finding in evaluate(now, switch.to) if finding.closed]
    return tuple(f"{each.name}: {each.evidence}" for each in closed if each.name not in binding)
