"""The gates: named conditions on acting, one function each.

All are always evaluated; the hold is the first closed one in the order of ``GATES``. A gate
reads only State. ``pending``: it is closed because an outside fact is missing or too old, and
that fact has been asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from healthguard.core import dependencies, releases
from healthguard.core.health import blind, failed_in, fresh_passes
from healthguard.core.model import AUTO, DOWN, OBSERVE, UNKNOWN, UP, TestFact
from healthguard.core.state import (
    SWITCHING,
    TEST_MS,
    State,
    active,
    failing_since,
    health_of,
    in_use,
    min_down_ms,
    mode,
    stale,
    usable_test,
    wanted,
)
from healthguard.core.text import seconds


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate as it stands, with one sentence of evidence."""

    name: str
    closed: bool
    evidence: str
    pending: bool = False


Finding = tuple[bool, str] | tuple[bool, str, bool]  # closed, evidence[, pending]
DAY_MS = 86_400_000


def _disabled(state: State, _to: str | None) -> Finding:
    if state.disabled is None:
        return False, "no DISABLE file"
    return True, f"the DISABLE file is there: {state.disabled.strip() or '(empty)'}"


def _link_unmanaged(state: State, _to: str | None) -> Finding:
    if state.link is None or stale(state):
        return True, "the link has not been looked at lately", True
    if state.link.upstream is None:
        return True, state.link.problem
    return False, f"the link names {state.link.upstream}"


def _nginx_down(state: State, _to: str | None) -> Finding:
    if state.nginx is None or stale(state):
        return True, "nginx has not been looked at lately", True
    if state.nginx.state == "down":
        return True, state.nginx.detail or "nginx is not running"
    return False, "nginx is running"


def _nginx_upgrading(state: State, _to: str | None) -> Finding:
    if state.nginx is not None and state.nginx.state == "upgrading":
        return True, state.nginx.detail or "an old nginx binary still runs beside the new one"
    return False, "no binary upgrade under way"


def _active_unknown(state: State, _to: str | None) -> Finding:
    name, how, problem = in_use(state)
    if name is not None:
        return False, f"{name} ({how})"
    return True, problem, state.link is None


def _lost(state: State, _to: str | None) -> Finding:
    if state.memory.lost:
        return True, state.memory.lost
    return False, "no failed undo"


def _starting(state: State, _to: str | None) -> Finding:
    here = active(state) or state.memory.active
    if here is None or health_of(state, here) == UNKNOWN:
        return True, f"no fresh verdict on {here or 'the active upstream'} yet"
    left = state.memory.grace_from_ms + state.policy.rollback.start_grace_ms - state.at.boot_ms
    if here not in state.memory.seen_up and left > 0:
        return True, f"{here} has not been seen up since this host booted; {seconds(left)} of grace"
    return False, f"{here} has a fresh verdict"


def _self_unhealthy(state: State, to: str | None) -> Finding:
    if state.doubt:
        return True, state.doubt
    for name in (active(state) or state.memory.active, to):
        found = state.upstreams.get(name) if name is not None else None
        for probe, tally in found.probes.items() if found is not None else ():
            last = blind(tally)
            if last is not None:
                why = f"{last.reason}{': ' + last.detail if last.detail else ''}"
                return True, f"{name} cannot be judged by {probe}, and that is our fault: {why}"
    return False, "this host is trusted"


def _switch_in_flight(state: State, _to: str | None) -> Finding:
    if state.work is not None and state.work.stage == SWITCHING:
        return True, f"a switch to {state.work.to} is under way"
    if state.memory.attempt is not None:
        return True, f"a switch to {state.memory.attempt.to} is not settled yet"
    return False, "none"


def _no_target(state: State, to: str | None) -> Finding:
    if to is not None:
        return False, f"the target is {to}"
    here, bake = active(state) or state.memory.active, state.memory.bake
    if here is not None and bake is not None and bake.upstream == here:
        before = "it is not known what served before"
        if bake.origin is not None:
            before = f"came from {bake.origin}, which is not configured any more"
        return True, (
            f"{here} is in its bake and {before}: nothing to go back to before the bake has passed"
        )
    if state.policy.standby == "stopped":
        return True, "the standby is stopped by design: there is nothing to go back to"
    good = f"`healthguard good {state.policy.pool} UPSTREAM`"
    if here is not None and here == state.policy.stable:
        return True, f"{here} is `stable` and active, and nothing else is vouched for: {good}"
    return True, f"nothing is vouched for: set `stable`, or {good}"


