"""Records of the version before, through today's ``step``: the same commands for every input.

``files/records`` was made by ``make.py``. What may differ is in ``renamings.py`` alone.
"""

import difflib
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from healthguard.core.pool import step
from healthguard.replay.reading import Segment, find
from healthguard.replay.record import Decoder, read_header, said_text
from healthguard.replay.run import replay
from tests.before import renamings as names

FILES = Path(__file__).with_name("files")
BUNDLES = sorted((FILES / "records").glob("*.jsonl.gz"))
SLICES = 3  # of a bundle, so that they run side by side
COVERED: dict[str, dict[str, int]] = (
    json.loads((FILES / "coverage.json").read_text()) if (FILES / "coverage.json").exists() else {}
)


def segments(bundle: Path) -> Iterator[tuple[str, list[Any]]]:
    """(name, parsed lines, the header first) of every segment in a bundle."""
    name, lines = "", []
    with gzip.open(bundle, "rt") as file:
        for line in file:
            raw = json.loads(line)
            if isinstance(raw, dict) and raw.keys() == {"name"}:
                if lines:
                    yield name, lines
                name, lines = raw["name"], []
            else:
                lines.append(raw)
    yield name, lines


# --------------------------------------------------------------- the comparison


def today(text: str) -> list[Any]:
    """Commands that ``step`` leads to, as compared."""
    return [
        _compared(kind, body) for each in json.loads(text or "[]") for kind, body in each.items()
    ]


def before(text: str) -> list[Any]:
    """Recorded ones, by today's names."""
    return [
        _compared(names.COMMANDS.get(kind, kind), _renamed(kind, body))
        for each in json.loads(text or "[]")
        for kind, body in each.items()
    ]


def _renamed(kind: str, body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {names.FIELDS.get((kind, name), name): value for name, value in body.items()}


def _compared(kind: str, body: Any) -> Any:
    if not isinstance(body, dict):  # a Save
        return {kind: body if names.DIGESTS else "saved"}
    if names.SENTENCES:
        return {kind: body}
    plain = json.loads(json.dumps(body))
    for each in plain.values():  # a Record has fields, a Reply an outcome, whatever they are called
        if isinstance(each, dict):
            _blank(each, names.EVENT_SENTENCES["*"])
            _blank(each, names.EVENT_SENTENCES.get(str(body.get("event")), ()))
            _blank(each, names.OUTCOME_SENTENCES)
            data = each.get("data")
            if isinstance(data, dict):
                _blank(data, names.DATA_SENTENCES)
                for gate in data.get("gates", []):
                    _blank(gate, names.GATE_SENTENCES)
    return {kind: plain}


def _blank(value: dict[str, Any], sentences: tuple[str, ...]) -> None:
    for name in sentences:
        if name in value:
            value[name] = "a sentence" if value[name] else "nothing"


def difference(where: str, state: Any, inputs: Any) -> tuple[str, Any]:
    """(what differs first, or "", the state at the end)."""
    for each in inputs:
        state, commands = step(state, each.event)
        said = said_text(commands)
        if said == each.said and not names.COMMANDS and not names.FIELDS:
            continue
        old, new = before(each.said), today(said)
        if where in names.SAVES_MAY_DIFFER:
            old, new = _unsaved(old), _unsaved(new)
        if old != new:
            diff = difflib.unified_diff(
                _pretty(old), _pretty(new), "before", "today", lineterm="", n=2
            )
            words = f"{where}, input {each.seq}: {each.event}"
            return "\n".join([words, *diff]), state
    return "", state


def _unsaved(commands: list[Any]) -> list[Any]:
    return [each for each in commands if "Save" not in each]


def _pretty(commands: list[Any]) -> list[str]:
    return json.dumps(commands, indent=1, sort_keys=True).splitlines()


# --------------------------------------------------------------- the tests


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name.partition(".")[0])
def test_the_same_inputs_lead_to_the_same_commands(bundle: Path, part: int) -> None:
    wrong = []
    end: tuple[str, int, Any] = ("", 0, None)
    found = list(segments(bundle))
    size = len(found) // SLICES + 1
    for name, (first, *rest) in found[part * size :][:size]:
        header, where = read_header(first), f"{bundle.name}: {name}"
        story = name.rpartition(" from ")[0]
        if end[:2] == (story, header.first) and names.STATES and end[2] != header.state:
            wrong.append(f"{where}: its header is not read as the state that led to it")
        decoder = Decoder(header)
        inputs = [each for raw in rest if (each := decoder.read(raw)) is not None]
        problem, state = difference(where, header.state, inputs)
        end = (story, header.first + len(inputs), None if problem else state)
        if problem:
            end = ("", 0, None)
            wrong.append(problem)
    told = "\n\n".join(wrong[:3])
    assert not wrong, f"{len(wrong)} segments differ, the first ones:\n{told}"


