"""Compares what the guard did with the right answer of the story.

Every switch, proposal and ``would_switch`` that is not in the right answer is wrong; of the rest
only what the answer names is looked at.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.stories.run import Run, Said, active_of
from tests.stories.sim import Simulation
from tests.stories.transcript import FOREVER, Story, StoryError, duration

_T = r"(-?[\d.]+(?:ms|s|m|h))"
_BETWEEN = rf"between {_T} and {_T}"
_SWITCH = re.compile(
    rf"(perhaps )?switch(?: (undone|lost))? (\w+)->(\w+)(?:, (\w+),)? {_BETWEEN}"
    rf"(?:, right from {_T})?"
)
_BLIND = re.compile(
    rf"a switch (\w+)->(\w+) would be right from {_T}, but this policy cannot see it"
)
_AT = re.compile(rf"(.+) at {_T}(?:: (\w+))?")
CODES = {"done": 0, "undone": 4, "lost": 5}


@dataclass(frozen=True)
class Expected:
    """One switch of the right answer. ``right_from``: since when it is right to want it."""

    pool: str
    origin: str
    to: str
    trigger: str | None
    after: int
    before: int
    outcome: str
    right_from: int | None
    perhaps: bool = False

    def __str__(self) -> str:
        words = "perhaps " if self.perhaps else ""
        how = f" {self.outcome}" if self.outcome != "completed" else ""
        span = f"between {clock(self.after)} and {clock(self.before)}"
        return f"{words}switch{how} {self.origin}->{self.to} {self.trigger or ''} {span}"


@dataclass(frozen=True)
class Actual:
    """One switch that was tried. ``at``: the decision."""

    pool: str
    at: int
    origin: str | None
    to: str
    trigger: str
    outcome: str


def clock(ms: int) -> str:
    """``83.2s``."""
    return "ever" if ms >= FOREVER else f"{ms / 1000:g}s"


def expected_switches(story: Story) -> list[Expected]:
    """The switches of the right answer, in its order; those that the policy cannot see, too."""
    found = []
    for pool, line in story.right:
        if (match := _SWITCH.fullmatch(line)) is not None:
            perhaps, outcome, origin, to, trigger, after, before, right = match.groups()
            found.append(
                Expected(
                    pool,
                    origin,
                    to,
                    trigger,
                    duration(after),
                    duration(before),
                    outcome or "completed",
                    duration(right) if right else None,
                    bool(perhaps),
                )
            )
        elif (match := _BLIND.fullmatch(line)) is not None:
            origin, to, right = match.groups()
            start = duration(right)
            found.append(
                Expected(pool, origin, to, "automatic", start, FOREVER, "completed", start, True)
            )
    return found


def actual_switches(run: Run) -> list[Actual]:
    """Every switch of the run that was begun and not refused, and those by other hands."""
    ends = {
        said.fields["switch"]: said
        for said in run.said
        if said.event in ("switch_completed", "switch_undone", "switch_lost")
        and "switch" in said.fields
    }
    found = []
    for said in run.said:
        fields = said.fields
        if said.event == "switch_started":
            end = ends.get(fields["id"])
            outcome = end.event.removeprefix("switch_") if end is not None else "unfinished"
            if end is not None and end.fields.get("gate"):
                continue  # refused: nothing was moved
            found.append(
                Actual(said.pool, said.at, fields["from"], fields["to"], fields["trigger"], outcome)
            )
        elif said.event == "switch_completed" and fields["trigger"] == "external":
            found.append(
                Actual(said.pool, said.at, fields["from"], fields["to"], "external", "completed")
            )
    return found


def judge(story: Story, seed: int) -> tuple[Run, list[str]]:
    """Run the story and say what is wrong; nothing if the guard's answer is the right one."""
    run = Simulation(story, seed, tuple(_moments(story))).run()
    wrong = _switches(story, run)
    named: dict[str, list[tuple[str, int, int, str, str]]] = {"proposal": [], "would": []}
    for pool, line in story.right:
        try:
            problem = _line(run, pool, line, named)
        except StoryError as error:
            raise StoryError(f"{story.name}: {error}") from None
        if problem:
            wrong.append(f"{line!r}: {problem}")
    wrong += _unnamed(run, named)
    return run, wrong


