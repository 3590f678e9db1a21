"""Phase, hold and readiness: derived, and told exactly once when they change (law 10)."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.evidence import failure_sentence
from healthguard.core.gates import TRUTH, evaluate, first_closed, past_min_down
from healthguard.core.happenings import ERROR, WARNING
from healthguard.core.model import DOWN, UP
from healthguard.core.now import Finding, Now
from healthguard.core.state import failing_since_ms, health_of, min_down_ms

PENDING_MS = 5_000  # a missing fact is not called a hold before it has been missing this long
# An upstream may take its time after a start of the host. One that fails for longer than this is
# said, although nothing may be done about it yet.
SLOW_START_MS = 120_000
READY = "a rollback would succeed now"


def phase(now: Now) -> tuple[str, Finding | None]:
    """(phase, the gate that holds it), from the gates for the present target."""
    memory, gates = now.state.memory, evaluate(now, now.target)
    if memory.lost:
        return "lost", None
    if memory.attempt is not None:
        return "switching", None
    truth = first_closed(gates, TRUTH)
    if truth is not None and not truth.pending:
        return "holding", truth
    starting = first_closed(gates, frozenset({"starting"}))
    if starting is not None or truth is not None:
        return "starting", starting or truth
    closed = first_closed(gates)
    if past_min_down(now) and closed is not None and not _excused(now, closed):
        return "holding", closed
    return ("baking" if now.baking else "steady"), None


def _excused(now: Now, finding: Finding) -> bool:
    """A pending fact is on its way: not a hold yet."""
    here, since = now.active, now.failing_since
    if not finding.pending or here is None or since is None:
        return False
    return now.state.at.boot_ms - since < min_down_ms(now.state, here) + PENDING_MS


def judge_calm(draft: Draft) -> None:
    """Derive what an ordinary pass or look is compared with, so that it costs little."""
    now = draft.now
    closed = first_closed(evaluate(now, now.target))
    draft.calm = phase(now)[0] in ("steady", "baking")
    draft.awaits_passes = closed is not None and closed.name == "standby_not_up"


def tell(draft: Draft) -> None:
    """Say what has changed in phase, hold and readiness."""
    now = draft.now
    name, finding = phase(now)
    old, old_hold = draft.told.phase, draft.told.hold
    hold = finding.name if name == "holding" and finding is not None else ""
    same = (name, hold) == (old, old_hold)
    if draft.told.down and (not same or not _down(now)):
        draft.told = replace(draft.told, down=False)
    if hold != old_hold:
        if hold and finding is not None:
            _hold_entered(draft, now, finding)
        else:
            draft.say("hold_left", gate=old_hold, phase=name)
    elif name == "starting" and old in ("steady", "baking") and finding is not None:
        _hold_entered(draft, now, replace(finding, name="starting"))  # known no more
    elif name != old and old == "starting":
        draft.say("hold_left", gate="starting", phase=name)
    elif same and finding is not None and not draft.told.down and _matters_now(now, finding):
        _hold_entered(draft, now, finding)  # users see errors now, and it holds: said once more
    if not same:
        draft.told = replace(draft.told, phase=name, hold=hold)
    _tell_ready(draft, now, name)


def _down(now: Now) -> bool:
    return health_of(now.state, now.serving) == DOWN


def _matters_now(now: Now, finding: Finding) -> bool:
    """True if what holds has come to hold back help for an upstream that is down."""
    since = failing_since_ms(now.state, now.serving)
    if not _down(now) or since is None:
        return False
    return finding.name != "starting" or now.state.at.boot_ms - since >= SLOW_START_MS


def _hold_entered(draft: Draft, now: Now, finding: Finding) -> None:
    """A switch that is wanted and held back, or a truth that is lost, is said loudly."""
    down, to = _down(now), now.target
    fields: dict[str, object] = {
        "gate": finding.name,
        "reason": finding.evidence,
        "active": now.active,
        "target": to,
        "wanted": down,
        "both_down": down and to is not None and health_of(now.state, to) == DOWN,
        "failure": failure_sentence(now.state, now.serving),
    }
    draft.told = replace(draft.told, down=down)
    draft.say("hold_entered", ERROR if down else None, **fields)
    if down:
        draft.decided("hold_entered", fields)


def ready(now: Now) -> tuple[bool, Finding | None]:
    """(a rollback would succeed now, else the gate that says no)."""
    closed = first_closed(evaluate(now, now.target))
    return closed is None, closed


def _tell_ready(draft: Draft, now: Now, name: str) -> None:
    if name in ("starting", "switching") or health_of(now.state, now.active) != UP:
        return  # an incident tells its own story
    yes, finding = ready(now)
    if finding is not None and (finding.pending or finding.name == "min_down"):
        return
    gate = finding.name if finding is not None else ""
    if (yes, gate) == draft.told.ready:
        return
    draft.told = replace(draft.told, ready=(yes, gate))
    draft.say(
        "readiness_changed",
        None if yes else WARNING,
        ready=yes,
        gate=gate or None,
        reason=finding.evidence if finding is not None else READY,
        target=now.target,
    )
