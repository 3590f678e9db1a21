"""The gates: named conditions on acting, one row each.

All are always evaluated; the hold is the first closed one in the order of ``GATES``. To add a
gate, add its check and its row: what binds whom, what a person may pass, `why` and the remedies
follow from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from healthguard.core import checks
from healthguard.core.checks import CLOSED, OPEN, PENDING, PREPARE_MS, Verdict
from healthguard.core.dependencies import veto_is_over
from healthguard.core.model import AUTOMATIC, DEPLOY, OBSERVE, PROPOSE, Order, PrepareFact
from healthguard.core.now import Finding, Now
from healthguard.core.state import usable_prepare


class Binds(IntEnum):
    """Whom a gate binds: each also binds those before it."""

    AUTOMATIC = 0  # what nobody ordered, approvals and deploys
    NAMELESS = 1  # and orders that name no upstream: a second one would flip back
    ORDERS = 2  # and every other order of a person
    FORCED = 3  # and even one with --force


Waiver = Callable[[Now, frozenset[str]], bool]  # the moment, the names of all closed gates


def _never(_now: Now, _closed: frozenset[str]) -> bool:
    return False


def _always(_now: Now, _closed: frozenset[str]) -> bool:
    return True


def _mode_proposes(now: Now, closed: frozenset[str]) -> bool:
    return now.mode == PROPOSE or "known_bad" in closed


def _pause_is_over(now: Now, _closed: frozenset[str]) -> bool:
    return now.state.memory.pause is None


def _veto_is_over(now: Now, _closed: frozenset[str]) -> bool:
    return veto_is_over(now)


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on acting.

    ``remedy``: what would open it; {pool} and {target} are filled in. ``waived``: when a person
    may pass it by approving a proposal. ``truth``: while it is closed the truth itself is in
    doubt, which is a hold whether a switch is wanted or not. ``looked_at``: a look at link and
    nginx sees the same, so a refused prepare is outdated by the next change there.
    ``beside_veto``: its closure does not stop the clock of a dependency's veto.
    ``at_a_look``: one look, some checks and a prepare tell it; the others need the daemon, which
    remembers and has watched.
    """

    name: str
    check: Callable[[Now, str | None], Verdict]
    binds: Binds
    remedy: str
    waived: Waiver = _never
    truth: bool = False
    looked_at: bool = False
    beside_veto: bool = False
    at_a_look: bool = False


_ROWS = (
    Gate(
        "disabled", checks.disabled, Binds.ORDERS, "remove /etc/healthguard/DISABLE", at_a_look=True
    ),
    Gate(
        "link_unmanaged",
        checks.link_unmanaged,
        Binds.FORCED,
        "make the link a symlink to one of the pool's upstream files again",
        truth=True,
        looked_at=True,
        at_a_look=True,
    ),
    Gate(
        "nginx_down",
        checks.nginx_down,
        Binds.FORCED,
        "start nginx",
        truth=True,
        looked_at=True,
        at_a_look=True,
    ),
    Gate(
        "nginx_upgrading",
        checks.nginx_upgrading,
        Binds.FORCED,
        "finish the nginx binary upgrade: send QUIT to the old master",
        truth=True,
        looked_at=True,
        at_a_look=True,
    ),
    Gate(
        "active_unknown",
        checks.active_unknown,
        Binds.AUTOMATIC,
        "`healthguard switch {pool} UPSTREAM` reloads nginx and verifies what it uses",
        truth=True,
        at_a_look=True,
    ),
    Gate(
        "lost",
        checks.lost,
        Binds.ORDERS,
        "make the link and nginx agree, then `healthguard ack {pool}`",
    ),
    Gate(
        "starting",
        checks.starting,
        Binds.AUTOMATIC,
        "wait until the active upstream has been judged",
    ),
    Gate(
        "self_unhealthy",
        checks.self_unhealthy,
        Binds.AUTOMATIC,
        "fix this host first; the evidence says what is wrong",
        truth=True,
    ),
    Gate(
        "switch_in_flight",
        checks.switch_in_flight,
        Binds.ORDERS,
        "wait for the switch in progress",
        at_a_look=True,
    ),
    Gate(
        "no_target",
        checks.no_target,
        Binds.NAMELESS,
        "if an upstream is a safe way back: `healthguard good {pool} UPSTREAM`",
    ),
    Gate(
        "known_bad",
        checks.known_bad,
        Binds.NAMELESS,
        "if {target} is good again: `healthguard clear {pool} {target}`",
        waived=_always,
        beside_veto=True,
    ),
    Gate(
        "unproven",
        checks.unproven,
        Binds.AUTOMATIC,
        "if the release on {target} is good: `healthguard good {pool} {target}`",
    ),
    Gate(
        "standby_not_up",
        checks.standby_not_up,
        Binds.ORDERS,
        "{target} must pass its probes",
        at_a_look=True,
    ),
    Gate(
        "dependency_down",
        checks.dependency_down,
        Binds.AUTOMATIC,
        "the dependency must pass its probe again",
        waived=_veto_is_over,
        beside_veto=True,
    ),
    Gate(
        "switcher_unavailable",
        checks.switcher_unavailable,
        Binds.FORCED,
        "start healthguard-switcher.socket",
        at_a_look=True,
    ),
    Gate(
        "config_invalid",
        checks.config_invalid,
        Binds.FORCED,
        "make `nginx -t` pass",
        at_a_look=True,
    ),
    Gate(
        "min_down",
        checks.min_down,
        Binds.AUTOMATIC,
        "the active upstream must keep failing",
    ),
    Gate("cooldown", checks.cooldown, Binds.AUTOMATIC, "wait until the cooldown is over"),
    Gate("latched", checks.latched, Binds.AUTOMATIC, "`healthguard ack {pool}`"),
    Gate(
        "forced",
        checks.forced,
        Binds.AUTOMATIC,
        "wait until the forced upstream has been up once",
        waived=_always,
    ),
    Gate(
        "paused",
        checks.paused,
        Binds.AUTOMATIC,
        "`healthguard resume {pool}`",
        waived=_pause_is_over,
    ),
    Gate(
        "mode",
        checks.mode,
        Binds.AUTOMATIC,
        "set `mode: auto`, or `healthguard approve {pool}` while a proposal is open",
        waived=_mode_proposes,
        beside_veto=True,
    ),
)
GATES: Mapping[str, Gate] = {gate.name: gate for gate in _ROWS}
TRUTH = frozenset(gate.name for gate in _ROWS if gate.truth)
AT_A_LOOK = frozenset(gate.name for gate in _ROWS if gate.at_a_look)
_BESIDE_VETO = frozenset(gate.name for gate in _ROWS if gate.beside_veto)


