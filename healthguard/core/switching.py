"""A switch on its way: tested, queued, judged again at its turn, started, finished.

Law 5: an attempt is charged, and the charge saved, before the link moves. A refusal before
that gives it back; a crash keeps it.
"""

from collections.abc import Mapping
from dataclasses import replace

from healthguard.core.draft import Draft, actor_fields
from healthguard.core.events import Queue, Release, Switch, SwitchFinished, Test
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.gates import DAY_MS, GATES, binding_for, evaluate, first_closed
from healthguard.core.memory import Attempt, Confirmed
from healthguard.core.model import (
    AUTOMATIC,
    COMPLETED,
    DEPLOY,
    DOWN,
    LOST,
    MANUAL,
    REFUSED,
    SIGNAL,
    UNDONE,
    UP,
    Done,
    LinkFact,
    Outcome,
    TestFact,
)
from healthguard.core.probation import start_bake
from healthguard.core.releases import condemn, pardon, release_of
from healthguard.core.state import (
    QUEUED,
    SWITCHING,
    TESTING,
    TICKET_MS,
    State,
    Work,
    active,
    baking,
    failing_since,
    health_of,
    in_use,
    still_failing,
    usable_test,
    wanted,
)

RETRY_MS = 5_000  # after a refused commit
UNSETTLED_MS = 60_000  # a switch whose end nobody knows is lost after this
PENDING_MS = 10_000  # an order waits this long for an outside fact, then it is refused


def ask_test(draft: Draft, upstream: str, urgent: bool) -> None:
    """Ask for a prepare, unless one is under way."""
    if draft.s.testing is None:
        draft.set(testing=upstream, testing_stamp=draft.s.stamp)
        draft.out.append(Test(upstream, urgent))


def advance(draft: Draft) -> None:
    """Bring waiting work one stage further: a fresh ticket first, then the turn."""
    work = draft.s.work
    if work is None or work.stage != TESTING:
        return
    closed = _closed(draft.s, work)
    if closed is not None and not closed[2]:
        withdraw(draft, closed[0], closed[1])
        return
    if closed is not None and draft.at.boot_ms - work.since_ms > PENDING_MS:
        withdraw(draft, closed[0], closed[1])
        return
    test = usable_test(draft.s, work.to, TICKET_MS)
    if test is None or test.ticket is None:
        ask_test(draft, work.to, urgent=True)
    elif closed is None:
        draft.set(work=replace(work, stage=QUEUED))
        draft.out.append(Queue())


def _closed(state: State, work: Work) -> tuple[str, str, bool] | None:
    """(gate, evidence, pending) that closes the way for ``work`` now, or None."""
    binding = binding_for(work.trigger, work.verb, work.force, work.waived)
    gate = first_closed(evaluate(state, work.to), binding)
    if gate is not None:
        return gate.name, gate.evidence, gate.pending or _old_refusal(state, work, gate.name)
    if (work.trigger == AUTOMATIC or work.verb == "approve") and not wanted(state):
        return "min_down", "the active upstream is not down any more", False
    if work.trigger == AUTOMATIC and not still_failing(state):
        return "min_down", "the last check of the active upstream has passed", False
    return None


def _old_refusal(state: State, work: Work, gate: str) -> bool:
    """True if an order meets a refusal from before it was given: it is worth another prepare."""
    test = state.tests.get(work.to)
    refused = test is not None and test.gate == gate and test.at.boot_ms < work.since_ms
    return refused and bool(work.orders)


def withdraw(draft: Draft, gate: str, message: str) -> None:
    """Give up waiting work: nothing was moved. An order is told the gate."""
    work = draft.s.work
    if work is None:
        return
    if work.stage == QUEUED:
        draft.out.append(Release())
    draft.set(work=None)
    if work.orders:
        draft.record("order_refused", "warning", **_order_fields(work), gate=gate, reason=message)
        draft.reply(work.orders, Outcome(1, gate, message))


def _order_fields(work: Work) -> dict[str, object]:
    return {"verb": work.verb, "to": work.to, "actor": actor_fields(work.actor)}


def on_turn(draft: Draft) -> bool:
    """It is our turn on nginx: judge again, then begin."""
    work = draft.s.work
    if work is None or work.stage != QUEUED:
        draft.out.append(Release())
        return True
    closed = _closed(draft.s, work)
    test = usable_test(draft.s, work.to, TICKET_MS)
    if closed is not None and not closed[2]:
        withdraw(draft, closed[0], closed[1])
    elif closed is not None or test is None or test.ticket is None:
        draft.out.append(Release())
        draft.set(work=replace(work, stage=TESTING))
    else:
        _begin(draft, work, test.ticket)
    return True


