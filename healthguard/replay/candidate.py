"""A pool under another policy, fed with what was recorded.

What probes answered, what was seen of link and nginx and what people ordered is taken from the
record. What the pool's own commands led to may come at another moment than recorded, so it is
made here: timers, turns, and tests of nginx's configuration (with the last outcome recorded).
As long as it asks for the same at the same input, it gets the recorded reply: the same policy
therefore decides the same, exactly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from healthguard.core import events as ev
from healthguard.core.events import Command, Event
from healthguard.core.health import Tally, Upstream
from healthguard.core.memory import QUEUED
from healthguard.core.model import UP, Answer, Instant, Order, Policy, PrepareFact
from healthguard.core.now import pace_ms
from healthguard.core.pool import step
from healthguard.core.state import State, min_down_ms

SWITCH, WOULD, PROPOSAL = "switch", "would_switch", "proposal_opened"
_JITTER = 0.9  # a result this much of an interval after the last one is taken

Place = tuple[str, str]  # upstream, probe
DEPENDENCY = ""  # stands for the upstream in the place of a dependency's probe


@dataclass(frozen=True, slots=True)
class Lens:
    """A candidate as far as the record can show it.

    ``dropped``: predicates that it no longer checks. ``timeouts_us``: where it waits less.
    ``thin``: it probes more rarely; results that come too soon for it are left out.
    """

    policy: Policy
    dropped: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    timeouts_us: Mapping[Place, int] = field(default_factory=dict)
    thin: bool = False

    def answer(self, place: Place, answer: Answer) -> Answer:
        """``answer`` as the candidate would have seen it."""
        limit = self.timeouts_us.get(place)
        if limit is not None and answer.inconclusive is None and answer.latency_us > limit:
            return Answer(limit, failure="timeout", detail=f"no answer within {limit // 1000} ms")
        names = self.dropped.get(place)
        if not names:
            return answer
        return replace(answer, verdicts=tuple(v for v in answer.verdicts if v[0] not in names))


@dataclass(frozen=True, slots=True)
class Decision:
    """One moment at which traffic was moved, or would have been. ``seq``: at which input."""

    seq: int
    at: Instant
    kind: str  # SWITCH | WOULD | PROPOSAL
    trigger: str
    origin: str | None
    to: str
    reason: str
    switch_id: str = ""

    @property
    def acts(self) -> bool:
        """True if traffic moves without a person saying so now."""
        return self.kind == SWITCH


def decisions(commands: tuple[Command, ...], seq: int, at: Instant) -> list[Decision]:
    """The decisions among ``commands``."""
    moved = {each.switch_id for each in commands if isinstance(each, ev.Commit)}
    found = []
    for each in commands:
        if not isinstance(each, ev.Say):
            continue
        started = each.event == "switch_started" and each.event_id in moved
        said = each.fields
        if started or (each.event in (WOULD, PROPOSAL) and "reminder" not in said):
            found.append(
                Decision(
                    seq,
                    at,
                    SWITCH if started else each.event,
                    str(said.get("trigger") or "automatic"),
                    _text(said.get("from")),
                    str(said.get("to") or ""),
                    str(said.get("reason") or ""),
                    each.event_id,
                )
            )
    return found


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def well(state: State, upstream: str | None) -> bool:
    """True if ``upstream`` is up and nothing of it fails."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    if found is None or found.health != UP:
        return False
    return all(tally.first_fail_ms is None for tally in found.probes.values())


def failing(upstream: Upstream | None) -> bool:
    """True if the last result of one of its probes was a fail."""
    return upstream is not None and any(tally.fails for tally in upstream.probes.values())


def _queued(state: State) -> bool:
    """True while its switch waits for the turn."""
    return state.doing.switch is not None and state.doing.switch.stage == QUEUED


