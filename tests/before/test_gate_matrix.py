"""Every gate, and what binds, what may be waived and what is advised: as before, cell by cell.

``files/gates.json`` was frozen by ``make.py`` from the version before. The functions of the first
section ask today's code, one question each: only they change when the code's shape does.
"""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from healthguard.cli.remedies import remedy
from healthguard.core import pool
from healthguard.core.dependencies import VETO_MS
from healthguard.core.dryrun import gate_row
from healthguard.core.gates import GATES, binding_for, only_vetoed, waivable
from healthguard.core.memory import Bake, Memory, Pause
from healthguard.core.model import (
    Expect,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Policy,
    UpstreamPolicy,
)
from healthguard.core.now import Finding, now_of
from healthguard.core.state import Doing, Seen
from tests.before import renamings as names

FROZEN = Path(__file__).with_name("files") / "gates.json"
NOW = Instant(10_000_000, 1_700_000_000_000)

# --------------------------------------------------------------- the questions


def gates_in_order() -> list[str]:
    """Every gate; the first closed one is the hold."""
    return list(GATES)


def binds(gate: str, trigger: str, verb: str, force: bool, waived: tuple[str, ...]) -> bool:
    """Would ``gate``, closed, refuse a switch of this kind?"""
    binding = binding_for(Order(verb, trigger=trigger, force=force), waived)
    return binding is None or gate in binding


def never_forced(gate: str) -> bool:
    """As a dry run says it."""
    return bool(gate_row(Finding(gate, True, ""))["never_forced"])


def doubts_the_truth(gate: str) -> bool:
    """Closed, it is a hold whether a switch is wanted or not."""
    return GATES[gate].truth


def forgotten_after_a_look(gate: str) -> bool:
    """A prepare refused by it is asked for again when link or nginx have changed."""
    return GATES[gate].looked_at


def lets_the_veto_run(gate: str) -> bool:
    """``dependency_down`` and this one closed: the time until a person is asked passes."""
    return only_vetoed([Finding(each, True, "") for each in ("dependency_down", gate)])


def is_asked(state: Any, closed: list[str]) -> bool:
    """These are closed while a switch is wanted: does a proposal open?"""
    return waivable(now_of(state), [Finding(name, True, "") for name in closed])


def remedy_in_why(gate: str) -> str:
    """The words, with {pool} and {target} to be filled in."""
    return GATES[gate].remedy


def remedy_of_an_order(gate: str) -> str:
    """What the command line advises whom it has to refuse."""
    return remedy(gate, "app", "green")


def situation(mode: str, baking: bool, veto: str, pause: str) -> Any:
    """blue is active, to be left for green. ``veto``: none, young or over; ``pause``: none, under
    way or over (it ended while blue was down)."""
    colour = UpstreamPolicy({"p": Expect()})
    modes = {"mode_steady": mode, "mode_bake": mode}
    policy = Policy(
        "app", {"blue": colour, "green": colour}, dependencies={"db": Expect()}, **modes
    )
    bake = Bake("blue", "green", NOW.boot_ms, NOW.boot_ms + 1, NOW.boot_ms) if baking else None
    memory = Memory(
        "boot-1",
        NOW,
        active="blue",
        bake=bake,
        pause=Pause(NOW.boot_ms + 1_000, "work", "dana") if pause == "under way" else None,
        down_at_pause_end=pause == "over",
    )
    ages = {"none": None, "young": NOW.boot_ms - VETO_MS + 1, "over": NOW.boot_ms - VETO_MS}
    return replace(
        pool.begin(NOW, policy),
        memory=memory,
        seen=Seen(
            link=LinkFact("blue", "", "link-1", NOW.wall_ms - 10_000),
            nginx=NginxFact("running", "", "100:1", NOW.wall_ms - 1_000),
            looked_ms=NOW.boot_ms,
        ),
        doing=Doing(veto_ms=ages[veto]),
    )


# --------------------------------------------------------------- the matrix

TRIGGERS = ("automatic", "manual", "signal", "deploy", "external")
VERBS = ("", "switch", "rollback", "approve")