def _begin(draft: Draft, work: Work, ticket: str) -> None:
    """Charge, remember the intent, say it, do it."""
    state = draft.s
    origin = state.link.upstream if state.link is not None else None
    left = active(state) or state.memory.active
    switch_id = draft.next_id()
    fields = _started_fields(state, work, left)
    failed = left is not None and (health_of(state, left) == DOWN or baking(state, left))
    attempt = Attempt(switch_id, left, work.to, work.trigger, work.verb, work.force, failed, fields)
    draft.remember(
        attempt=attempt,
        last_decision={"at_wall_ms": draft.at.wall_ms, "event": "switch_started", **fields},
    )
    if work.trigger == AUTOMATIC:
        charge(draft)
    spent = replace(state.tests[work.to], ticket=None)  # a ticket is good for one switch
    draft.set(work=replace(work, stage=SWITCHING), tests={**state.tests, work.to: spent})
    level = "warning" if work.trigger == AUTOMATIC else "info"
    draft.record_as(switch_id, "switch_started", level, fields)
    undo_unclear = health_of(state, left) == UP
    draft.out.append(Switch(switch_id, ticket, origin, work.to, undo_unclear, work.force))


def charge(draft: Draft) -> None:
    """Spend one attempt of cooldown and budget; those older than a day count for nothing."""
    now, ledger = draft.at.boot_ms, draft.memory.ledger
    recent = tuple(at for at in ledger.charges_ms if now - at < DAY_MS)
    draft.remember(ledger=replace(ledger, charges_ms=(*recent, now)), undo_stamp=None)


def _refund(draft: Draft) -> None:
    ledger = draft.memory.ledger
    draft.remember(ledger=replace(ledger, charges_ms=ledger.charges_ms[:-1]))


def _started_fields(state: State, work: Work, left: str | None) -> dict[str, object]:
    since = failing_since(state)
    automatic = work.trigger == AUTOMATIC
    test = state.tests.get(work.to)
    fields: dict[str, object] = {
        "from": left,
        "to": work.to,
        "trigger": work.trigger,
        "reason": work.reason or failure_sentence(state, left),
        "actor": actor_fields(work.actor),
        "release_from": release_of(state, left),
        "release_to": release_of(state, work.to),
        "detection_ms": state.at.boot_ms - since if automatic and since is not None else None,
        "timings_ms": {"prepare": test.took_ms if test is not None else 0},
        "evidence": evidence(state, left),
    }
    warnings = _warnings(state, work)
    if warnings:
        fields["warnings"] = warnings
    return fields


def _warnings(state: State, work: Work) -> list[str]:
    """Gates that are closed, but do not bind this order."""
    binding = binding_for(work.trigger, work.verb, work.force, work.waived)
    if binding is None:
        return []
    closed = [gate for gate in evaluate(state, work.to) if gate.closed]
    return [f"{gate.name}: {gate.evidence}" for gate in closed if gate.name not in binding]


# --------------------------------------------------------------- the end of a switch


def on_finished(draft: Draft, event: SwitchFinished) -> bool:
    """A commit has ended, or a crash of its participants was cleared up."""
    attempt = draft.memory.attempt
    if attempt is None or attempt.switch_id != event.switch_id:
        return False
    if not event.done.outcome:  # nobody knows: link and workers will tell
        draft.set(unsettled=True, settled_ms=draft.at.boot_ms)
        return True
    finish(draft, attempt, event.done)
    return True


def settle_unknown(draft: Draft) -> None:
    """End an attempt whose outcome nobody knows by what link and workers say now."""
    attempt = draft.memory.attempt
    if not draft.s.unsettled or attempt is None or draft.s.link is None:
        return
    if draft.s.looked_ms is None or draft.s.looked_ms < draft.s.settled_ms:
        return
    name, _, problem = in_use(draft.s)
    if name is None:
        if draft.at.boot_ms - draft.s.settled_ms >= UNSETTLED_MS:
            message = f"it broke in the middle, and what nginx uses stays unknown: {problem}"
            finish(draft, attempt, Done(LOST, message=message, confirm="unclear", recovered=True))
        return
    nginx = draft.s.nginx
    done = Done(
        COMPLETED if name == attempt.to else UNDONE,
        confirm="proven",
        message="found so after a break in the middle of the switch",
        link=draft.s.link.identity,
        master=nginx.master if nginx is not None else "",
        recovered=True,
    )
    finish(draft, attempt, done)


def finish(draft: Draft, attempt: Attempt, done: Done) -> None:
    """Draw the consequences of ``done``, say them, answer who waits."""
    work = draft.s.work
    orders = work.orders if work is not None and work.stage == SWITCHING else ()
    if work is not None and work.stage == SWITCHING:
        draft.set(work=None)
        draft.out.append(Release())
    draft.remember(attempt=None)
    draft.set(unsettled=False, settled_ms=draft.at.boot_ms, would=False)
    if done.outcome == COMPLETED:
        _completed(draft, attempt, done)
        _say(draft, "switch_completed", "info", attempt, done)
        _consequences(draft, attempt)
        draft.reply(orders, _outcome(0, attempt, done))
    elif done.outcome == REFUSED:
        _refused(draft, attempt, done, work, orders)
    elif done.outcome == UNDONE:
        draft.remember(undo_stamp="")
        _believe(draft, attempt.origin, done)
        _say(draft, "switch_undone", "error", attempt, done)
        draft.reply(orders, _outcome(4, attempt, done))
    else:
        _lost(draft, attempt, done)
        _say(draft, "switch_lost", "error", attempt, done)
        draft.reply(orders, _outcome(5, attempt, done))


