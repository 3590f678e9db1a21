"""The state of one pool, and what follows from it without any decision.

Nothing derived is stored: active, target, phase and readiness are functions of State.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from healthguard.core.health import Tally, Upstream, interval_ms
from healthguard.core.memory import Memory
from healthguard.core.model import (
    DOWN,
    UNKNOWN,
    Actor,
    Instant,
    LinkFact,
    NginxFact,
    Policy,
    TestFact,
)

STALE_MS = 15_000  # an observation older than this is no evidence (one is made each second)
TICKET_MS = 50_000  # the switcher honours a ticket for 60 s; the rest is for the way there
TEST_MS = 600_000  # readiness is tested again after ten minutes
PRELOAD_MS = 25_000  # at a first failure a ticket older than this is renewed

TESTING, QUEUED, SWITCHING = "testing", "queued", "switching"


@dataclass(frozen=True, slots=True)
class Work:
    """A switch on its way: ``testing``, then ``queued`` for the turn, then ``switching``."""

    to: str
    trigger: str
    stage: str
    since_ms: int
    verb: str = ""
    reason: str = ""
    actor: Actor | None = None
    orders: tuple[str, ...] = ()
    force: bool = False
    tries: int = 0
    waived: tuple[str, ...] = ()  # gates that the approved proposal named


@dataclass(frozen=True, slots=True)
class DryRun:
    """An order that only wants to know; answered when a prepare of its own has ended."""

    order_id: str
    to: str
    trigger: str
    verb: str
    force: bool
    since_ms: int


@dataclass(frozen=True)  # without slots: a step copies it as one dictionary
class State:
    """All that is known about one pool. Frozen; ``step`` makes a new one."""

    policy: Policy
    memory: Memory
    at: Instant
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    dependencies: Mapping[str, Tally] = field(default_factory=dict)
    dependencies_seen: tuple[str, ...] = ()  # up at least once since the start
    veto_ms: int | None = None  # since when a dependency alone holds back a wanted switch
    link: LinkFact | None = None
    nginx: NginxFact | None = None
    marker: str | None = None
    marker_problem: str = ""
    disabled: str | None = None
    stamp: str = ""
    looked_ms: int | None = None
    tests: Mapping[str, TestFact] = field(default_factory=dict)
    testing: str | None = None  # upstream of the prepare under way
    testing_stamp: str = ""  # of the files when it was asked for
    work: Work | None = None
    dry_runs: tuple[DryRun, ...] = ()
    doubt: str = ""  # why this host's own word is not to be trusted
    settled_ms: int = 0  # end of the last switch: what was looked at before is ignored
    unsettled: bool = False  # a crash left an attempt that only observation can end
    retry_ms: int = 0  # no automatic attempt or new test before this, after a refusal
    epoch: str = ""  # makes event ids unique across restarts
    seq: int = 0
    told_phase: str = ""
    told_hold: str = ""
    told_down: bool = False  # and that the active upstream is down meanwhile
    told_ready: tuple[bool, str] | None = None
    would: bool = False  # mode observe: this failure of the active one has been told
    wake_ms: int = 0
    held_ms: int = -1  # when a wanted switch was last held by another gate than min_down


def health_of(state: State, upstream: str | None) -> str:
    """Health of ``upstream``; unknown for None."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    return found.health if found is not None else UNKNOWN


def stale(state: State) -> bool:
    """True if there is no observation young enough to be evidence."""
    return state.looked_ms is None or state.at.boot_ms - state.looked_ms > STALE_MS


