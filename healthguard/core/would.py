"""Where an automatic switch stops short: mode observe, and a spent budget."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.gates import DAY_MS
from healthguard.core.model import AUTOMATIC, OBSERVE
from healthguard.core.releases import release_of
from healthguard.core.state import active, failing_since, mode


def would_switch(draft: Draft, to: str) -> None:
    """Mode observe: say what would have been done, once per failure, and charge the shadow."""
    if draft.s.would:
        return
    here, since = active(draft.s), failing_since(draft.s)
    now, shadow = draft.at.boot_ms, draft.memory.shadow
    recent = tuple(at for at in shadow.charges_ms if now - at < DAY_MS)
    fields: dict[str, object] = {
        "from": here,
        "to": to,
        "trigger": AUTOMATIC,
        "reason": failure_sentence(draft.s, here),
        "detection_ms": now - since if since is not None else None,
        "evidence": evidence(draft.s, here),
        "release_from": release_of(draft.s, here),
        "release_to": release_of(draft.s, to),
    }
    draft.set(would=True)
    decision = {"at_wall_ms": draft.at.wall_ms, "event": "would_switch", **fields}
    draft.remember(shadow=replace(shadow, charges_ms=(*recent, now)), last_decision=decision)
    draft.record_as(draft.next_id(), "would_switch", "warning", fields)


def latch(draft: Draft, reason: str) -> None:
    """A switch is wanted and the budget is spent: nothing more by itself until `ack`.

    In mode observe only the shadow latches, and is dropped with the mode; not by the failure
    whose switch has been told, for that would have ended it.
    """
    memory, now = draft.memory, draft.at.boot_ms
    if mode(draft.s) == OBSERVE and draft.s.would:
        return
    if memory.ledger.latched_ms is not None or memory.shadow.latched_ms is not None:
        return
    if mode(draft.s) == OBSERVE:
        draft.remember(shadow=replace(memory.shadow, latched_ms=now))
    else:
        draft.remember(ledger=replace(memory.ledger, latched_ms=now))
    draft.record("latched", "error", reason=reason, shadow=mode(draft.s) == OBSERVE)