def matrix() -> dict[str, Any]:
    """All of it, as it is frozen."""
    gates = gates_in_order()
    return {
        "gates": gates,
        "binds": _binds(gates),
        "never_forced": [gate for gate in gates if never_forced(gate)],
        "doubts_the_truth": [gate for gate in gates if doubts_the_truth(gate)],
        "forgotten_after_a_look": [gate for gate in gates if forgotten_after_a_look(gate)],
        "lets_the_veto_run": [gate for gate in gates if lets_the_veto_run(gate)],
        "is_asked": _asked(gates),
        "remedy_in_why": {gate: remedy_in_why(gate) for gate in gates},
        "remedy_of_an_order": {
            gate: remedy_of_an_order(gate) for gate in (*gates, "no_proposal", "nonsense")
        },
    }


def _binds(gates: list[str]) -> dict[str, str]:
    rows = {}
    waivers = [(), *((gate,) for gate in gates), ("mode", "known_bad"), ("dependency_down", "mode")]
    for trigger, verb, force, waived in product(TRIGGERS, VERBS, (False, True), waivers):
        if waived and verb != "approve" and waived != ("mode", "known_bad"):
            continue  # nothing but an approval has waived anything
        words = [trigger, verb or "-", "force" if force else "-", "+".join(waived) or "-"]
        closed = {gate for gate in gates if binds(gate, trigger, verb, force, waived)}
        rows[" ".join(words)] = _words(gates, closed)
    return rows


def _asked(gates: list[str]) -> dict[str, str]:
    """Which gates leave it to a person: alone, and with others that are closed, too."""
    rows = {}
    situations = product(
        ("auto", "propose", "observe"),
        (False, True),
        ("none", "young", "over"),
        ("none", "under way", "over"),
    )
    for mode, baking, veto, pause in situations:
        state = situation(mode, baking, veto, pause)
        assert not is_asked(state, []), "nothing is in the way: nobody is to be asked"
        for also in ((), ("mode",), ("known_bad",), ("mode", "known_bad"), ("cooldown",)):
            asked = {gate for gate in gates if is_asked(state, sorted({gate, *also}))}
            phase = "bake" if baking else "steady"
            words = f"{mode} {phase}, veto {veto}, pause {pause}, also {'+'.join(also) or '-'}"
            rows[words] = _words(gates, asked)
    return rows


def _words(gates: list[str], chosen: set[str]) -> str:
    """``all``, ``all but ...`` or ``only ...``: every gate is said to be in or out."""
    if len(chosen) == len(gates):
        return "all"
    if 2 * len(chosen) > len(gates):
        return "all but " + " ".join(gate for gate in gates if gate not in chosen)
    return " ".join(["only", *(gate for gate in gates if gate in chosen)]) if chosen else "none"


# --------------------------------------------------------------- the tests

BEFORE: dict[str, Any] = json.loads(FROZEN.read_text()) if FROZEN.exists() else {}
TODAY = matrix()


# The remedies were rewritten with the other sentences; who is bound and asked stays as it was.
COMPARED = [table for table in BEFORE if names.SENTENCES or not table.startswith("remedy")]


@pytest.mark.parametrize("table", COMPARED)
def test_each_cell_is_as_before(table: str) -> None:
    before, today = BEFORE[table], TODAY[table]
    if isinstance(before, dict):
        wrong = [
            f"{row}\n    before: {before.get(row)}\n    today:  {today.get(row)}"
            for row in {**before, **today}
            if before.get(row) != today.get(row)
        ]
        assert not wrong, f"{len(wrong)} rows of {table}:\n  " + "\n  ".join(wrong[:20])
    assert today == before


def test_every_table_is_compared() -> None:
    assert BEFORE.keys() == TODAY.keys()
    assert len(BEFORE["gates"]) == 22
    assert len(BEFORE["binds"]) > 250
    assert len(BEFORE["is_asked"]) == 3 * 2 * 3 * 3 * 5
    assert len(set(BEFORE["is_asked"].values())) > 5, "situations that differ in nothing"