class Shadow:
    """The pool as it would have been."""

    def __init__(self, state: State, lens_of: Callable[[Policy], Lens]) -> None:
        self._lens_of = lens_of
        self.pairs: dict[str, str] = {}  # a recorded switch or proposal -> the same one here
        self.assumed: set[str] = set()  # upstreams whose test is taken to succeed
        self._facts: dict[str, PrepareFact] = {}
        self._frozen: ev.Observed | None = None
        self._seen: ev.Observed | None = None
        self._paced: dict[Place, int] = {}
        self._heard: dict[Place, int] = {}
        self.resync(state)

    def resync(self, state: State) -> None:
        """Go on from the recorded state, under the candidate policy."""
        self._lens = self._lens_of(state.policy)
        self.state = state
        self._due: list[tuple[int, Event]] = []
        self._next: dict[Place, int] = {}
        self._turn_comes = _queued(state)
        self._frozen = None
        self._facts.update(state.seen.prepares)
        self.pairs.clear()
        self._at_once: list[Decision] = []
        if self._lens.policy != state.policy:
            self._at_once = self._step(0, ev.Configured(state.at, self._lens.policy), state)

    def own_pace(self, upstream: str | None, since: Instant) -> int:
        """About how long after ``since`` this would decide, had it probed at its own pace."""
        found = self.state.upstreams.get(upstream or "")
        if found is None or upstream is None:
            return 0
        least = min_down_ms(self.state, upstream)
        ends = [
            tally.first_fail_ms + max(least, self._paced.get((upstream, probe), 0))
            for probe, tally in found.probes.items()
            if tally.first_fail_ms is not None
        ]
        return max(0, max(ends, default=0) - since.boot_ms)

    def freeze(self) -> None:
        """From now on link and nginx stay as last seen: the recorded run has moved them."""
        self._frozen = self._seen

    # ------------------------------------------------------------ what it hears

    def hear(self, seq: int, event: Event, before: State, after: State) -> list[Decision]:
        """One recorded input, between these two recorded states; what is decided on it."""
        found = [replace(each, seq=seq) for each in self._at_once]
        self._at_once = []
        found += self._pass_time(seq, event.at, before, after)
        mine = self._translate(event, before)
        if isinstance(event, ev.Observed):
            self._seen = event
        if isinstance(event, ev.Prepared):
            self._facts[event.upstream] = event.fact
        if mine is not None:
            found += self._step(seq, mine, after)
            if isinstance(mine, ev.Turn):
                found += self._pass_time(seq, event.at, before, after)
        return found

    def _translate(self, event: Event, before: State) -> Event | None:
        """``event`` as it is here; None if it does not come here."""
        match event:
            case ev.Checked():
                return self._checked(event)
            case ev.Observed():
                return self._observed(event)
            case ev.Woke():
                return event if before.doing.wake_ms == self.state.doing.wake_ms else None
            case ev.Turn():
                comes, self._turn_comes = self._turn_comes, False
                return event if comes else None
            case ev.SwitchFinished():
                if self._frozen is not None:
                    return None
                return replace(event, switch_id=self.pairs.get(event.switch_id, event.switch_id))
            case ev.Ordered(order=Order(proposal=str() as named)):
                order = replace(event.order, proposal=self.pairs.get(named, named))
                return replace(event, order=order)
            case ev.DependencyChecked():
                answer = self._lens.answer((DEPENDENCY, event.dependency), event.answer)
                return replace(event, answer=answer)
            case ev.Configured():
                self._lens = self._lens_of(event.policy)
                return replace(event, policy=self._lens.policy)
        return event

    def _checked(self, event: ev.Checked) -> Event | None:
        place = (event.upstream, event.probe)
        if self._lens.thin and event.at.boot_ms < self._next.get(place, 0):
            return None
        self._count_pace(place, event)
        answer = self._lens.answer(place, event.answer)
        return event if answer is event.answer else replace(event, answer=answer)

    def _count_pace(self, place: Place, event: ev.Checked) -> None:
        """How long the present run of fails would have taken at this policy's pace."""
        last, self._heard[place] = self._heard.get(place), event.at.boot_ms
        tally = self._tally(event)
        if last is None or tally is None or tally.first_fail_ms is None:
            self._paced[place] = 0
            return
        pace = pace_ms(self.state, event.upstream, event.probe)
        self._paced[place] = self._paced.get(place, 0) + min(event.at.boot_ms - last, pace)

    def _tally(self, event: ev.Checked) -> Tally | None:
        found = self.state.upstreams.get(event.upstream)
        return found.probes.get(event.probe) if found is not None else None

    def _observed(self, event: ev.Observed) -> Event:
        if self._frozen is None:
            return event
        return replace(
            self._frozen, at=event.at, looked_ms=event.looked_ms, disabled=event.disabled
        )

    # ------------------------------------------------------------ what happens without an order

    def _pass_time(self, seq: int, at: Instant, before: State, after: State) -> list[Decision]:
        """Timers, turns and tests that fall due until ``at``."""
        found: list[Decision] = []
        while True:
            due = self._pop_due(at.boot_ms, before)
            if due is None:
                return found
            moment = Instant(due[0], at.wall_ms - at.boot_ms + due[0])
            found += self._step(seq, replace(due[1], at=moment), after)

    def _pop_due(self, until_ms: int, before: State) -> tuple[int, Event] | None:
        first = min(self._due, key=lambda each: each[0], default=None)
        wake = self.state.doing.wake_ms
        own = wake and wake != before.doing.wake_ms
        if own and wake <= until_ms and (first is None or wake < first[0]):
            return wake, ev.Woke(self.state.at)
        if first is None or first[0] > until_ms:
            return None
        self._due.remove(first)
        return first

    def _step(self, seq: int, event: Event, truth: State) -> list[Decision]:
        self.state, commands = step(self.state, event)
        if isinstance(event, ev.Checked) and self._lens.thin:
            self._pace(event)
        for command in commands:
            self._follow(command, event.at, truth)
        return decisions(commands, seq, event.at) if commands else []

    def _pace(self, event: ev.Checked) -> None:
        tally = self._tally(event)
        if tally is not None:
            pace = pace_ms(self.state, event.upstream, event.probe)
            place = (event.upstream, event.probe)
            self._next[place] = event.at.boot_ms + int(pace * _JITTER)

    def _follow(self, command: Command, at: Instant, truth: State) -> None:
        """What the world replies to ``command``: as recorded if it was asked there too."""
        match command:
            case ev.Prepare(upstream) if truth.doing.preparing != upstream:
                fact = self._fact(upstream, at)
                self._due.append((at.boot_ms + fact.took_ms, ev.Prepared(at, upstream, fact)))
            case ev.AskTurn():
                self._turn_comes = _queued(truth)
                if not self._turn_comes:
                    self._due.append((at.boot_ms, ev.Turn(at)))
            case ev.GiveBackTurn():
                self._turn_comes = False
                self._due = [each for each in self._due if not isinstance(each[1], ev.Turn)]

    def _fact(self, upstream: str, at: Instant) -> PrepareFact:
        known = self._facts.get(upstream)
        if known is None:
            self.assumed.add(upstream)
            return PrepareFact(at, "replay")
        return known if known.gate else replace(known, ticket="replay")
