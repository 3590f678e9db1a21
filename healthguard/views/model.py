"""A pool as people and scripts see it: one dataclass for each part of its document.

The JSON of a document (``machine.codec``) has exactly these fields in this order. Times are
RFC 3339 in UTC, or milliseconds where the name ends so; None is null: not known, or not there.
``docs/api.schema.json`` is made from these classes and those of ``documents``.

They are made, read and dropped, and there are forty of them for every pool: a frozen dataclass
takes three times as long to make, and one with slots has no dictionary that is its JSON already.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# An event of the event log, or a row of its evidence: their fields depend on what happened.
Facts = Mapping[str, object]


@dataclass
class LastResult:
    """The newest result of a probe, with all that is known of it. ``status``: of HTTP."""

    result: str
    reason: str
    status: int | None
    latency_ms: float
    at: str | None
    detail: str


@dataclass
class ProbeView:
    """One probe. ``passes`` and ``fails`` are those in a row. ``last``: None before the first."""

    health: str
    passes: int
    fails: int
    last: LastResult | None


@dataclass
class DependencyView(ProbeView):
    """A dependency. ``vetoes``: no automatic switch while it is like this."""

    vetoes: bool


@dataclass
class KnownBadView:
    """Why an upstream is no automatic target, and since when."""

    reason: str
    at: str | None


@dataclass
class UpstreamView:
    """One upstream. ``role``: active or standby; ``release_status``: new, baking, good or bad.

    ``good``: vouched for; ``stable``: the configuration names it so.
    """

    health: str
    since: str | None
    role: str
    release: str | None
    release_status: str | None
    known_bad: KnownBadView | None
    good: bool
    stable: bool
    baking: bool
    last_probe_wall_ms: int | None
    probes: Mapping[str, ProbeView]


@dataclass
class ProposalView:
    """A switch that waits for a person. ``gates``: what an approval passes."""

    id: str
    pool: str
    from_: str
    to: str
    opened: str | None
    reason: str
    gates: tuple[str, ...]
    command: str
    evidence: tuple[Facts, ...]


@dataclass
class BakeView:
    """The probation of ``upstream``; ``origin`` served before. ``forced``: it only proposes."""

    upstream: str
    origin: str | None
    until: str | None
    remaining_ms: int
    failed: bool
    forced: bool


@dataclass
class PauseView:
    """Until when, why and by whom the pool only observes."""

    until: str | None
    reason: str
    by: str


@dataclass
class BudgetView:
    """Automatic switches that are spent, and how many there are: per ``per_ms`` and per day."""

    used: int
    of: int
    per_ms: int
    daily_used: int
    daily_of: int


@dataclass
class NginxView:
    """``config_valid``: of the configuration as it stands; None: not tested.

    ``shutting_down``: old workers that still serve their last clients.
    """

    state: str
    detail: str
    config_valid: bool | None
    shutting_down: int


@dataclass
class GateView:
    """One gate. ``pending``: not closed for good, it is being found out."""

    gate: str
    closed: bool
    pending: bool
    evidence: str
    never_forced: bool


@dataclass
class PoolView:
    """One pool: its part of `status`.

    ``active_how``: marker, confirmed, inferred, or "". ``hold``: the first closed gate.
    ``ready_gate``: why a rollback would not succeed now; None if it would.
    """

    pool: str
    active: str | None
    active_since: str | None
    active_how: str
    active_problem: str
    link: str | None
    target: str | None
    phase: str
    hold: str | None
    hold_evidence: str
    mode: str
    standby: str
    rollback_ready: bool
    ready_gate: str | None
    ready_message: str
    upstreams: Mapping[str, UpstreamView]
    dependencies: Mapping[str, DependencyView]
    proposal: ProposalView | None
    bake: BakeView | None
    paused: PauseView | None
    latched: bool
    forced: str | None
    lost: str | None
    cooldown_until: str | None
    budget: BudgetView
    nginx: NginxView
    gates: tuple[GateView, ...]
