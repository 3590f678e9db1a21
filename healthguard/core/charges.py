"""What automatic switches have cost: cooldown, budget and latch look at it (law 5)."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.durations import shown
from healthguard.core.memory import Charges
from healthguard.core.model import OBSERVE
from healthguard.core.now import Now

DAY_MS = 86_400_000


def counted(now: Now) -> tuple[int, ...]:
    """The charges that count now: in mode observe its shadow counts, too."""
    memory = now.state.memory
    own = memory.charges.at_ms
    return own + memory.shadow.at_ms if now.mode == OBSERVE else own


def within(now: Now, ms: int) -> int:
    """How many of them are younger than ``ms``."""
    return sum(now.state.at.boot_ms - at < ms for at in counted(now))


def charged_until(now: Now) -> int | None:
    """When the cooldown ends or has ended; None where nothing was charged."""
    charges = counted(now)
    return max(charges) + now.state.policy.rollback.cooldown_ms if charges else None


def spent(now: Now) -> str:
    """One sentence if the budget of automatic switches is spent, else ""."""
    rollback = now.state.policy.rollback
    used = within(now, rollback.budget_per_ms)
    if used >= rollback.budget_switches:
        per = shown(rollback.budget_per_ms)
        return f"{_switches(used)} in {per} (limit {rollback.budget_switches})"
    daily = within(now, DAY_MS)
    if daily >= rollback.daily_budget:
        return f"{_switches(daily)} in 24h (limit {rollback.daily_budget})"
    return ""


def _switches(count: int) -> str:
    return "1 automatic switch" if count == 1 else f"{count} automatic switches"


def charge(draft: Draft) -> None:
    """Spend one attempt."""
    fresh = _with_one_more(draft.memory.charges, draft.at.boot_ms)
    draft.memory = replace(draft.memory, charges=fresh, undo_stamp=None)


def charge_shadow(draft: Draft) -> None:
    """The same in mode observe, which spends nothing real."""
    fresh = _with_one_more(draft.memory.shadow, draft.at.boot_ms)
    draft.memory = replace(draft.memory, shadow=fresh)


def _with_one_more(charges: Charges, now_ms: int) -> Charges:
    """Those older than a day count for nothing."""
    recent = tuple(at for at in charges.at_ms if now_ms - at < DAY_MS)
    return replace(charges, at_ms=(*recent, now_ms))


def refund(draft: Draft) -> None:
    """Give the latest charge back: nothing was moved."""
    charges = draft.memory.charges
    fresh = replace(charges, at_ms=charges.at_ms[:-1])
    draft.memory = replace(draft.memory, charges=fresh)


def latch(draft: Draft, reason: str) -> None:
    """A switch is wanted and the budget is spent: nothing more by itself until `ack`.

    In mode observe only the shadow latches, and is dropped with the mode; not by the failure
    whose switch has been told, for that would have ended it.
    """
    memory, now, observing = draft.memory, draft.at.boot_ms, draft.now.mode == OBSERVE
    if observing and draft.doing.would:
        return
    if memory.charges.latched_ms is not None or memory.shadow.latched_ms is not None:
        return
    if observing:
        draft.memory = replace(memory, shadow=replace(memory.shadow, latched_ms=now))
    else:
        draft.memory = replace(memory, charges=replace(memory.charges, latched_ms=now))
    draft.say("latched", reason=reason, shadow=observing)


def acknowledge(draft: Draft) -> None:
    """The latch opens with a new budget."""
    charges = Charges()
    draft.memory = replace(draft.memory, charges=charges, shadow=Charges())


def drop_shadow(draft: Draft) -> None:
    """What mode observe has charged is worth nothing in another mode."""
    if draft.memory.shadow != Charges():
        draft.memory = replace(draft.memory, shadow=Charges())
