"""Two policies on one record: where they decide differently, and what happened afterwards.

Past the first different decision of an incident the world would have been another one, so the
comparison stops there: it only watches what became of the upstream, and begins again from the
recorded state once that is calm.
"""

from collections.abc import Callable
from dataclasses import dataclass

from healthguard.core import events as ev
from healthguard.core.model import AUTOMATIC, Instant, Policy
from healthguard.core.now import in_use
from healthguard.core.pool import step
from healthguard.core.state import State
from healthguard.replay.candidate import Decision, Lens, Shadow, decisions, failing, well
from healthguard.replay.record import Input

WATCH_MS = 600_000  # for so long what becomes of the upstream is watched
BRIEF_MS = 120_000  # an upstream that is well again by then was a false alarm
ORDER_MS = 15_000  # an order that the other side has not carried out by then was refused there
NOISE_MS = 100  # what is simulated (a test, a turn) does not take exactly as long as the real one

AGREE, WATCH, SETTLE = "agree", "watch", "settle"

# Kinds of findings.
EARLIER, LATER, OTHER_TARGET = "earlier", "later", "other_target"
FALSE_ALARM_ADDED, FALSE_ALARM_AVOIDED = "false_alarm_added", "false_alarm_avoided"
ADDED, MISSED, UNCLEAR = "added", "missed", "unclear"
ACTS, ONLY_SAYS = "acts", "only_says"
ORDER = "order"


@dataclass(slots=True)
class Incident:
    """One incident that the two policies saw differently.

    ``recovered``: first pass of the upstream in question, when it came back within ten minutes.
    ``traffic_left``: traffic had been moved away before, which may be why.
    ``person``: someone switched by hand meanwhile. ``cut``: why the record ends here.
    ``delta_ms``: candidate minus recorded. ``own_pace_ms``: about what of a delay would be left
    if results had come at the candidate's own pace: an upstream that the recorded run holds to be
    down is probed rarely.
    """

    kind: str
    opened: Instant
    recorded: Decision | None = None
    candidate: Decision | None = None
    delta_ms: int | None = None
    own_pace_ms: int | None = None
    recovered: Instant | None = None
    traffic_left: bool = False
    person: Decision | None = None
    cut: str = ""


