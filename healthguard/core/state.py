"""The state of one pool in typed groups: what was seen, what is being done, what was told.

Hardly anything derived is stored here; what follows from a state is in ``now.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from healthguard.core.health import Tally, Upstream
from healthguard.core.memory import Memory, Switch
from healthguard.core.model import (
    UNKNOWN,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Policy,
    PrepareFact,
)

STALE_MS = 15_000  # an observation older than this is no evidence (one is made each second)
TICKET_MS = 50_000  # the switcher honours a ticket for 60 s; the rest is for the way there
TEST_MS = 600_000  # readiness is tested again after ten minutes
PRELOAD_MS = 25_000  # at a first failure a ticket older than this is renewed


@dataclass(frozen=True, slots=True)
class DryRun:
    """An order that only wants to know; answered when a prepare of its own has ended."""

    order: Order
    to: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Outside facts: dated opinions, each as it was last seen."""

    link: LinkFact | None = None
    nginx: NginxFact | None = None
    marker: str | None = None
    marker_problem: str = ""
    disabled: str | None = None  # the text of the DISABLE file
    stamp: str = ""  # of the files that nginx reads
    looked_ms: int | None = None
    prepares: Mapping[str, PrepareFact] = field(default_factory=dict)  # by upstream
    dependencies_up: tuple[str, ...] = ()  # up at least once since the start
    doubt: str = ""  # why this host's own word is not to be trusted


@dataclass(frozen=True, slots=True)
class Doing:
    """What is under way, and what has to be waited for."""

    switch: Switch | None = None  # wanted and not begun; once begun it is ``memory.attempt``
    waiting: tuple[str, ...] = ()  # ids of the orders that wait for the end of the switch
    dry_runs: tuple[DryRun, ...] = ()
    preparing: str | None = None  # upstream of the prepare under way
    preparing_stamp: str = ""  # of the files when it was asked for
    settled_ms: int = 0  # end of the last switch: what was looked at before is ignored
    unsettled: bool = False  # a crash left an attempt that only observation can end
    retry_ms: int = 0  # no prepare for readiness before this, after a refusal
    held_ms: int = -1  # when a wanted switch was last held by another gate than min_down
    veto_ms: int | None = None  # since when a dependency alone holds back a wanted switch
    wake_ms: int = 0  # the Wake that was asked for; 0: none
    would: bool = False  # mode observe: this failure of the active one has had its would_switch


@dataclass(frozen=True, slots=True)
class Told:
    """What was last said, so that it is said once. Nothing is decided by it."""

    epoch: str = ""  # makes event ids unique across restarts
    seq: int = 0
    phase: str = ""
    hold: str = ""
    down: bool = False  # the hold was reported with the active upstream down
    ready: tuple[bool, str] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """All that is known about one pool. Frozen; ``step`` makes a new one.

    Derived at the end of every settling, for what must cost little: ``calm``: in steady state
    or baking. ``awaits_passes``: no way back before the standby has passed once more.
    """

    policy: Policy
    memory: Memory
    at: Instant
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    dependencies: Mapping[str, Tally] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    doing: Doing = field(default_factory=Doing)
    told: Told = field(default_factory=Told)
    calm: bool = False
    awaits_passes: bool = False


def health_of(state: State, upstream: str | None) -> str:
    """Health of ``upstream``; unknown for None."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    return found.health if found is not None else UNKNOWN


def stale(seen: Seen, at: Instant) -> bool:
    """True if there is no observation young enough to be evidence."""
    return seen.looked_ms is None or at.boot_ms - seen.looked_ms > STALE_MS


def baking(state: State, upstream: str | None) -> bool:
    """True while ``upstream`` is on probation."""
    bake = state.memory.bake
    return bake is not None and bake.upstream == upstream


def min_down_ms(state: State, upstream: str) -> int:
    """How long ``upstream`` must have been failing before an automatic switch."""
    policy = state.policy
    return policy.bake.min_down_ms if baking(state, upstream) else policy.rollback.min_down_ms


def failing_since_ms(state: State, upstream: str | None) -> int | None:
    """Boot time of the first fail of the present run of ``upstream``; None while it is well."""
    policy = state.policy.upstreams.get(upstream) if upstream is not None else None
    if upstream is None or policy is None:
        return None
    return state.upstreams[upstream].first_fail_ms(policy.require)


def usable_prepare(state: State, upstream: str, max_age_ms: int) -> PrepareFact | None:
    """The last prepare for ``upstream``, if no file changed since and it is young enough."""
    fact = state.seen.prepares.get(upstream)
    if fact is None or state.at.boot_ms - fact.at.boot_ms > max_age_ms:
        return None
    if state.seen.stamp and fact.stamp and state.seen.stamp != fact.stamp:
        return None
    return fact
