"""How a pool stands, in one word and one sentence: what the person on call reads first."""

from healthguard.views.model import PoolView
from healthguard.web.words import text

GOOD, WARN, BAD = "good", "warn", "bad"


def health(pool: PoolView, upstream: str | None) -> str:
    """``up``, ``down`` or ``unknown``."""
    each = pool.upstreams.get(upstream or "")
    return each.health if each is not None else "unknown"


def level(pool: PoolView) -> str:
    """``bad``: a person is needed. ``warn``: worth a look. ``good``: sleep on."""
    if pool.phase in ("lost", "holding") or pool.latched or pool.proposal:
        return BAD
    if pool.phase != "starting" and health(pool, pool.active) != "up":
        return BAD
    if pool.phase != "steady" or pool.paused or not _way_back(pool):
        return WARN
    return GOOD


def _way_back(pool: PoolView) -> bool:
    if pool.rollback_ready or pool.ready_gate == "mode":  # only the mode: a person can
        return True
    return pool.standby == "stopped" and pool.ready_gate == "no_target"


def sentence(pool: PoolView) -> str:
    """What is going on."""
    active, phase = text(pool.active), pool.phase
    state = health(pool, pool.active)
    if pool.lost:
        return f"LOST: {text(pool.lost)}. A person must look."
    if phase == "switching":
        return "A switch is under way."
    if phase == "holding":
        return _holding(pool, active, state)
    if pool.active is None:
        return "It is not known which upstream nginx uses."
    if phase == "starting":
        return f"{active} is active; waiting for fresh verdicts."
    if phase == "baking":
        tail = ", on probation" if state == "up" else " on probation, a switch back is near"
        return f"{active} is active and {state}{tail}."
    if state == "down":
        return f"{active} is active and down, a switch is near."
    return f"{active} is active and {state}."


def _holding(pool: PoolView, active: str, state: str) -> str:
    if pool.proposal:
        to = text(pool.proposal.to)
        return f"{active} is active and {state.upper()}; a switch to {to} waits for a person."
    if state != "down":
        return f"The guard cannot act: {text(pool.hold)}."
    if all(each.health == "down" for each in pool.upstreams.values()):
        names = list(map(text, pool.upstreams))
        both = "BOTH " if len(names) == 2 else ""
        return f"{both}{' AND '.join(names)} ARE DOWN. The guard holds."
    return f"{active} is active and DOWN, and the guard holds back: {text(pool.hold)}."


def way_back(pool: PoolView) -> tuple[str, str, str]:
    """(level, word, sentence) on whether a rollback would succeed now."""
    gate = next((each for each in pool.gates if each.gate == pool.ready_gate), None)
    if pool.rollback_ready:
        return GOOD, "ready", f"would go to {text(pool.target)} and succeed now"
    why = f"{text(pool.ready_gate)}: {text(pool.ready_message)}"
    if pool.standby == "stopped" and pool.ready_gate == "no_target":
        return "plain", "none", text(pool.ready_message)
    if pool.ready_gate == "mode":
        way = f"would go to {text(pool.target)} and succeed now, if a person says so"
        return "plain", "by hand", f"{way} (mode {text(pool.mode)})"
    if gate is not None and gate.pending:
        return WARN, "being checked", why
    return (WARN if pool.phase == "starting" else BAD), "NOT ready", why
