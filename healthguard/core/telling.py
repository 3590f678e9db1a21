"""Phase, hold and readiness: derived, and told exactly once when they change (law 10)."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.evidence import failure_sentence
from healthguard.core.gates import Gate, first_closed, switch_wanted_now
from healthguard.core.model import DOWN, UP
from healthguard.core.state import (
    SWITCHING,
    State,
    active,
    baking,
    failing_since,
    failing_since_ms,
    health_of,
    min_down_ms,
    serving,
    target,
)

# While one of these is closed the truth itself is in doubt: a hold, whether wanted or not.
TRUTH = frozenset(
    {"link_unmanaged", "nginx_down", "nginx_upgrading", "active_unknown", "self_unhealthy"}
)
PENDING_MS = 5_000  # a missing fact is not called a hold before it has been missing this long
# An upstream may take its time after a start of the host. One that fails for longer than this is
# said, although nothing may be done about it yet.
SLOW_START_MS = 120_000


def phase(state: State, gates: tuple[Gate, ...]) -> tuple[str, Gate | None]:
    """(phase, the gate that holds it), from the gates for the present target."""
    if state.memory.lost:
        return "lost", None
    in_flight = state.work is not None and state.work.stage == SWITCHING
    if in_flight or state.memory.attempt is not None:
        return "switching", None
    truth = first_closed(gates, TRUTH)
    if truth is not None and not truth.pending:
        return "holding", truth
    starting = first_closed(gates, frozenset({"starting"}))
    if starting is not None or truth is not None:
        return "starting", starting or truth
    closed = first_closed(gates)
    if switch_wanted_now(state) and closed is not None and not _excused(state, closed):
        return "holding", closed
    here = active(state)
    return ("baking" if here is not None and baking(state, here) else "steady"), None


def _excused(state: State, gate: Gate) -> bool:
    """A pending fact is on its way: not a hold yet."""
    here, since = active(state), failing_since(state)
    if not gate.pending or here is None or since is None:
        return False
    return state.at.boot_ms - since < min_down_ms(state, here) + PENDING_MS


def tell(draft: Draft, gates: tuple[Gate, ...]) -> None:
    """Say what has changed in phase, hold and readiness."""
    name, gate = phase(draft.s, gates)
    old, old_hold = draft.s.told_phase, draft.s.told_hold
    hold = gate.name if name == "holding" and gate is not None else ""
    same = (name, hold) == (old, old_hold)
    if draft.s.told_down and (not same or not _down(draft.s)):
        draft.set(told_down=False)
    if hold != old_hold:
        if hold and gate is not None:
            _hold_entered(draft, gate)
        else:
            draft.record("hold_left", gate=old_hold, phase=name)
    elif name == "starting" and old in ("steady", "baking") and gate is not None:
        _hold_entered(draft, replace(gate, name="starting"))  # what was known is known no more
    elif name != old and old == "starting":
        draft.record("hold_left", gate="starting", phase=name)
    elif same and gate is not None and not draft.s.told_down and _matters_now(draft.s, gate):
        _hold_entered(draft, gate)  # users see errors now, and it holds: said once more
    if not same:
        draft.set(told_phase=name, told_hold=hold)
    _tell_ready(draft, gates, name)


def _down(state: State) -> bool:
    return health_of(state, serving(state)) == DOWN


def _matters_now(state: State, gate: Gate) -> bool:
    """True if what holds has come to hold back help for an upstream that is down."""
    since = failing_since_ms(state, serving(state))
    if not _down(state) or since is None:
        return False
    return gate.name != "starting" or state.at.boot_ms - since >= SLOW_START_MS


def _hold_entered(draft: Draft, gate: Gate) -> None:
    """A switch that is wanted and held back, or a truth that is lost, is said loudly."""
    here, to, down = active(draft.s), target(draft.s), _down(draft.s)
    fields: dict[str, object] = {
        "gate": gate.name,
        "reason": gate.evidence,
        "active": here,
        "target": to,
        "wanted": down,
        "both_down": down and to is not None and health_of(draft.s, to) == DOWN,
        "failure": failure_sentence(draft.s, serving(draft.s)),
    }
    draft.set(told_down=down)
    draft.record("hold_entered", "error" if down else "warning", **fields)
    if down:
        decision = {"at_wall_ms": draft.at.wall_ms, "event": "hold_entered", **fields}
        draft.remember(last_decision=decision)


def ready(gates: tuple[Gate, ...]) -> tuple[bool, Gate | None]:
    """(a rollback would succeed now, else the gate that says no)."""
    closed = first_closed(gates)
    return closed is None, closed


def _tell_ready(draft: Draft, gates: tuple[Gate, ...], name: str) -> None:
    here = active(draft.s)
    if name in ("starting", "switching") or health_of(draft.s, here) != UP:
        return  # an incident tells its own story
    yes, gate = ready(gates)
    if gate is not None and (gate.pending or gate.name == "min_down"):
        return
    now = (yes, gate.name if gate is not None else "")
    if now == draft.s.told_ready:
        return
    draft.set(told_ready=now)
    draft.record(
        "readiness_changed",
        "info" if yes else "warning",
        ready=yes,
        gate=now[1] or None,
        reason=gate.evidence if gate is not None else "a rollback would succeed now",
        target=target(draft.s),
    )
