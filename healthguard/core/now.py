"""What follows from one state without any decision, made once and handed on."""

from dataclasses import dataclass, field

from healthguard.core.health import interval_ms
from healthguard.core.model import DOWN
from healthguard.core.state import State, baking, failing_since_ms, health_of


@dataclass(frozen=True, slots=True)
class Finding:
    """One gate as it stands, with one sentence of evidence.

    ``pending``: closed because an outside fact is missing or too old; it has been asked for.
    """

    name: str
    closed: bool
    evidence: str
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """One moment of a pool.

    ``active``: the upstream that nginx's workers really use; None when that is not known, then
    ``problem`` says why. ``how`` it is known: ``marker``: nginx itself names it. ``confirmed``:
    neither link nor master changed since it was last known. ``inferred``: every worker started
    after the link last changed, so each has read it.
    ``serving``: the active one, or the last known where that is not known.
    ``target``: where an automatic switch would go; never a further choice than this one.
    ``mode``: auto, propose or observe, as it applies to the present phase.
    ``failing_since``: boot time of the first fail of the active one's present run, or None.
    ``findings``: of every gate, by target, as ``gates.evaluate`` has made them.
    """

    state: State
    active: str | None
    how: str
    problem: str
    serving: str | None
    target: str | None
    mode: str
    failing_since: int | None
    findings: dict[str | None, tuple[Finding, ...]] = field(default_factory=dict, compare=False)

    @property
    def wanted(self) -> bool:
        """True if the active upstream is down: an automatic switch is wanted (law 2)."""
        return health_of(self.state, self.active) == DOWN

    @property
    def baking(self) -> bool:
        """True while the active upstream is on probation."""
        return self.active is not None and baking(self.state, self.active)

    @property
    def still_failing(self) -> bool:
        """True if the last check of the active upstream failed, begun since a switch was held.

        What holds a switch and what makes one wanted often have one cause (a database, a
        network), and end together: without this the first to be seen well again would get the
        traffic.
        """
        found = self.state.upstreams.get(self.active) if self.active is not None else None
        if self.active is None or found is None:
            return False
        require = self.state.policy.upstreams[self.active].require
        return found.still_down(require, self.state.doing.held_ms)


def now_of(state: State) -> Now:
    """What follows from ``state``."""
    active, how, problem = in_use(state)
    serving = active or state.memory.active
    return Now(
        state,
        active,
        how,
        problem,
        serving,
        _target(state, serving),
        _mode(state),
        failing_since_ms(state, active),
    )


def in_use(state: State) -> tuple[str | None, str, str]:
    """(active, how it is known, or why it is not): what link *and* workers say."""
    link, nginx = state.seen.link, state.seen.nginx
    if link is None or nginx is None:
        return None, "", "link and nginx have not been checked yet"
    if link.upstream is None:
        return None, "", link.problem
    if nginx.state != "running":
        return None, "", nginx.detail or f"nginx is {nginx.state}"
    marker, problem = state.seen.marker, state.seen.marker_problem
    if marker is not None:
        if marker == link.upstream:
            return link.upstream, "marker", ""
        return None, "", f"the link points to {link.upstream}, but nginx uses {marker}"
    known = state.memory.confirmed
    facts = (link.upstream, link.identity, nginx.master)
    if known is not None and (known.upstream, known.link, known.master) == facts:
        return known.upstream, "confirmed", ""
    if state.policy.marker and problem:
        return None, "", problem
    # Start times come in steps of 10 ms, rounded down.
    if nginx.workers_since_wall_ms + 10 > link.changed_wall_ms:
        return link.upstream, "inferred", ""
    return (
        None,
        "",
        f"the link points to {link.upstream}, but nginx has not been reloaded since it was moved",
    )


def _target(state: State, serving: str | None) -> str | None:
    memory, known = state.memory, state.policy.upstreams
    if memory.bake is not None and memory.bake.upstream == serving:
        return memory.bake.origin if memory.bake.origin in known else None
    if state.policy.standby == "stopped":
        return None
    if state.policy.stable not in (None, serving):
        return state.policy.stable
    others = (name for name in reversed(memory.good) if name != serving and name in known)
    return next(others, None)


def _mode(state: State) -> str:
    in_bake = state.memory.active is not None and baking(state, state.memory.active)
    return state.policy.mode_bake if in_bake else state.policy.mode_steady


def pace_ms(state: State, upstream: str, probe: str) -> int:
    """Time from this start of a probe of ``upstream`` to its next one."""
    tally = state.upstreams[upstream].probes[probe]
    active, _, _ = in_use(state)
    return interval_ms(tally, state.policy.health, baking(state, upstream), active == upstream)
