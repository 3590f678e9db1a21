"""What goes into ``step`` and what comes out of it, side by side.

Every event carries ``at``: the only clock the core has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from healthguard.core.memory import Memory
from healthguard.core.model import (
    Answer,
    Done,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Outcome,
    Policy,
    PrepareFact,
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
    is no marker, or when it is silent or its answers disagree (``marker_problem`` says so).
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
class Prepared:
    """A prepare has ended for ``upstream``."""

    at: Instant
    upstream: str
    fact: PrepareFact


@dataclass(frozen=True, slots=True)
class Turn:
    """It is this pool's turn to act on nginx."""

    at: Instant


@dataclass(frozen=True, slots=True)
class SwitchFinished:
    """The commit has ended (or, after a crash, was reconciled)."""

    at: Instant
    switch_id: str
    done: Done


@dataclass(frozen=True, slots=True)
class Ordered:
    """Somebody wants something."""

    at: Instant
    order: Order


@dataclass(frozen=True, slots=True)
class HostDoubt:
    """Why this host's own word is not to be trusted now; "" when it is again."""

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
    | Prepared
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
class Prepare:
    """Test a switch to ``upstream``; answered by Prepared. ``urgent``: not to be rate limited."""

    upstream: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class AskTurn:
    """Ask the host for the turn on nginx; answered by Turn."""


@dataclass(frozen=True, slots=True)
class GiveBackTurn:
    """The turn on nginx is not needed any more."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Move the link, reload, confirm; answered by SwitchFinished.

    ``ticket`` is of a prepare for ``to`` not older than 60 s. ``origin`` is what the link must
    name now; equal to ``to`` it means: only reload and confirm. ``undo_unclear``: go back also
    when the confirmation is unclear. ``force``: a person's order that passes the DISABLE file.
    """

    switch_id: str
    pool: str
    ticket: str
    origin: str | None
    to: str
    undo_unclear: bool
    force: bool = False


@dataclass(frozen=True, slots=True)
class Say:
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


Command = Save | Prepare | AskTurn | GiveBackTurn | Commit | Say | Reply | Wake