class Comparison:
    """One pool: recorded policy against candidate. Feed segments in order, then ``end``."""

    def __init__(self, lens_of: Callable[[Policy], Lens]) -> None:
        self._lens_of = lens_of
        self._mode = AGREE
        self._open: Incident | None = None
        self._good: Instant | None = None
        self._truth: State | None = None
        self._shadow: Shadow | None = None
        self.findings: list[Incident] = []
        self.agreed: list[Decision] = []
        self.skipped: list[Decision] = []  # recorded while the comparison had stopped
        self.inputs = 0
        self.drifted: int | None = (
            None  # first input that this version of the core decides otherwise
        )

    @property
    def assumed(self) -> set[str]:
        """Upstreams whose configuration test the record does not know: taken to succeed."""
        return self._shadow.assumed if self._shadow is not None else set()

    def begin(self, state: State, *, continues: bool) -> None:
        """A segment begins. ``continues``: exactly where the one before it has ended."""
        if continues and self._shadow is not None and self._truth is not None:
            self._truth = state
            return
        self._close("the record has a gap here")
        self._truth, self._mode = state, AGREE
        if self._shadow is None:
            self._shadow = Shadow(state, self._lens_of)
        else:
            self._shadow.resync(state)

    def end(self) -> None:
        """The record is over."""
        self._close("the record ends here")

    def take(self, item: Input) -> None:
        """The next input."""
        assert self._truth is not None
        assert self._shadow is not None
        self.inputs += 1
        before, event = self._truth, item.event
        self._truth, commands = step(before, event)
        mine = decisions(commands, item.seq, event.at) if commands else []
        if self.drifted is None and (commands or item.said) and not item.same(commands):
            self.drifted = item.seq
        if self._mode == SETTLE:
            self.skipped += mine
            if not commands and _calm(self._truth):
                self._shadow.resync(self._truth)
                self._mode = AGREE
            return
        if self._mode == WATCH and isinstance(event, ev.Restored):
            self._close("healthguard was restarted here")
            return
        theirs = self._shadow.hear(item.seq, event, before, self._truth)
        if self._mode == WATCH:
            self._watch(event, mine, theirs)
        elif mine or theirs:
            self._judge(event, mine, theirs)

    # ------------------------------------------------------------ where they part

    def _judge(self, event: ev.Event, mine: list[Decision], theirs: list[Decision]) -> None:
        recorded = mine[0] if mine else None
        candidate = theirs[0] if theirs else None
        assert self._shadow is not None
        if recorded is not None and candidate is not None and _same(recorded, candidate):
            self._shadow.pairs[recorded.switch_id] = candidate.switch_id
            self.agreed.append(recorded)
            return
        self._mode, self._good = WATCH, None
        self._open = Incident(UNCLEAR, event.at, recorded, candidate)
        if recorded is not None and recorded.acts:
            self._shadow.freeze()
        self._settle(event)

    def _watch(self, event: ev.Event, mine: list[Decision], theirs: list[Decision]) -> None:
        found, shadow = self._open, self._shadow
        assert found is not None
        assert shadow is not None
        for each in mine:
            opener = found.recorded or found.candidate
            if found.recorded is None and opener is not None and each.trigger == opener.trigger:
                found.recorded = each
                if each.acts:
                    shadow.freeze()
            elif each.trigger != AUTOMATIC:
                found.person = each
            else:
                self.skipped.append(each)
        if found.candidate is None and theirs:
            found.candidate = theirs[0]
            if found.recorded is not None:
                found.own_pace_ms = shadow.own_pace(theirs[0].origin, found.recorded.at)
        self._settle(event)

    def _settle(self, event: ev.Event) -> None:
        """End the incident when all is known that can be."""
        found = self._open
        assert found is not None
        ordered = (found.recorded or found.candidate or _NOBODY).trigger != AUTOMATIC
        recorded, candidate = found.recorded, found.candidate
        both = recorded is not None and candidate is not None
        if both and (ordered or (recorded and candidate and recorded.acts == candidate.acts)):
            self._close("")
        elif found.person is not None:
            self._close("someone switched by hand here")
        elif event.at.boot_ms - found.opened.boot_ms > (ORDER_MS if ordered else WATCH_MS):
            self._close("")
        elif not ordered and self._recovered(event):
            found.recovered = self._good
            self._close("")

    def _recovered(self, event: ev.Event) -> bool:
        """True once the upstream in question is well again for both policies."""
        found, truth, shadow = self._open, self._truth, self._shadow
        assert found is not None
        assert truth is not None
        assert shadow is not None
        origin = (found.recorded or found.candidate or _NOBODY).origin
        if origin is None or not isinstance(event, ev.Checked) or event.upstream != origin:
            return False
        if failing(truth.upstreams.get(origin)) or failing(shadow.state.upstreams.get(origin)):
            self._good = None
        elif self._good is None:
            self._good = event.at
        return well(truth, origin) and well(shadow.state, origin)

    def _close(self, cut: str) -> None:
        found, self._open = self._open, None
        if found is None:
            return
        self._mode = SETTLE
        found.cut = cut
        found.traffic_left = found.recorded is not None and found.recorded.acts
        found.kind = _kind(found)
        if found.recorded is not None and found.candidate is not None:
            found.delta_ms = found.candidate.at.boot_ms - found.recorded.at.boot_ms
        if found.kind == AGREE and found.recorded is not None:
            self.agreed.append(found.recorded)
        else:
            self.findings.append(found)


_NOBODY = Decision(0, Instant(0, 0), "", AUTOMATIC, None, "", "")


def _same(recorded: Decision, candidate: Decision) -> bool:
    mine = (recorded.kind, recorded.trigger, recorded.origin, recorded.to, recorded.at.boot_ms)
    return mine == (
        candidate.kind,
        candidate.trigger,
        candidate.origin,
        candidate.to,
        candidate.at.boot_ms,
    )


def _calm(truth: State) -> bool:
    """True when nothing is going on that the candidate could not take over in the middle."""
    active, _, _ = in_use(truth)
    busy = truth.doing.switch is not None or truth.memory.attempt is not None
    return not busy and well(truth, active)


def _kind(found: Incident) -> str:
    """What an incident comes to, by who decided what and what happened afterwards."""
    recorded, candidate = found.recorded, found.candidate
    if (recorded or candidate or _NOBODY).trigger != AUTOMATIC:
        return AGREE if recorded is not None and candidate is not None else ORDER
    if recorded is not None and candidate is not None:
        if recorded.to != candidate.to:
            return OTHER_TARGET
        if recorded.acts != candidate.acts:
            return _alone(found, candidate.acts, ACTS, ONLY_SAYS)
        delta = candidate.at.boot_ms - recorded.at.boot_ms
        if abs(delta) <= NOISE_MS:
            return AGREE
        return LATER if delta > 0 else EARLIER
    if found.recovered is None and found.person is None and found.cut:
        return UNCLEAR
    return _alone(found, candidate is not None, ADDED, MISSED)


def _alone(found: Incident, candidate: bool, added: str, missed: str) -> str:
    """Only one side moves traffic (``candidate``: it is that one): was that a false alarm?"""
    back = found.recovered
    if back is not None and back.boot_ms - found.opened.boot_ms <= BRIEF_MS:
        return FALSE_ALARM_ADDED if candidate else FALSE_ALARM_AVOIDED
    return added if candidate else missed