def in_use(state: State) -> tuple[str | None, str, str]:
    """(active, how it is known, or why it is not).

    Active is what link *and* workers say. ``marker``: nginx itself names it. ``confirmed``:
    neither link nor master changed since it was last known. ``inferred``: every worker started
    after the link last changed, so each has read it.
    """
    link, nginx = state.link, state.nginx
    if link is None or nginx is None:
        return None, "", "not looked at yet"
    if link.upstream is None:
        return None, "", link.problem
    if nginx.state != "running":
        return None, "", nginx.detail or f"nginx is {nginx.state}"
    if state.marker is not None:
        if state.marker == link.upstream:
            return link.upstream, "marker", ""
        return None, "", f"the link names {link.upstream}, nginx's workers use {state.marker}"
    known = state.memory.confirmed
    facts = (link.upstream, link.identity, nginx.master)
    if known is not None and (known.upstream, known.link, known.master) == facts:
        return known.upstream, "confirmed", ""
    if state.policy.marker and state.marker_problem:
        return None, "", state.marker_problem
    # Start times come in steps of 10 ms, rounded down.
    if nginx.workers_since_wall_ms + 10 > link.changed_wall_ms:
        return link.upstream, "inferred", ""
    return None, "", f"the link names {link.upstream}, but nginx's workers are older than the link"


def active(state: State) -> str | None:
    """The upstream that nginx's workers really use; None when that is not known."""
    return in_use(state)[0]


def serving(state: State) -> str | None:
    """The upstream that probably serves: the active one, or the last known where that is not known.

    For telling people only; nothing is decided by it.
    """
    return active(state) or state.memory.active


def target(state: State) -> str | None:
    """Where an automatic switch would go; never a further choice than this one."""
    memory, here = state.memory, active(state) or state.memory.active
    if memory.bake is not None and memory.bake.upstream == here:
        return memory.bake.origin if memory.bake.origin in state.policy.upstreams else None
    if state.policy.standby == "stopped":
        return None
    if state.policy.stable not in (None, here):
        return state.policy.stable
    for name in reversed(memory.good):
        if name != here and name in state.policy.upstreams:
            return name
    return None


def baking(state: State, upstream: str) -> bool:
    """True while ``upstream`` is on probation."""
    bake = state.memory.bake
    return bake is not None and bake.upstream == upstream


def min_down_ms(state: State, upstream: str) -> int:
    """How long ``upstream`` must have been failing before an automatic switch."""
    policy = state.policy
    return policy.bake.min_down_ms if baking(state, upstream) else policy.rollback.min_down_ms


def mode(state: State) -> str:
    """``auto``, ``propose`` or ``observe``, as it applies to the present phase."""
    here = state.memory.active
    in_bake = here is not None and baking(state, here)
    return state.policy.mode_bake if in_bake else state.policy.mode_steady


def failing_since(state: State) -> int | None:
    """Boot time of the first fail of the active upstream's present run; None while it is well."""
    return failing_since_ms(state, active(state))


def failing_since_ms(state: State, upstream: str | None) -> int | None:
    """The same for any upstream; None for None."""
    policy = state.policy.upstreams.get(upstream) if upstream is not None else None
    if upstream is None or policy is None:
        return None
    return state.upstreams[upstream].first_fail_ms(policy.require)


def wanted(state: State) -> bool:
    """True if the active upstream is down: an automatic switch is wanted (law 2)."""
    return health_of(state, active(state)) == DOWN


def still_failing(state: State) -> bool:
    """True if the last word of the active upstream was a fail, asked since a switch was last held.

    What holds a switch and what makes one wanted often have one cause (a database, a network), and
    end together: without this the first to be seen well again would get the traffic.
    """
    here = active(state)
    found = state.upstreams.get(here) if here is not None else None
    if here is None or found is None:
        return False
    return found.still_down(state.policy.upstreams[here].require, state.held_ms)


def pace_ms(state: State, upstream: str, probe: str) -> int:
    """Time from this start of a probe of ``upstream`` to its next one."""
    tally = state.upstreams[upstream].probes[probe]
    in_use = active(state) == upstream
    return interval_ms(tally, state.policy.health, baking(state, upstream), in_use)


def usable_test(state: State, upstream: str, max_age_ms: int) -> TestFact | None:
    """The last prepare for ``upstream``, if no file changed since and it is young enough."""
    test = state.tests.get(upstream)
    if test is None or state.at.boot_ms - test.at.boot_ms > max_age_ms:
        return None
    if state.stamp and test.stamp and state.stamp != test.stamp:
        return None
    return test
