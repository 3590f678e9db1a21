"""Documents on disk and on the wire: the bytes of the version before, both ways.

A guard and a switcher of neighbouring versions talk to each other, and each reads what the other
version left on disk. A text here that has to change is a change of the protocol.
"""

import json
from pathlib import Path

import pytest

from healthguard.core.model import Done, Instant, PrepareFact
from healthguard.machine.codec import Misfit, decode, encode
from healthguard.nginx.intent import Intent, Intents
from healthguard.nginx.ports import Commit, Recovered
from healthguard.notify import wire as pipe
from healthguard.notify.outbox import Outbox, Patience
from healthguard.notify.spec import Message, Notifier, Secret, Sent
from healthguard.switcher import wire

DONE = Done("undone", "", "went back", "refuted", {"swap": 3, "reload": 12}, False, "7:8:x", "1:2")
DONE_TEXT = (
    b'{"outcome":"undone","gate":"","message":"went back","confirm":"refuted",'
    b'"timings_ms":{"swap":3,"reload":12},"durable":false,"link":"7:8:x","master":"1:2",'
    b'"recovered":false}'
)
FACT = PrepareFact(Instant(5, 1_700_000_000_000), None, "config_invalid", "caf\u00e9", "ab", 9)
INTENT = Intent("s1", "app", "blue", "green", "/l", 7, 1, "boot", "1:2", ((3, 4), (5, 6)), DONE)
MESSAGE = Message("m1", "k", "hold", "warning", "T", "B", 12, details={"n": [1, None]})
ANSWERS = [
    (DONE, DONE_TEXT),
    (Recovered("s1", "app", "green", DONE),
     b'{"switch_id":"s1","pool":"app","to":"green","done":' + DONE_TEXT + b"}"),
    (FACT, b'{"at":{"boot_ms":5,"wall_ms":1700000000000},"ticket":null,"gate":"config_invalid",'
     b'"message":"caf\\u00e9","stamp":"ab","took_ms":9}'),
]  # fmt: skip
REQUESTS: list[tuple[wire.Request, bytes]] = [
    (wire.Ping(), b'{"do":"ping"}\n'),
    (wire.Reconcile(), b'{"do":"reconcile"}\n'),
    (wire.ResultRequest("s1"), b'{"do":"result","switch_id":"s1"}\n'),
    (wire.PrepareRequest("app", "green"), b'{"do":"prepare","pool":"app","upstream":"green"}\n'),
    (Commit("s1", "app", "t", None, "green", True),
     b'{"do":"commit","switch_id":"s1","pool":"app","ticket":"t","origin":null,"to":"green",'
     b'"undo_unclear":true,"force":false}\n'),
]  # fmt: skip
COMMIT = json.loads(REQUESTS[-1][1])
REFUSED = [
    ({**COMMIT, "more": 1, "Also": 2}, "commit: unknown field 'Also'"),
    ({"do": "prepare", "pool": "app"}, "prepare: field 'upstream' is missing"),
    ({"do": "prepare", "pool": "app", "upstream": None},
     "prepare: field 'upstream' has the wrong type"),
    ({**COMMIT, "undo_unclear": 1}, "commit: field 'undo_unclear' has the wrong type"),
    ({**COMMIT, "switch_id": ""}, "commit: field 'switch_id' must have 1 to 200 characters"),
    ({"do": "result", "switch_id": "x" * 201},
     "result: field 'switch_id' must have 1 to 200 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), ANSWERS)
def test_values_in_answers(value: object, text: bytes) -> None:
    assert wire.encode(encode(value)) == text + b"\n"
    assert wire.load(type(value), json.loads(text)) == value


@pytest.mark.parametrize(("value", "text"), ANSWERS)
def test_answers_of_another_version_are_understood(value: object, text: bytes) -> None:
    assert wire.load(type(value), {**json.loads(text), "later": [1]}) == value


def test_what_an_answer_need_not_have() -> None:
    assert wire.load(Done, {"outcome": "completed"}) == Done("completed")
    at = {"boot_ms": 1, "wall_ms": 2}
    assert wire.load(PrepareFact, {"at": at, "ticket": "t"}) == PrepareFact(Instant(1, 2), "t")


@pytest.mark.parametrize("value", [None, [], "x", {}, {"outcome": 7}, {"at": {}, "ticket": "t"}])
def test_answers_that_are_none(value: object) -> None:
    for kind in (Done, PrepareFact, Recovered):
        with pytest.raises(wire.WireError):
            wire.load(kind, value)


@pytest.mark.parametrize(("request_", "line"), REQUESTS)
def test_requests(request_: wire.Request, line: bytes) -> None:
    assert wire.encode_request(request_) == line
    assert wire.decode_request(line) == request_


@pytest.mark.parametrize(("message", "problem"), REFUSED)
def test_requests_are_read_strictly(message: dict[str, object], problem: str) -> None:
    with pytest.raises(wire.WireError) as refused:
        wire.decode_request(json.dumps(message).encode())
    assert str(refused.value) == problem


def test_force_may_be_left_out_of_a_commit() -> None:
    line = json.dumps({key: each for key, each in COMMIT.items() if key != "force"}).encode()
    assert wire.decode_request(line) == REQUESTS[-1][0]


INTENT_TEXT = (
    '{"at_wall_ms": 1, "boot_id": "boot", "done": {"confirm": "refuted", "durable": false, '
    '"gate": "", "link": "7:8:x", "master": "1:2", "message": "went back", "outcome": "undone", '
    '"recovered": false, "timings_ms": {"reload": 12, "swap": 3}}, "inode": 7, "link": "/l", '
    '"master": "1:2", "origin": "blue", "pool": "app", "switch_id": "s1", "to": "green", '
    '"workers": [[3, 4], [5, 6]]}'
)


def test_the_intent_on_disk(tmp_path: Path) -> None:
    intents = Intents(tmp_path, tmp_path / "spare")
    assert intents.write(INTENT)
    path = tmp_path / "intent-app.json"
    assert path.read_text() == INTENT_TEXT
    assert intents.read("app") == INTENT
    path.write_text(json.dumps({**json.loads(INTENT_TEXT), "later": 1}))
    assert intents.read("app") is None, "what root goes on with is read strictly"


def test_the_job_and_the_answer_of_the_sender() -> None:
    notifier = Notifier(
        "ops", "email", {"to": ["a@b"]}, {"password": Secret(file="/s")}, frozenset({"hold"})
    )
    text = (
        b'{"notifier": {"name": "ops", "kind": "email", "settings": {"to": ["a@b"]}, '
        b'"secrets": {"password": {"file": "/s", "text": ""}}}, "messages": [{"id": "m1", '
        b'"key": "k", "level": "hold", "severity": "warning", "title": "T", "body": "B", '
        b'"at_wall_ms": 12, "resolves": false, "details": {"n": [1, null]}}]}'
    )
    assert pipe.job(notifier, [MESSAGE]) == text
    read, messages = pipe.read_job(text)
    assert (read.name, read.kind, read.settings, read.secrets) == (
        "ops", "email", {"to": ["a@b"]}, {"password": Secret(file="/s")},
    )  # fmt: skip
    assert messages == [MESSAGE]
    assert pipe.answer(Sent("m1", False, "p")) == '{"id": "m1", "ok": false, "problem": "p"}'


def test_what_waits_to_be_sent() -> None:
    outbox = Outbox(Patience())
    outbox.add("ops", MESSAGE, 99)
    text = (
        '{"ops": {"due_ms": 0, "fails": 0, "waiting": [{"since_ms": 99, "tries": 0, "message": '
        '{"id": "m1", "key": "k", "level": "hold", "severity": "warning", "title": "T", '
        '"body": "B", "at_wall_ms": 12, "resolves": false, "details": {"n": [1, null]}}}]}}'
    )
    assert json.dumps(outbox.document()) == text
    after = Outbox(Patience())
    after.restore(json.loads(text))
    assert after.document() == outbox.document()


def test_a_misfit_names_its_place() -> None:
    with pytest.raises(Misfit) as misfit:
        decode(Recovered, {**json.loads(ANSWERS[1][1]), "done": {"outcome": True}})
    assert (misfit.value.place, misfit.value.problem) == (
        "Recovered.done.outcome", "expected str, found bool",
    )  # fmt: skip