def test_a_record_as_the_recorder_wrote_it() -> None:
    """Files in a folder, found, opened and read as `healthguard replay` does."""
    found = find(FILES / "records" / "recorder")
    assert list(found) == ["app"]
    assert len(found["app"]) == 3
    expected = count(1)
    for each in found["app"]:
        segment = Segment(each.path)
        inputs = list(segment.inputs())
        assert not segment.damage
        assert [item.seq for item in inputs] == [next(expected) for _ in inputs]
        problem, _ = difference(each.path.name, segment.header.state, inputs)
        assert not problem, problem


def test_replay_finds_the_same_decisions_in_a_record_of_the_version_before() -> None:
    """As a person asks for it: segment after segment, without complaining of other sentences."""
    view = replay(FILES / "records" / "recorder")
    assert view["same"], view["pools"]["app"]["difference"]
    assert not view["pools"]["app"]["damage"]


def test_sentences_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch works: other words are then the same, and nothing else is."""
    monkeypatch.setattr(names, "SENTENCES", False)
    row = '[{"Record":{"event":"hold_entered","fields":{"gate":"%s","reason":"%s"}}}]'
    said = row.replace("Record", "Say")
    assert before(row % ("lost", "one")) == today(said % ("lost", "other"))
    assert before(row % ("lost", "one")) != today(said % ("paused", "one"))
    reply = '[{"Reply":{"outcome":{"code":1,"data":{"gates":[{"evidence":"%s"}]},"message":"%s"}}}]'
    assert before(reply % ("a", "b")) == today(reply % ("c", "d"))
    assert before(reply % ("a", "b")) != today(reply % ("", "d"))


# --------------------------------------------------------------- how wide the net is


def coverage() -> dict[str, dict[str, int]]:
    """What occurs in the records and how often; read from the old text, not by today's code."""
    seen: dict[str, Counter[str]] = {}

    def tick(table: str, *words: Any) -> None:
        seen.setdefault(table, Counter())[" ".join(map(str, words))] += 1

    for bundle in sorted((FILES / "records").glob("*.jsonl.gz")):
        for _, (header, *rest) in segments(bundle):
            tick("segments", header["reason"])
            _state(header["state"], tick)
            shapes: list[Any] = []
            for raw in rest:
                if isinstance(raw, dict):
                    shapes.append(raw["shape"])
                    continue
                shape = shapes[raw[2]] if isinstance(raw[2], int) else raw[2]
                for kind, body in shape.items():
                    _input(kind, body, tick)
                for each in raw[4] if len(raw) > 4 else ():
                    for kind, body in each.items():
                        _command(kind, body, tick)
    return {table: dict(sorted(rows.items())) for table, rows in sorted(seen.items())}


def _state(state: Any, tick: Any) -> None:
    memory = state["memory"]
    for name in ("bake", "pause", "attempt", "proposal", "lost", "forced", "rejected", "shadow",
                 "releases", "last_decision", "down_at_pause_end", "undo_stamp"):  # fmt: skip
        if memory[name] not in (
            None,
            "",
            False,
            {},
            {"charges_ms": [], "latched_ms": None, "marks": {}},
        ):
            tick("headers with", name)
    for name in ("charges_ms", "latched_ms", "marks"):
        if memory["ledger"][name]:
            tick("headers with", name)
    for name in ("work", "dry_runs", "testing", "doubt", "unsettled", "veto_ms", "would"):
        if state[name]:
            tick("headers with", name)


