"""The end of a switch: completed, refused, undone, lost, or found out after a break."""

from dataclasses import replace

from healthguard.core.charges import refund
from healthguard.core.codes import Code
from healthguard.core.draft import Draft
from healthguard.core.events import GiveBackTurn, SwitchFinished
from healthguard.core.gates import GATES
from healthguard.core.happenings import ERROR, INFO, WARNING
from healthguard.core.memory import SWITCHING, TESTING, Begun, Confirmed, Switch
from healthguard.core.model import (
    AUTOMATIC,
    COMPLETED,
    DEPLOY,
    LOST,
    MANUAL,
    REFUSED,
    SIGNAL,
    UNDONE,
    UP,
    Done,
    LinkFact,
    Outcome,
    PrepareFact,
)
from healthguard.core.probation import start_bake
from healthguard.core.releases import condemn, pardon
from healthguard.core.state import health_of
from healthguard.core.switching import begun_fields

RETRY_MS = 5_000  # after a refused commit
UNSETTLED_MS = 60_000  # a switch whose end nobody knows is lost after this


def on_finished(draft: Draft, event: SwitchFinished) -> bool:
    """A commit has ended, or a crash of its participants was cleared up."""
    attempt = draft.memory.attempt
    begun = attempt.begun if attempt is not None else None
    if attempt is None or begun is None or begun.switch_id != event.switch_id:
        return False
    if not event.done.outcome:  # nobody knows: link and workers will tell
        draft.doing = replace(draft.doing, unsettled=True, settled_ms=draft.at.boot_ms)
        return True
    finish(draft, attempt, begun, event.done)
    return True


def settle_unknown(draft: Draft) -> None:
    """End an attempt whose outcome nobody knows by what link and workers say now."""
    attempt, link, nginx = draft.memory.attempt, draft.seen.link, draft.seen.nginx
    if not draft.doing.unsettled or attempt is None or attempt.begun is None or link is None:
        return
    if draft.seen.looked_ms is None or draft.seen.looked_ms < draft.doing.settled_ms:
        return
    now = draft.now
    if now.active is None:
        if draft.at.boot_ms - draft.doing.settled_ms >= UNSETTLED_MS:
            message = (
                f"the switch was interrupted, and what nginx uses is still unknown: {now.problem}"
            )
            done = Done(LOST, message=message, confirm="unclear", recovered=True)
            finish(draft, attempt, attempt.begun, done)
        return
    done = Done(
        COMPLETED if now.active == attempt.to else UNDONE,
        confirm="proven",
        message="found out after the switch was interrupted",
        link=link.identity,
        master=nginx.master if nginx is not None else "",
        recovered=True,
    )
    finish(draft, attempt, attempt.begun, done)


def finish(draft: Draft, attempt: Switch, begun: Begun, done: Done) -> None:
    """Draw the consequences of ``done``, say them, answer who waits."""
    waiting = draft.doing.waiting
    if attempt.stage == SWITCHING:
        draft.out.append(GiveBackTurn())
    draft.memory = replace(draft.memory, attempt=None)
    draft.doing = replace(
        draft.doing, waiting=(), unsettled=False, settled_ms=draft.at.boot_ms, would=False
    )
    if done.outcome == COMPLETED:
        _completed(draft, attempt, begun, done)
        _say(draft, "switch_completed", INFO, attempt, begun, done)
        _consequences(draft, attempt, begun)
        draft.reply(waiting, _outcome(Code.OK, attempt, begun, done))
    elif done.outcome == REFUSED:
        _refused(draft, attempt, begun, done, waiting)
    elif done.outcome == UNDONE:
        draft.memory = replace(draft.memory, undo_stamp="")
        _believe(draft, begun.origin, done)
        _say(draft, "switch_undone", ERROR, attempt, begun, done)
        draft.reply(waiting, _outcome(Code.UNDONE, attempt, begun, done))
    else:
        _lost(draft, attempt, begun, done)
        _say(draft, "switch_lost", ERROR, attempt, begun, done)
        draft.reply(waiting, _outcome(Code.LOST, attempt, begun, done))


def _outcome(code: Code, attempt: Switch, begun: Begun, done: Done) -> Outcome:
    words = {Code.OK: "", Code.UNDONE: "undone", Code.LOST: done.outcome}
    data = {
        "id": begun.switch_id,
        "from": begun.origin,
        "to": attempt.to,
        "confirm": done.confirm,
        "timings_ms": dict(done.timings_ms),
        "warnings": list(begun.warnings),
    }
    return Outcome(code, words[code], done.message, data)