def _known_bad(state: State, to: str | None) -> Finding:
    if to is None:
        return False, "no target"
    bad = releases.known_bad(state, to)
    if bad is None:
        return False, f"{to} carries no mark"
    ago = seconds(state.at.boot_ms - bad[0])
    return True, f"{to} was left {ago} ago: {bad[1]}"


def _unproven(state: State, to: str | None) -> Finding:
    if to is None:
        return False, "no target"
    why = releases.unproven(state, to)
    if not why:
        return False, f"{to} is vouched for"
    return True, f"{why}; `healthguard good {state.policy.pool} {to}`"


def _standby_not_up(state: State, to: str | None) -> Finding:
    if to is None:
        return False, "no target"
    found = state.upstreams.get(to)
    needed = state.policy.rollback.standby_passes
    if found is None or found.health != UP:
        why = "is down" if found is not None and found.health == DOWN else "has no verdict yet"
        return True, f"{to} {why}{_last_reason(state, to)}"
    require = state.policy.upstreams[to].require
    enough, _ = fresh_passes(found, state.policy.health, require, needed, state.at.boot_ms)
    if not enough:
        return True, f"{to} is up, but has not {needed} fresh passes in a row"
    limit = state.policy.health.window_fails
    worst = max((failed_in(tally.window) for tally in found.probes.values()), default=0)
    if limit and 2 * worst > limit:
        return True, f"{to} is up, but {worst} of its last checks failed: no better place"
    return False, f"{to} is up with {needed} fresh passes"


def _last_reason(state: State, upstream: str) -> str:
    """`` (probe: reason)`` of the first failing probe of ``upstream``, or nothing."""
    found = state.upstreams.get(upstream)  # a reload may have removed it
    for name, tally in found.probes.items() if found is not None else ():
        if tally.recent and tally.recent[-1].reason:
            last = tally.recent[-1]
            return f" ({name}: {last.reason}{': ' + last.detail if last.detail else ''})"
    return ""


def _dependency_down(state: State, _to: str | None) -> Finding:
    said = dependencies.vetoes(state)
    if said:
        return True, "; ".join(said)
    return False, "; ".join(dependencies.excused(state)) or "no dependency is failing"


def _switcher_unavailable(_state: State, _to: str | None) -> Finding:
    return False, "the switcher answers"  # its refusals are merged in by `evaluate`


def _config_invalid(state: State, to: str | None) -> Finding:
    if to is None:
        return False, "no target to test"
    test = usable_test(state, to, TEST_MS + 60_000)
    if test is None:
        return True, f"the configuration with {to} has not been tested lately", True
    return False, f"`nginx -t` passed with {to} {seconds(state.at.boot_ms - test.at.boot_ms)} ago"


def _min_down(state: State, _to: str | None) -> Finding:
    here, since = active(state), failing_since(state)
    if here is None or since is None:
        return False, "the active upstream is not failing"
    lasted, needed = state.at.boot_ms - since, min_down_ms(state, here)
    sentence = f"{here} has been failing for {seconds(lasted)}, {seconds(needed)} are needed"
    return lasted < needed, sentence


def charges_within(state: State, charges: tuple[int, ...], ms: int) -> int:
    """How many of ``charges`` are younger than ``ms``."""
    return sum(state.at.boot_ms - at < ms for at in charges)


def ledger_charges(state: State) -> tuple[int, ...]:
    """What counts against cooldown and budget: in mode observe its shadow counts, too."""
    own = state.memory.ledger.charges_ms
    return own + state.memory.shadow.charges_ms if mode(state) == OBSERVE else own


def _cooldown(state: State, _to: str | None) -> Finding:
    charges = ledger_charges(state)
    if not charges:
        return False, "no automatic switch lately"
    left = max(charges) + state.policy.rollback.cooldown_ms - state.at.boot_ms
    if left <= 0:
        return False, "over"
    undone = state.memory.undo_stamp  # "": nobody has looked at the files since
    if undone and state.stamp not in ("", undone):
        return False, "the last one was undone, and a file has changed since"
    return True, f"{seconds(left)} left after the last automatic switch"


def budget_spent(state: State) -> str:
    """One sentence if the budget of automatic switches is spent, else ""."""
    rollback, charges = state.policy.rollback, ledger_charges(state)
    used = charges_within(state, charges, rollback.budget_per_ms)
    if used >= rollback.budget_switches:
        per = seconds(rollback.budget_per_ms)
        return f"{used} automatic switches in {per}, {rollback.budget_switches} are allowed"
    daily = charges_within(state, charges, DAY_MS)
    if daily >= rollback.daily_budget:
        return f"{daily} automatic switches in 24 h, {rollback.daily_budget} are allowed"
    return ""


