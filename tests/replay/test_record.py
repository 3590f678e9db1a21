"""The lines of the record: nothing is lost, and little is written."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthguard.core import events as ev
from healthguard.core.codes import Code
from healthguard.core.memory import Memory
from healthguard.core.model import Actor, Answer, Instant, LinkFact, NginxFact, Order, Outcome
from healthguard.core.state import State
from healthguard.replay.record import (
    Decoder,
    Encoder,
    Header,
    Input,
    header_line,
    read_header,
    said,
    said_text,
)
from tests.core.story import Story, policy
from tests.replay.recording import BAD, GOOD, Living, outages

START = Story(policy(stable="green")).state


def through(events: list[tuple[ev.Event, tuple[ev.Command, ...]]], state: State = START) -> str:
    """Encoded, and proven to come back as they were."""
    encoder, header = Encoder(state.at), Header("1", "app", 7, "start", state)
    text = header_line(header) + "".join(encoder.lines(*each) for each in events)
    first, *rest = text.splitlines()
    assert read_header(json.loads(first)) == header
    decoder = Decoder(header)
    inputs = [item for item in (decoder.read(json.loads(line)) for line in rest) if item]
    assert [item.event for item in inputs] == [event for event, _ in events]
    assert [item.said for item in inputs] == [said_text(commands) for _, commands in events]
    assert [item.seq for item in inputs] == list(range(7, 7 + len(events)))
    return text


def test_a_life_comes_back_as_it_was() -> None:
    living = Living(policy(stable="green"), outages(blue=[(30_000, 60_000)]))
    living.order(70_000, "switch", "blue").order(75_000, "pause", for_ms=5_000)
    living.live(120_000)
    kinds = {type(event).__name__ for _, event, _ in living.noted}
    assert kinds >= {"Restored", "Checked", "Observed", "Prepared", "Turn", "Ordered", "Woke"}
    assert living.decided
    state = living.noted[0][0]
    through([(event, commands) for _, event, commands in living.noted], state)


def test_the_state_of_any_moment_comes_back_as_it_was() -> None:
    living = Living(policy(stable="green"), outages(blue=[(5_000, 20_000)])).live(30_000)
    for before, _, _ in living.noted[::7]:
        line = header_line(Header("1", "app", 1, "rolled", before))
        assert read_header(json.loads(line)).state == before


def test_a_pass_like_the_one_before_is_one_short_line() -> None:
    at = START.at
    passes = [
        ev.Checked(Instant(at.boot_ms + n * 2_000, at.wall_ms + n * 2_000), "blue", "health",
                   Answer(4_000 + n, 200))
        for n in range(100)
    ]  # fmt: skip
    text = through([(event, ()) for event in passes])
    assert text.splitlines()[-1] == "[2000,0,0,4099]"


TEXT = st.text(max_size=20)
TIMES = st.builds(Instant, st.integers(0, 2**45), st.integers(-(2**45), 2**45))
ANSWERS = st.builds(
    Answer,
    st.integers(0, 10**8),
    st.none() | st.integers(100, 599),
    st.none() | TEXT,
    st.none() | TEXT,
    st.lists(st.tuples(TEXT, st.booleans()), max_size=3).map(tuple),
    TEXT,
    TEXT,
)
EVENTS = st.one_of(
    st.builds(ev.Checked, TIMES, TEXT, TEXT, ANSWERS),
    st.builds(ev.DependencyChecked, TIMES, TEXT, ANSWERS),
    st.builds(
        ev.Observed,
        TIMES,
        st.builds(LinkFact, st.none() | TEXT, TEXT, TEXT),
        st.builds(NginxFact, TEXT, TEXT),
        st.integers(0, 2**45),
        st.none() | TEXT,
        TEXT,
        st.none() | TEXT,
        TEXT,
    ),
    st.builds(
        ev.Ordered,
        TIMES,
        st.builds(Order, TEXT, st.builds(Actor, TEXT), st.none() | TEXT, TEXT, order_id=TEXT),
    ),
    st.builds(ev.Woke, TIMES),
    st.builds(ev.HostDoubt, TIMES, TEXT),
)
COMMANDS = st.lists(
    st.one_of(
        st.builds(ev.Prepare, TEXT, st.booleans()),
        st.builds(ev.Wake, st.integers()),
        st.builds(ev.Say, TEXT, TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT | st.none())),
    ),
    max_size=2,
).map(tuple)


@given(st.lists(st.tuples(EVENTS, COMMANDS), max_size=12))
def test_any_input_comes_back_as_it_was(events: list[tuple[ev.Event, tuple[ev.Command, ...]]]):
    through(events)


def test_of_a_save_there_is_a_digest_that_tells_memories_apart() -> None:
    memory = Memory("boot", START.at)
    (one,), (two,) = (said([ev.Save(each)]) for each in (memory, replace(memory, lost="why")))
    assert set(one) == {"Save"}
    assert one != two
    assert said([ev.Save(replace(memory))]) == [one]


@pytest.mark.parametrize(
    "raw",
    [
        5,
        [],
        [1],
        [1, 0, 0, 5],
        ["a", 0, 0, 5],
        [1, 0, {"Nothing": {}}, 0],
        [1, 0, {"Checked": 5}, 0],
        [1, 0, {"Checked": {"upstream": 5}}, 0],
        {"shape": 5},
        {},
    ],
)
def test_a_damaged_line_is_a_value_error(raw: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Decoder(Header("1", "app", 1, "start", START)).read(raw)


@pytest.mark.parametrize("raw", [5, {}, {"record": 2}, {"record": 1}, {"record": 1, "state": 5}])
def test_a_damaged_header_is_a_value_error(raw: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_header(raw)


def test_more_shapes_than_are_remembered_are_written_in_full() -> None:
    at = START.at
    answers = [replace(BAD, excerpt=str(n)) for n in range(5_000)] + [GOOD] * 3
    text = through([(ev.Checked(at, "blue", "health", each), ()) for each in answers])
    assert text.count('"shape"') == 4_096


# --------------------------------------------------------------- of another version

RESULT = {"probe": "health", "reason": "refused", "status": None, "detail": "by 10.0.0.1:80"}
HEALTH = ev.Say("app-1", "health_changed", "app", "warning", {**RESULT, "upstream": "blue"})
DEPENDENCY = ev.Say(
    "app-1", "health_changed", "app", "warning", {"dependency": "db", "reason": "refused"}
)
HOLD = ev.Say(
    "app-2", "hold_entered", "app", "error", {"gate": "mode", "reason": "a", "failure": "b"}
)
SWITCH = ev.Say(
    "app-3",
    "switch_lost",
    "app",
    "error",
    {"reason": "a", "message": "b", "warnings": ["c"], "hand": "dana", "evidence": [RESULT]},
)
LINK = ev.Say("app-4", "link_changed", "app", "warning", {"problem": "not a symlink"})
GATE = {"gate": "mode", "closed": True, "evidence": "a"}
REPLY = ev.Reply("o1", Outcome(Code.REFUSED, "mode", "a", {"warnings": ["b"], "gates": [GATE]}))


def other(said: ev.Say, **fields: object) -> ev.Say:
    return replace(said, fields={**said.fields, **fields})


def answer(message: str, **data: object) -> ev.Reply:
    return replace(REPLY, outcome=replace(REPLY.outcome, message=message, data=data))


def same(recorded: ev.Command, now: ev.Command, *, exact: bool = False) -> bool:
    item = Input(1, ev.Woke(Instant(1, 2)), said_text((recorded,)), exact)
    return item.same((now,))


@pytest.mark.parametrize(
    ("recorded", "now"),
    [
        (HEALTH, other(HEALTH, detail="x")),
        (HOLD, other(HOLD, reason="x")),
        (HOLD, other(HOLD, failure="x")),
        (SWITCH, other(SWITCH, reason="x", message="y", warnings=["z"])),
        (SWITCH, other(SWITCH, evidence=[{**RESULT, "detail": "x"}])),
        (REPLY, answer("x", warnings=["y"], gates=[{**GATE, "evidence": "z"}])),
        (ev.Save(Memory("boot-1", Instant(1, 2))), ev.Save(Memory("boot-2", Instant(1, 2)))),
    ],
)
def test_sentences_of_another_version_are_not_compared(
    recorded: ev.Command, now: ev.Command
) -> None:
    assert same(recorded, now)
    assert not same(recorded, now, exact=True)


@pytest.mark.parametrize(
    ("recorded", "now"),
    [
        (HEALTH, other(HEALTH, reason="timeout")),
        (HEALTH, other(HEALTH, status=500)),
        (DEPENDENCY, other(DEPENDENCY, reason="timeout")),
        (HOLD, other(HOLD, gate="paused")),
        (SWITCH, other(SWITCH, hand="sam")),
        (SWITCH, other(SWITCH, evidence=[])),
        (SWITCH, other(SWITCH, evidence=[{**RESULT, "reason": "timeout"}])),
        (LINK, other(LINK, problem="")),
        (REPLY, answer("a", warnings=["b"], gates=[{**GATE, "closed": False}])),
    ],
)
def test_everything_else_of_another_version_is(recorded: ev.Command, now: ev.Command) -> None:
    assert not same(recorded, now)