def _say(draft: Draft, event: str, level: str, attempt: Switch, begun: Begun, done: Done) -> None:
    fields = begun_fields(attempt, begun) | {
        "switch": begun.switch_id,
        "timings_ms": {"prepare": begun.prepare_ms, **done.timings_ms},
        "confirm": done.confirm,
        "message": done.message,
        "durable": done.durable,
    }
    if done.gate:
        fields["gate"] = done.gate
    if done.recovered:
        fields["recovered"] = True
    draft.say_as(draft.next_id(), event, fields, level)
    last = draft.memory.last_decision
    if last.get("event") == "switch_started" and last.get("to") == attempt.to:  # and its end
        decision = {"at_wall_ms": last["at_wall_ms"], "event": event, **fields}
        draft.memory = replace(draft.memory, last_decision=decision)


def _completed(draft: Draft, attempt: Switch, begun: Begun, done: Done) -> None:
    if draft.memory.active != attempt.to:
        draft.memory = replace(draft.memory, active_since_ms=draft.at.boot_ms)
    if begun.origin != attempt.to:  # law 7: a mere reload does not end a bake
        draft.memory = replace(draft.memory, bake=None)
    draft.memory = replace(draft.memory, active=attempt.to, undo_stamp=None)
    _believe(draft, attempt.to, done)


def _believe(draft: Draft, upstream: str | None, done: Done) -> None:
    """What the switcher has proven is what we know until the next look."""
    if upstream is None or not done.link:
        draft.memory = replace(draft.memory, confirmed=None)
        draft.seen = replace(draft.seen, link=None)  # the next look will tell
        return
    if done.confirm == "proven" or done.outcome == UNDONE:
        confirmed = Confirmed(upstream, done.link, done.master)
        draft.memory = replace(draft.memory, confirmed=confirmed)
    old, nginx = draft.seen.link, draft.seen.nginx
    changed = old.changed_wall_ms if old is not None else 0
    if nginx is not None and done.master:
        nginx = replace(nginx, master=done.master)
    link = LinkFact(upstream, "", done.link, changed)
    draft.seen = replace(draft.seen, link=link, marker=None, nginx=nginx)


def _consequences(draft: Draft, attempt: Switch, begun: Begun) -> None:
    """Marks and probation after a completed switch."""
    order, moved = attempt.order, begun.origin != attempt.to
    left_failed = (
        order.trigger in (AUTOMATIC, SIGNAL)
        or order.verb == "rollback"
        or (order.trigger == MANUAL and begun.origin_failed)
    )
    if moved and begun.origin is not None and left_failed:
        condemn(draft, begun.origin, begun.reason or order.trigger)
    if order.trigger in (MANUAL, DEPLOY) and order.verb != "rollback":
        pardon(draft, attempt.to, "switched to on purpose")
    if moved and order.trigger in (MANUAL, DEPLOY):
        start_bake(draft, attempt.to, begun.origin, order.force)
    if order.force and health_of(draft.now.state, attempt.to) != UP:
        draft.memory = replace(draft.memory, forced=attempt.to)


def _refused(
    draft: Draft, attempt: Switch, begun: Begun, done: Done, waiting: tuple[str, ...]
) -> None:
    """Nothing was moved: the charge is given back, and the gate is known for next time."""
    if attempt.automatic:
        refund(draft)
    now = draft.at.boot_ms
    prepares = {name: fact for name, fact in draft.seen.prepares.items() if name != attempt.to}
    once_more = attempt.stage == SWITCHING and attempt.tries == 0 and done.gate == "config_invalid"
    if not once_more:
        gate = done.gate if done.gate in GATES else "switcher_unavailable"
        prepares[attempt.to] = PrepareFact(draft.at, None, gate, done.message, draft.seen.stamp)
        draft.doing = replace(draft.doing, retry_ms=now + RETRY_MS)
    draft.seen = replace(draft.seen, prepares=prepares)
    _say(draft, "switch_undone", WARNING, attempt, begun, done)
    if once_more:  # a file changed between prepare and turn: prepare again
        again = replace(attempt, stage=TESTING, tries=1, since_ms=now, begun=None)
        draft.doing = replace(draft.doing, switch=again, waiting=waiting)
    else:
        data = {"id": begun.switch_id}
        draft.reply(waiting, Outcome(Code.REFUSED, done.gate, done.message, data))


def _lost(draft: Draft, attempt: Switch, begun: Begun, done: Done) -> None:
    """The undo failed, or nobody can prove what nginx uses: a person must look."""
    draft.memory = replace(draft.memory, confirmed=None)
    if done.outcome == LOST:
        lost = f"the switch to {attempt.to} could not be undone: {done.message}"
        draft.memory = replace(draft.memory, lost=lost)
        if begun.origin is not None and attempt.order.trigger in (AUTOMATIC, SIGNAL):
            condemn(draft, begun.origin, begun.reason or attempt.order.trigger)
        return
    _completed(draft, attempt, begun, done)  # unclear, and left there on purpose
    draft.seen = replace(draft.seen, link=None)  # nothing is believed before the next look
    _consequences(draft, attempt, begun)