def _latched(state: State, _to: str | None) -> Finding:
    shadow = mode(state) == OBSERVE and state.memory.shadow.latched_ms is not None
    if state.memory.ledger.latched_ms is not None or shadow:
        return True, f"latched since the budget was spent; `healthguard ack {state.policy.pool}`"
    spent = budget_spent(state)
    return bool(spent), spent or "budget left"


def _forced(state: State, _to: str | None) -> Finding:
    if state.memory.forced is not None:
        return True, f"{state.memory.forced} was forced and has not been up since"
    bake = state.memory.bake
    if bake is not None and bake.forced:
        return True, f"{bake.upstream} was forced: nothing acts by itself in its bake"
    return False, "no forced order"


def _paused(state: State, _to: str | None) -> Finding:
    pause = state.memory.pause
    if pause is not None:
        left = seconds(max(0, pause.until_ms - state.at.boot_ms))
        return True, f"by {pause.by}, {left} left: {pause.reason}"
    if state.memory.down_at_pause_end:
        return True, "the pause ended with the active upstream down: `resume`, or it comes up once"
    return False, "not paused"


def _mode(state: State, _to: str | None) -> Finding:
    return mode(state) != AUTO, f"mode is {mode(state)}"


GATES: Mapping[str, Callable[[State, str | None], Finding]] = {
    "disabled": _disabled,
    "link_unmanaged": _link_unmanaged,
    "nginx_down": _nginx_down,
    "nginx_upgrading": _nginx_upgrading,
    "active_unknown": _active_unknown,
    "lost": _lost,
    "starting": _starting,
    "self_unhealthy": _self_unhealthy,
    "switch_in_flight": _switch_in_flight,
    "no_target": _no_target,
    "known_bad": _known_bad,
    "unproven": _unproven,
    "standby_not_up": _standby_not_up,
    "dependency_down": _dependency_down,
    "switcher_unavailable": _switcher_unavailable,
    "config_invalid": _config_invalid,
    "min_down": _min_down,
    "cooldown": _cooldown,
    "latched": _latched,
    "forced": _forced,
    "paused": _paused,
    "mode": _mode,
}

# What binds an order of a person or a signal; the other gates are only warned about.
MANUAL_GATES = frozenset(
    {
        "disabled",
        "link_unmanaged",
        "nginx_down",
        "nginx_upgrading",
        "lost",
        "switch_in_flight",
        "standby_not_up",
        "config_invalid",
        "switcher_unavailable",
    }
)
# What even `--force` never passes.
FORCE_GATES = frozenset(
    {"link_unmanaged", "nginx_down", "nginx_upgrading", "config_invalid", "switcher_unavailable"}
)


def evaluate(state: State, to: str | None) -> tuple[Gate, ...]:
    """Every gate for a switch to ``to``, in order.

    A prepare that was refused closes the gate that it names, in its own words, until a file
    has changed since: then it is an opinion about something that is no more.
    """
    test = usable_test(state, to, TEST_MS + 60_000) if to is not None else None
    refusal = test if test is not None and test.gate else None
    return tuple(_gate(name, check(state, to), refusal) for name, check in GATES.items())


def _gate(name: str, finding: Finding, refusal: TestFact | None) -> Gate:
    pending = finding[0] and len(finding) == 3 and finding[2]
    if refusal is not None and refusal.gate == name and (pending or not finding[0]):
        return Gate(name, True, refusal.message)
    return Gate(name, finding[0], finding[1], pending)


def first_closed(gates: tuple[Gate, ...], binding: frozenset[str] | None = None) -> Gate | None:
    """The hold: the first closed gate, of those in ``binding`` (None: of all)."""
    for gate in gates:
        if gate.closed and (binding is None or gate.name in binding):
            return gate
    return None


def binding_for(
    trigger: str, verb: str, force: bool, waived: tuple[str, ...] = ()
) -> frozenset[str] | None:
    """The gates that bind a switch; None: all of them.

    An approval passes ``mode`` and the gates that its proposal named (``waived``).

    A signal and `rollback` name no upstream, so that a second one would flip back onto what was
    just left: they are bound by ``known_bad`` and ``no_target``, too.
    """
    if trigger == "automatic":
        return None
    if verb == "approve":
        return frozenset(GATES) - {"mode"} - set(waived)
    if trigger == "deploy":
        return frozenset(GATES) - {"mode"}
    if force:
        return FORCE_GATES
    nameless = trigger == "signal" or verb == "rollback"
    return MANUAL_GATES | ({"no_target", "known_bad"} if nameless else set())


def switch_wanted_now(state: State) -> bool:
    """True once the active upstream is down and has been failing for ``min_down``."""
    return wanted(state) and not _min_down(state, None)[0]