def _moments(story: Story) -> list[tuple[str, int]]:
    found = []
    for pool, line in story.right:
        if (match := _AT.fullmatch(line)) is not None and "between" not in line:
            found.append((pool, duration(match[2])))
    return found


def _switches(story: Story, run: Run) -> list[str]:
    left, wrong = actual_switches(run), []
    for each in expected_switches(story):
        for actual in left:
            fits = (actual.pool, actual.origin, actual.to, actual.outcome) == (
                each.pool,
                each.origin,
                each.to,
                each.outcome,
            )
            same = each.trigger in (None, actual.trigger)
            if fits and same and each.after <= actual.at <= each.before:
                left.remove(actual)
                break
        else:
            if not each.perhaps:
                wrong.append(f"did not happen: {each}")
    wrong += [
        f"is not in the right answer: {each.pool}: switch {each.outcome} "
        f"{each.origin}->{each.to} {each.trigger} at {clock(each.at)}"
        for each in left
    ]
    return wrong


Named = dict[str, list[tuple[str, int, int, str, str]]]


def _line(run: Run, pool: str, line: str, named: Named) -> str:
    """What is wrong with one line of the right answer; "" if nothing."""
    if _SWITCH.fullmatch(line) or _BLIND.fullmatch(line) or line in ("no other switch",):
        return ""
    if re.fullmatch(rf"no switch(?: before {_T})?", line):
        return ""  # whatever is not named is wrong
    for pattern, check in _LINES:
        match = re.fullmatch(pattern, line)
        if match is not None:
            return check(run, pool, match, named)
    raise StoryError(f"not a right answer: {line!r}")


def _within(said: Said, pool: str, event: str, after: str, before: str) -> bool:
    inside = duration(after) <= said.at <= duration(before)
    return said.pool == pool and said.event == event and inside


def _some(run: Run, pool: str, event: str, after: str, before: str, **fields: str) -> str:
    for said in run.said:
        if _within(said, pool, event, after, before) and _fits(said, fields):
            return ""
    others = [
        f"{clock(each.at)} {' '.join(f'{k}={each.fields.get(k)}' for k in fields)}".strip()
        for each in run.said
        if each.pool == pool and each.event == event
    ]
    return f"did not happen; {event} came at: {', '.join(others) or 'no time'}"