def _outcome(code: int, attempt: Attempt, done: Done) -> Outcome:
    words = {0: "", 4: "undone", 5: done.outcome}
    data = {
        "id": attempt.switch_id,
        "from": attempt.origin,
        "to": attempt.to,
        "confirm": done.confirm,
        "timings_ms": dict(done.timings_ms),
        "warnings": attempt.fields.get("warnings", []),
    }
    return Outcome(code, words[code], done.message, data)


def _say(draft: Draft, event: str, level: str, attempt: Attempt, done: Done) -> None:
    fields = dict(attempt.fields)
    prepare = fields.pop("timings_ms", {})
    timings = {**(prepare if isinstance(prepare, Mapping) else {}), **done.timings_ms}
    fields |= {
        "switch": attempt.switch_id,
        "timings_ms": timings,
        "confirm": done.confirm,
        "message": done.message,
        "durable": done.durable,
    }
    if done.gate:
        fields["gate"] = done.gate
    if done.recovered:
        fields["recovered"] = True
    draft.record_as(draft.next_id(), event, level, fields)
    last = draft.memory.last_decision
    if last.get("event") == "switch_started" and last.get("to") == attempt.to:  # and its end
        draft.remember(last_decision={"at_wall_ms": last["at_wall_ms"], "event": event, **fields})


def _completed(draft: Draft, attempt: Attempt, done: Done) -> None:
    changes: dict[str, object] = {"active": attempt.to, "undo_stamp": None}
    if attempt.origin != attempt.to:  # law 7: a mere reload does not end a bake
        changes["bake"] = None
    if draft.memory.active != attempt.to:
        changes["active_since_ms"] = draft.at.boot_ms
    draft.remember(**changes)
    _believe(draft, attempt.to, done)


def _believe(draft: Draft, upstream: str | None, done: Done) -> None:
    """What the switcher has proven is what we know until the next look."""
    if upstream is None or not done.link:
        draft.remember(confirmed=None)
        draft.set(link=None)  # the next look will tell
        return
    if done.confirm == "proven" or done.outcome == UNDONE:
        draft.remember(confirmed=Confirmed(upstream, done.link, done.master))
    old = draft.s.link
    changed = old.changed_wall_ms if old is not None else 0
    draft.set(link=LinkFact(upstream, "", done.link, changed), marker=None)
    if draft.s.nginx is not None and done.master:
        draft.set(nginx=replace(draft.s.nginx, master=done.master))


def _consequences(draft: Draft, attempt: Attempt) -> None:
    """Marks and probation after a completed switch."""
    moved = attempt.origin != attempt.to
    left_failed = (
        attempt.trigger in (AUTOMATIC, SIGNAL)
        or attempt.verb == "rollback"
        or (attempt.trigger == MANUAL and attempt.origin_failed)
    )
    if moved and attempt.origin is not None and left_failed:
        condemn(draft, attempt.origin, str(attempt.fields.get("reason") or attempt.trigger))
    if attempt.trigger in (MANUAL, DEPLOY) and attempt.verb != "rollback":
        pardon(draft, attempt.to, "somebody switched to it on purpose")
    if moved and attempt.trigger in (MANUAL, DEPLOY):
        start_bake(draft, attempt.to, attempt.origin, attempt.forced)
    if attempt.forced and health_of(draft.s, attempt.to) != UP:
        draft.remember(forced=attempt.to)


def _refused(
    draft: Draft, attempt: Attempt, done: Done, work: Work | None, orders: tuple[str, ...]
) -> None:
    """Nothing was moved: the charge is given back, and the gate is known for next time."""
    if attempt.trigger == AUTOMATIC:
        _refund(draft)
    now = draft.at.boot_ms
    tests = {name: fact for name, fact in draft.s.tests.items() if name != attempt.to}
    again = work is not None and work.tries == 0 and done.gate == "config_invalid"
    if not again:
        gate = done.gate if done.gate in GATES else "switcher_unavailable"
        tests[attempt.to] = TestFact(draft.at, None, gate, done.message, draft.s.stamp)
        draft.set(retry_ms=now + RETRY_MS)
    draft.set(tests=tests)
    _say(draft, "switch_undone", "warning", attempt, done)
    if again and work is not None:  # a file changed between test and turn: test once more
        draft.set(work=replace(work, stage=TESTING, tries=1, since_ms=now))
    else:
        draft.reply(orders, Outcome(1, done.gate, done.message, {"id": attempt.switch_id}))


def _lost(draft: Draft, attempt: Attempt, done: Done) -> None:
    """The undo failed, or nobody can prove what nginx uses: a person must look."""
    draft.remember(confirmed=None)
    if done.outcome == LOST:
        draft.remember(lost=f"the switch to {attempt.to} could not be undone: {done.message}")
        if attempt.origin is not None and attempt.trigger in (AUTOMATIC, SIGNAL):
            condemn(draft, attempt.origin, str(attempt.fields.get("reason") or attempt.trigger))
        return
    _completed(draft, attempt, done)  # unclear, and left there on purpose
    draft.set(link=None)  # nothing is believed before the next look
    _consequences(draft, attempt)
