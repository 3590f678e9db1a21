"""``why``: one screen about one pool."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from healthguard.cli.output import Cell, Output, table, text
from healthguard.cli.render_status import HEALTH, last, notes, release
from healthguard.cli.times import ago, clock, length
from healthguard.views.documents import WhyView
from healthguard.views.model import GateView, LastResult
from healthguard.views.received import received

_LONGEST = 300  # characters of one fact

_HOW = {
    "marker": "proven by the marker",
    "confirmed": "proven by a confirmed switch",
    "inferred": "inferred from link and workers",
}


def lines(output: Output, name: str, view: WhyView, now: datetime | None = None) -> Iterator[str]:
    """The screen, line by line."""
    now = now or datetime.now(UTC)
    yield from _now(output, name, view, now)
    yield from _decision(output, view, now)
    if view.gates:
        yield ""
        yield output.paint("gates (the first closed one is the hold)", "bold")
        yield from gate_lines(output, view.gates)
    yield from _section(output, "what would have to change", view.would_need)
    yield from _by_hand(output, name, view)


def _now(output: Output, name: str, view: WhyView, now: datetime) -> Iterator[str]:
    how = _HOW.get(view.active_how, "not proven")
    if view.active:
        since = f"since {clock(view.active_since)} ({ago(view.active_since, now)})"
        yield f"{text(name)}: {output.paint(text(view.active), 'bold')} is active {since}, {how}"
    else:
        yield f"{text(name)}: " + output.paint("the active upstream is not known", "bad")
        if view.active_problem:
            yield output.paint(text(view.active_problem), "warn")
    yield (
        f"link points to {text(view.link)}, target {text(view.target)}, "
        f"phase {text(view.phase)}, mode {text(view.mode)}"
    )
    yield _readiness(output, view)
    for kind, note in notes(view, now):
        yield output.paint(note, kind)
    rows = list(_upstream_rows(view, now))
    if rows:
        yield ""
        yield from table(output, rows, indent="  ")
    yield from _dependencies(output, view, now)


def _dependencies(output: Output, view: WhyView, now: datetime) -> Iterator[str]:
    rows: list[list[Cell]] = []
    for name, each in view.dependencies.items():
        health = (text(each.health), HEALTH.get(each.health, ""))
        word = ("VETOES", "warn") if each.vetoes else ("no veto", "")
        rows.append([(text(name), "bold"), health, word, (last(each.last, now), "")])
    if rows:
        yield output.paint("dependencies", "bold")
        yield from table(output, rows, indent="  ")


def _readiness(output: Output, view: WhyView) -> str:
    if view.rollback_ready:
        return "a rollback would " + output.paint("succeed", "good") + " now"
    if view.ready_gate:
        gate, message = text(view.ready_gate), text(view.ready_message)
        return output.paint(f"rollback unavailable: {gate}: {message}", "bad")
    return "it is not known whether a rollback would succeed"


def _upstream_rows(view: WhyView, now: datetime) -> Iterator[list[Cell]]:
    for name, each in view.upstreams.items():
        probes = list(each.probes.values())
        worst = next((probe for probe in probes if probe.health != "up"), None)
        shown = worst or next(iter(probes), None)
        yield [
            (text(name), "bold"),
            (text(each.role) + release(each), ""),
            (text(each.health), HEALTH.get(each.health, "")),
            (last(shown.last if shown else None, now), ""),
        ]


def _decision(output: Output, view: WhyView, now: datetime) -> Iterator[str]:
    yield ""
    yield output.paint("last decision", "bold")
    decision = view.last_decision
    if decision:
        head = {"at": decision.get("at_wall_ms"), "event": decision.get("event")}
        rest = {key: each for key, each in decision.items() if key not in ("at_wall_ms", "event")}
        yield from _facts(head | rest, now)
    else:
        yield "  none so far"
    if view.failure:
        yield f"  {text(view.failure)}"
    if view.first_fail:
        yield output.paint("first fail", "bold")
        yield from _facts(view.first_fail, now)
    budget = view.budget
    yield (
        f"budget: {budget.used} of {budget.of} used per {length(budget.per_ms)}, "
        f"{budget.daily_used} of {budget.daily_of} today"
    )


def _facts(facts: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Key and value, one per line; times as times, lengths as lengths."""
    width = max(len(text(key)) for key in facts)
    for key, value in facts.items():
        shown = _fact(str(key), value, now)
        for line in shown if isinstance(shown, list) else [shown]:
            if line not in ("", "-"):
                yield f"  {text(key):<{width}}  {line}"


def _fact(key: str, value: object, now: datetime) -> str | list[str]:
    """One fact; a list of facts (results of probes) as one line each."""
    if isinstance(value, list):
        return [_short(_result(each, now)) for each in value]
    if isinstance(value, Mapping):
        return ", ".join(f"{text(name)} {text(each)}" for name, each in value.items())
    if key in ("ts", "at", "since", "until", "at_wall_ms") and clock(value) != "-":
        return f"{clock(value)} ({ago(value, now)} ago)"
    if key.endswith("_ms") and not key.endswith("wall_ms"):
        return length(value)
    return _short(text(value))


def _result(each: object, now: datetime) -> str:
    if isinstance(each, Mapping) and "result" in each:
        return f"{text(each.get('probe'))}: {last(received(LastResult, each), now)}"
    return json.dumps(each) if isinstance(each, Mapping | list) else text(each)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "... (in full: --json)"


def gate_lines(output: Output, gates: Iterable[GateView]) -> list[str]:
    """One line per gate: open, closed or pending, with its evidence."""
    rows: list[list[Cell]] = []
    for gate in gates:
        word, kind = "open", "good"
        if gate.pending:
            word, kind = "pending", "warn"
        elif gate.closed:
            word, kind = "CLOSED", "bad"
        rows.append([(text(gate.gate), ""), (word, kind), (text(gate.evidence), "")])
    return table(output, rows, indent="  ")


def _section(output: Output, title: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield ""
        yield output.paint(title, "bold")
        for sentence in sentences:
            yield f"  {text(sentence)}"


def _by_hand(output: Output, name: str, view: WhyView) -> Iterator[str]:
    commands = view.by_hand
    if view.proposal is not None:
        commands = (view.proposal.command, f"healthguard reject {name}", *commands)
    yield from _section(output, "by hand", commands)