def _fits(said: Said, fields: dict[str, str]) -> bool:
    return all(_word(said.fields.get(key)) == value for key, value in fields.items())


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hold(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    gate, over, after, before = match.groups()
    event = "hold_left" if over else "hold_entered"
    return _some(run, pool, event, after, before, gate=gate)


def _no_hold(run: Run, pool: str, _match: re.Match[str], _: Named) -> str:
    held = [each for each in run.said if each.pool == pool and each.event == "hold_entered"]
    return ", ".join(f"{each.fields['gate']} at {clock(each.at)}" for each in held)


def _proposal(run: Run, pool: str, match: re.Match[str], named: Named) -> str:
    origin, to, after, before = match.groups()
    named["proposal"].append((pool, duration(after), duration(before), origin, to))
    return _some(run, pool, "proposal_opened", after, before, **{"from": origin, "to": to})


def _closed(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    return _some(run, pool, "proposal_closed", match[1], match[2])


def _would(run: Run, pool: str, match: re.Match[str], named: Named) -> str:
    origin, to, after, before = match.groups()
    named["would"].append((pool, duration(after), duration(before), origin, to))
    return _some(run, pool, "would_switch", after, before, **{"from": origin, "to": to})


def _latched(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    return _some(run, pool, "latched", match[1], match[2])


def _order(run: Run, _pool: str, match: re.Match[str], _: Named) -> str:
    number, how, gate = int(match[1]), match[2], match[3]
    outcome = run.replies.get(number)
    if outcome is None:
        return "was not answered"
    if how == "fails":
        good = outcome.code != 0
    elif how == "refused":
        good = outcome.code == 1 and outcome.error == gate
    else:
        good = outcome.code == CODES[how]
    return "" if good else f"was answered {outcome.code} {outcome.error}: {outcome.message}"


def _event(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    unwanted, event, pairs, after, before = match.groups()
    fields = dict(pair.split("=", 1) for pair in pairs.split())
    problem = _some(run, pool, event, after or "-1000h", before or "1000h", **fields)
    if unwanted:
        return "" if problem else "did happen"
    return problem


def _is(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    upstream, health, at = match.groups()
    snapshot = run.snapshots[(pool, duration(at))]
    if upstream == "active":
        found = active_of(snapshot)
        return "" if found == health else f"it is {found}"
    found = snapshot.state.upstreams[upstream].health
    return "" if found == health else f"it is {found}"


def _ready(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    no, at, gate = match.groups()
    closed = [each.name for each in run.snapshots[(pool, duration(at))].gates if each.closed]
    first = closed[0] if closed else ""
    if no:
        return "" if first == gate else f"the first closed gate is {first or 'none'}"
    return f"closed: {', '.join(closed)}" if closed else ""


def _gate(run: Run, pool: str, match: re.Match[str], _: Named) -> str:
    name, how, at = match.groups()
    gates = {each.name: each for each in run.snapshots[(pool, duration(at))].gates}
    gate = gates[name]
    good = gate.closed == (how == "closed")
    return "" if good else f"it is {'closed' if gate.closed else 'open'}: {gate.evidence}"


_LINES: list[tuple[str, Callable[[Run, str, re.Match[str], Named], str]]] = [
    (rf"hold (\w+)( over)? {_BETWEEN}", _hold),
    (r"no hold", _no_hold),
    (rf"proposal (\w+)->(\w+) {_BETWEEN}", _proposal),
    (rf"proposal closed {_BETWEEN}", _closed),
    (rf"would switch (\w+)->(\w+) {_BETWEEN}", _would),
    (rf"latched {_BETWEEN}", _latched),
    (r"order (\d+) (?:is )?(done|undone|lost|fails|refused)(?:: (\w+))?", _order),
    (rf"(no )?event (\w+)((?: \w+=\S+)*)(?: {_BETWEEN})?", _event),
    (rf"(\w+) is (\w+) at {_T}", _is),
    (rf"(not )?ready at {_T}(?:: (\w+))?", _ready),
    (rf"gate (\w+) is (open|closed) at {_T}", _gate),
]


def _unnamed(run: Run, named: Named) -> list[str]:
    """Proposals and would-be switches that the right answer does not name."""
    wrong = []
    for event, key in (("proposal_opened", "proposal"), ("would_switch", "would")):
        for said in run.said:
            if said.event != event or "reminder" in said.fields:
                continue
            if not any(
                (said.pool, said.fields["from"], said.fields["to"]) == (pool, origin, to)
                and after <= said.at <= before
                for pool, after, before, origin, to in named[key]
            ):
                words = f"{said.fields['from']}->{said.fields['to']} at {clock(said.at)}"
                wrong.append(f"is not in the right answer: {event} {words}")
    return wrong


def timeline(run: Run) -> str:
    """What the guard said, for whoever has to find out why an answer is wrong."""
    keys = ("from", "to", "upstream", "gate", "trigger", "reason", "phase", "ready", "mark")
    lines = []
    for said in run.said:
        words = " ".join(f"{key}={said.fields[key]}" for key in keys if said.fields.get(key))
        lines.append(f"{clock(said.at):>10}  {said.pool}: {said.event} {words}"[:180])
    for number, outcome in sorted(run.replies.items()):
        lines.append(f"{'':>10}  order {number}: {outcome.code} {outcome.error} {outcome.message}")
    return "\n".join(lines)