def evaluate(now: Now, to: str | None) -> tuple[Finding, ...]:
    """Every gate for a switch to ``to``, in order.

    A prepare that was refused closes the gate that it names, in its own words, until a file
    has changed since: then it is an opinion about something that is no more.
    """
    found = now.findings.get(to)
    if found is None:
        fact = usable_prepare(now.state, to, PREPARE_MS) if to is not None else None
        refusal = fact if fact is not None and fact.gate else None
        found = tuple(_finding(gate.name, gate.check(now, to), refusal) for gate in GATES.values())
        now.findings[to] = found
    return found


def _finding(name: str, verdict: Verdict, refusal: PrepareFact | None) -> Finding:
    how, evidence = verdict
    if refusal is not None and refusal.gate == name and how != CLOSED:
        return Finding(name, True, refusal.message)
    return Finding(name, how != OPEN, evidence, how == PENDING)


def first_closed(
    findings: tuple[Finding, ...], binding: frozenset[str] | None = None
) -> Finding | None:
    """The hold: the first closed gate, of those in ``binding`` (None: of all)."""
    for finding in findings:
        if finding.closed and (binding is None or finding.name in binding):
            return finding
    return None


def binding_for(order: Order, waived: tuple[str, ...] = ()) -> frozenset[str] | None:
    """The gates that bind ``order``; None: all of them.

    An approval passes ``mode`` and the gates that its proposal named (``waived``).
    """
    if order.trigger == AUTOMATIC:
        return None
    if order.verb == "approve":
        return frozenset(GATES) - {"mode"} - set(waived)
    if order.trigger == DEPLOY:
        return frozenset(GATES) - {"mode"}
    least = Binds.ORDERS
    if order.force:
        least = Binds.FORCED
    elif order.names_no_upstream:
        least = Binds.NAMELESS
    return frozenset(gate.name for gate in GATES.values() if gate.binds >= least)


def waivable(now: Now, closed: list[Finding]) -> bool:
    """True if a person may pass every one of the ``closed`` gates: then one is asked."""
    names = frozenset(finding.name for finding in closed)
    if not names or (now.mode == OBSERVE and "known_bad" not in names):
        return False
    return all(GATES[name].waived(now, names) for name in names)


def only_vetoed(closed: list[Finding]) -> bool:
    """True if dependencies alone hold back a wanted switch."""
    names = {finding.name for finding in closed if not finding.pending}
    return "dependency_down" in names and names <= _BESIDE_VETO


def past_min_down(now: Now) -> bool:
    """True once the active upstream is down and has been failing for ``min_down``."""
    return now.wanted and checks.min_down(now, None)[0] == OPEN