def _input(kind: str, body: Any, tick: Any) -> None:
    tick("inputs", kind)
    if kind == "Ordered":
        marks = [name for name in ("force", "dry_run") if body[name]]
        tick("orders", body["verb"], body["trigger"], *marks)
    elif kind == "SwitchFinished":
        done = body["done"]
        tick("ends", done["outcome"] or "(unknown)", done["gate"] or "-", done["confirm"] or "-")
    elif kind == "Restored" and body["memory"] is not None:
        for name in ("bake", "pause", "attempt", "proposal", "lost", "forced"):
            if body["memory"][name]:
                tick("restored with", name)
    elif kind == "Tested":
        tick("prepares", body["fact"]["gate"] or "passed")


def _command(kind: str, body: Any, tick: Any) -> None:
    tick("commands", kind)
    if kind == "Reply":
        tick("replies", body["outcome"]["code"], body["outcome"]["error"] or "-")
        for gate in body["outcome"]["data"].get("gates", ()):
            if gate["closed"]:
                tick("closed in dry runs", gate["gate"])
    if kind == "Record":
        tick("events", body["event"])
        fields = body["fields"]
        if body["event"] in ("hold_entered", "hold_left", "order_refused"):
            tick(f"gates in {body['event']}", fields["gate"])
        elif body["event"] == "proposal_opened":
            tick("gates in proposals", *fields["gates"])
        elif body["event"].startswith("switch_"):
            tick("switches", body["event"], fields["trigger"])


GATES = json.loads((FILES / "gates.json").read_text())["gates"]
EVENTS = """health_changed switch_started switch_completed switch_undone switch_lost hold_entered
    hold_left would_switch order_received order_refused proposal_opened proposal_closed paused
    resumed latched acked bake_started bake_passed bake_failed release_marked link_changed
    readiness_changed"""
# What has to occur, and how often at least.
WIDE: dict[str, tuple[int, str]] = {
    "inputs": (20, "Checked Configured DependencyChecked HostDoubt Observed Ordered Restored "
                   "SwitchFinished Tested Turn Woke"),
    "commands": (100, "Queue Record Release Reply Save Switch Test Wake"),
    "events": (10, EVENTS),
    "closed in dry runs": (1, " ".join(each for each in GATES if each != "no_target")),
}  # fmt: skip


@pytest.fixture(scope="module")
def covered() -> dict[str, dict[str, int]]:
    return coverage()


def test_no_record_was_lost(covered: dict[str, dict[str, int]]) -> None:
    assert covered == COVERED
    assert sum(path.stat().st_size for path in BUNDLES) < 1_600_000


@pytest.mark.parametrize("table", WIDE)
def test_everything_occurs(table: str, covered: dict[str, dict[str, int]]) -> None:
    least, words = WIDE[table]
    rare = {word: covered[table].get(word, 0) for word in words.split()}
    assert not {word: n for word, n in rare.items() if n < least}


def test_orders_of_every_kind_occur(covered: dict[str, dict[str, int]]) -> None:
    orders = covered["orders"]
    for verb in ("switch", "rollback", "approve", "reject", "pause", "resume", "ack", "good",
                 "clear"):  # fmt: skip
        assert f"{verb} manual" in orders
    for order in ("switch deploy", "rollback signal", "switch manual force",
                  "switch manual dry_run", "rollback manual dry_run",
                  "switch manual force dry_run"):  # fmt: skip
        assert orders[order] >= 5, order
    for code in (
        "0 -",
        "1 known_bad",
        "2 usage",
        "2 unknown_upstream",
        "4 undone",
        "5 lost",
        "5 unclear",
    ):
        assert covered["replies"][code] >= 2, code
