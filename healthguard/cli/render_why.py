"""``why``: one screen about one pool."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from healthguard.cli.output import Cell, Output, table, text
from healthguard.cli.render_status import HEALTH, View, last, notes, release
from healthguard.cli.times import ago, clock, length

_LONGEST = 300  # characters of one fact

_HOW = {
    "marker": "proven by the marker",
    "confirmed": "proven by a switch that was confirmed",
    "inferred": "inferred from link and workers",
}


def lines(output: Output, name: str, view: View, now: datetime | None = None) -> Iterator[str]:
    """The screen, line by line."""
    now = now or datetime.now(UTC)
    yield from _now(output, name, view, now)
    yield from _decision(output, view, now)
    gates = view.get("gates")
    if gates:
        yield ""
        yield output.paint("gates (the first closed one is the hold)", "bold")
        yield from gate_lines(output, gates)
    yield from _section(output, "what would have to change", view.get("would_need"))
    yield from _by_hand(output, name, view)


def _now(output: Output, name: str, view: View, now: datetime) -> Iterator[str]:
    how = _HOW.get(str(view.get("active_how") or ""), "not proven")
    active = view.get("active")
    if active:
        since = f"since {clock(view.get('active_since'))} ({ago(view.get('active_since'), now)})"
        yield f"{text(name)}: {output.paint(text(active), 'bold')} is active {since}, {how}"
    else:
        yield f"{text(name)}: " + output.paint("what is active is not known", "bad")
        if problem := view.get("active_problem"):
            yield output.paint(text(problem), "warn")
    yield (
        f"link names {text(view.get('link'))}, target {text(view.get('target'))}, "
        f"phase {text(view.get('phase'))}, mode {text(view.get('mode'))}"
    )
    yield _readiness(output, view)
    for kind, note in notes(view, now):
        yield output.paint(note, kind)
    rows = list(_upstream_rows(view, now))
    if rows:
        yield ""
        yield from table(output, rows, indent="  ")
    yield from _dependencies(output, view, now)


def _dependencies(output: Output, view: View, now: datetime) -> Iterator[str]:
    rows: list[list[Cell]] = []
    for name, each in (view.get("dependencies") or {}).items():
        health = text(each.get("health"))
        word = ("VETOES", "warn") if each.get("vetoes") else ("no veto", "")
        shown = (last(each.get("last"), now), "")
        rows.append([(text(name), "bold"), (health, HEALTH.get(health, "")), word, shown])
    if rows:
        yield output.paint("dependencies", "bold")
        yield from table(output, rows, indent="  ")


def _readiness(output: Output, view: View) -> str:
    if view.get("rollback_ready") is True:
        return "a rollback would " + output.paint("succeed", "good") + " now"
    if view.get("rollback_ready") is False:
        gate, message = text(view.get("ready_gate")), text(view.get("ready_message"))
        return output.paint(f"a rollback would be refused: {gate}: {message}", "bad")
    return "whether a rollback would succeed is not known"


def _upstream_rows(view: View, now: datetime) -> Iterator[list[Cell]]:
    for name, each in (view.get("upstreams") or {}).items():
        health = text(each.get("health"))
        probes = each.get("probes") or {}
        worst: View | None = next((p for p in probes.values() if p.get("health") != "up"), None)
        shown: View = worst or next(iter(probes.values()), {})
        yield [
            (text(name), "bold"),
            (text(each.get("role")) + release(each), ""),
            (health, HEALTH.get(health, "")),
            (last(shown.get("last"), now), ""),
        ]


def _decision(output: Output, view: View, now: datetime) -> Iterator[str]:
    yield ""
    yield output.paint("last decision", "bold")
    decision = view.get("last_decision")
    if decision:
        head = {"at": decision.get("at_wall_ms"), "event": decision.get("event")}
        rest = {key: each for key, each in decision.items() if key not in ("at_wall_ms", "event")}
        yield from _facts(head | rest, now)
    else:
        yield "  none so far"
    if failure := view.get("failure"):
        yield f"  {text(failure)}"
    first = view.get("first_fail")
    if first:
        yield output.paint("first fail", "bold")
        yield from _facts(first, now)
    switch = view.get("last_switch")
    if switch:
        from healthguard.cli.history import details

        name = text(switch.get("event"))
        yield output.paint("last switch", "bold")
        yield f"  {clock(switch.get('ts'))}  {name}  {details(switch)}"
    budget = view.get("budget")
    if budget:
        yield (
            f"budget: {text(budget.get('used'))} of {text(budget.get('of'))} used per "
            f"{length(budget.get('per_ms'))}, {text(budget.get('daily_used'))} of "
            f"{text(budget.get('daily_of'))} today"
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
        return f"{text(each.get('probe'))}: {last(each, now)}"
    return json.dumps(each) if isinstance(each, Mapping | list) else text(each)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "... (all of it: --json)"


def gate_lines(output: Output, gates: Iterable[View]) -> list[str]:
    """One line per gate: open, closed or pending, with its evidence."""
    rows: list[list[Cell]] = []
    for gate in gates:
        word, kind = "open", "good"
        if gate.get("pending"):
            word, kind = "pending", "warn"
        elif gate.get("closed"):
            word, kind = "CLOSED", "bad"
        rows.append([(text(gate.get("gate")), ""), (word, kind), (text(gate.get("evidence")), "")])
    return table(output, rows, indent="  ")


def _section(output: Output, title: str, sentences: object) -> Iterator[str]:
    if isinstance(sentences, list) and sentences:
        yield ""
        yield output.paint(title, "bold")
        for sentence in sentences:
            yield f"  {text(sentence)}"


def _by_hand(output: Output, name: str, view: View) -> Iterator[str]:
    """Commands; those of the daemon, else what is always true."""
    commands = view.get("by_hand")
    if not isinstance(commands, list) or not commands:
        ups = view.get("upstreams") or {}
        target = view.get("target") or next(
            (each for each in ups if each != view.get("active")), "UPSTREAM"
        )
        commands = [
            f"healthguard switch {name} {target}",
            f"healthguard switch {name} {target} --standalone   # when the daemon is down",
        ]
    if proposal := view.get("proposal"):
        commands = [proposal.get("command"), f"healthguard reject {name}", *commands]
    yield from _section(output, "by hand", commands)
