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
        return f"Nobody knows which upstream nginx uses: {text(pool.lost)}. A person must look."
    if phase == "switching":
        return "A switch is in progress."
    if phase == "holding":
        return _holding(pool, active, state)
    if pool.active is None:
        return "It is unknown which upstream nginx uses."
    if phase == "starting":
        return f"{active} is active; waiting for fresh health checks."
    if phase == "baking":
        tail = "" if state == "up" else ", a rollback is near"
        return f"{active} is active and {state}, in its bake{tail}."
    if state == "down":
        return f"{active} is active and down, a failover is near."
    return f"{active} is active and {state}."


def _holding(pool: PoolView, active: str, state: str) -> str:
    if pool.proposal:
        to = text(pool.proposal.to)
        return f"{active} is active and {state.upper()}: approval needed to switch to {to}."
    if state != "down":
        return f"On hold: no automatic switch ({text(pool.hold)})."
    if all(each.health == "down" for each in pool.upstreams.values()):
        others = [text(name) for name in pool.upstreams if name != pool.active]
        too = f"{' and '.join(others)} {'is' if len(others) == 1 else 'are'} down too"
        return f"{active} is DOWN and I cannot fail over: {too} ({text(pool.hold)})."
    return f"{active} is DOWN and I cannot fail over ({text(pool.hold)})."


def way_back(pool: PoolView) -> tuple[str, str, str]:
    """(level, word, sentence) on whether a rollback would succeed now."""
    gate = next((each for each in pool.gates if each.gate == pool.ready_gate), None)
    if pool.rollback_ready:
        return GOOD, "available", f"a rollback to {text(pool.target)} would succeed now"
    why = f"{text(pool.ready_message)} ({text(pool.ready_gate)})"
    if pool.standby == "stopped" and pool.ready_gate == "no_target":
        return "plain", "none", text(pool.ready_message)
    if pool.ready_gate == "mode":
        way = f"a rollback to {text(pool.target)} would succeed now, but needs approval"
        return "plain", "by hand", f"{way} (mode {text(pool.mode)})"
    if gate is not None and gate.pending:
        return WARN, "being checked", why
    return (WARN if pool.phase == "starting" else BAD), "unavailable", why
