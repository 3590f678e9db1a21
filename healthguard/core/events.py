"""What goes into ``step`` and what comes out of it, side by side.

Every event carries ``at``: the only clock the core has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from healthguard.core.memory import Memory
from healthguard.core.model import (
    Actor,
    Answer,
    Done,
    Instant,
    LinkFact,
    NginxFact,
    Outcome,
    Policy,
    TestFact,
)

# --------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Configured:
    """The pool's policy, at start and after each accepted reload."""

    at: Instant
    policy: Policy


@dataclass(frozen=True, slots=True)
class Restored:
    """The memory of the last run (None: there is none) and this boot's id. Comes once, first."""

    at: Instant
    memory: Memory | None
    boot_id: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One probe has answered."""

    at: Instant
    upstream: str
    probe: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class DependencyChecked:
    """The probe of something that all upstreams need has answered."""

    at: Instant
    dependency: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Observed:
    """Link, nginx and marker as they are now.

    ``marker``: the upstream that every one of a run of marker answers named; None when there
    is no marker, or when it is silent or of two minds (then ``marker_problem`` says so).
    ``disabled``: the text of the DISABLE file, None when there is none.
    ``looked_ms``: boot time at which the look began; older than the last switch it is ignored.
    ``stamp``: fingerprint over the stat() of every file that nginx reads; "" when not known.
    """

    at: Instant
    link: LinkFact
    nginx: NginxFact
    looked_ms: int
    marker: str | None = None
    marker_problem: str = ""
    disabled: str | None = None
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Tested:
    """A prepare has ended for ``upstream``."""

    at: Instant
    upstream: str
    fact: TestFact


@dataclass(frozen=True, slots=True)
class Turn:
    """It is this pool's turn to act on nginx."""

    at: Instant


@dataclass(frozen=True, slots=True)
class SwitchFinished:
    """The commit that a Switch command started has ended (or, after a crash, was reconciled)."""

    at: Instant
    switch_id: str
    done: Done


@dataclass(frozen=True, slots=True)
class Ordered:
    """A person, a deploy script or a signal wants something.

    ``verb``: switch rollback approve reject pause resume ack good clear. ``for_ms``: length of a
    pause. ``trigger``: manual, signal or deploy.
    """

    at: Instant
    order_id: str
    verb: str
    actor: Actor
    upstream: str | None = None
    reason: str = ""
    trigger: str = "manual"
    force: bool = False
    dry_run: bool = False
    for_ms: int = 0
    proposal: str | None = None  # approve only this one


@dataclass(frozen=True, slots=True)
class HostDoubt:
    """Reason why this host's own word is not to be trusted now; "" when it is again."""

    at: Instant
    reason: str


@dataclass(frozen=True, slots=True)
class Woke:
    """The time asked for with Wake has come."""

    at: Instant


Event = (
    Configured
    | Restored
    | Checked
    | DependencyChecked
    | Observed
    | Tested
    | Turn
    | SwitchFinished
    | Ordered
    | HostDoubt
    | Woke
)

# --------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Save:
    """Write ``memory`` durably before any later command of this step."""

    memory: Memory


@dataclass(frozen=True, slots=True)
class Test:
    """Prepare a switch to ``upstream``; answered by Tested. ``urgent``: not to be rate limited."""

    __test__ = False  # not a pytest class

    upstream: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """Ask the host for the turn on nginx; answered by Turn."""


@dataclass(frozen=True, slots=True)
class Release:
    """The turn is not needed any more."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Commit ``ticket``; answered by SwitchFinished.

    ``undo_unclear``: undo also when the confirmation is unclear. ``force``: a forced order.
    """

    switch_id: str
    ticket: str
    origin: str | None
    to: str
    undo_unclear: bool
    force: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One event of the event log, the journal and the metrics. ``level``: info warning error."""

    event_id: str
    event: str
    pool: str
    level: str = "info"
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an order."""

    order_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Wake:
    """Send Woke at this boot time; replaces any earlier Wake."""

    at_boot_ms: int


Command = Save | Test | Queue | Release | Switch | Record | Reply | Wake
