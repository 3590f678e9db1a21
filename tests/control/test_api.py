import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from healthguard.control.server import ControlServer, start_control
from healthguard.core.model import Outcome
from healthguard.machine.codec import encode
from tests.control.fakes import FakeGuard, proposal_view
from tests.control.rawhttp import Got, ask
from tests.support.eventually import eventually_async as eventually

GOOD = {
    "switch": {"to": "green", "reason": "release 42", "force": True, "dry_run": False},
    "rollback": {"reason": "errors"},
    "pause": {"for": "1h", "reason": "database"},
    "resume": {},
    "ack": {},
    "good": {"upstream": "blue"},
    "clear": {"upstream": "green"},
    "approve": {"id": "threader-7", "reason": "checked"},
    "reject": {"reason": "repairing it"},
}
ASKED: dict[str, dict[str, Any]] = {
    "switch": {"upstream": "green", "reason": "release 42", "force": True, "dry_run": False},
    "rollback": {"reason": "errors"},
    "pause": {"for_ms": 3_600_000, "reason": "database"},
    "resume": {},
    "ack": {},
    "good": {"upstream": "blue"},
    "clear": {"upstream": "green"},
    "approve": {"proposal": "threader-7", "reason": "checked"},
    "reject": {"reason": "repairing it"},
}


async def order(server: ControlServer, verb: str, body: object = None, query: str = "") -> Got:
    return await ask(server.path, "POST", f"/v1/pools/threader/{verb}{query}", body)


async def test_what_is_read_comes_from_the_guard(server: ControlServer, guard: FakeGuard) -> None:
    status = await ask(server.path, "GET", "/v1/status")
    assert status.status == 200
    assert list(status.json["pools"]) == ["threader", "billing"]
    assert (await ask(server.path, "GET", "/v1/pools/threader")).json["active"] == "blue"
    why = await ask(server.path, "GET", "/v1/pools/threader/why")
    assert why.json["would_need"] == ["green must pass 2 more times"]
    assert (await ask(server.path, "GET", "/v1/pools/threader/ready")).json == guard.is_ready


async def test_releases_and_proposals_are_read(server: ControlServer, guard: FakeGuard) -> None:
    assert (await ask(server.path, "GET", "/v1/proposals")).json == {"proposals": []}
    guard.open = [proposal_view()]
    assert (await ask(server.path, "GET", "/v1/proposals")).json == {
        "proposals": encode(guard.open)
    }
    got = await ask(server.path, "GET", "/v1/pools/threader/releases")
    assert got.json == encode(guard.ledger)


@pytest.mark.parametrize("verb", GOOD)
async def test_an_order_reaches_the_guard_with_its_actor(
    server: ControlServer, guard: FakeGuard, verb: str
) -> None:
    got = await order(server, verb, GOOD[verb])
    assert (got.status, got.json["outcome"], got.json["exit_code"]) == (200, "done", 0)
    given = guard.orders[0]
    actor = given.pop("actor")
    assert given == {"pool": "threader", "verb": verb, **ASKED[verb]}
    assert (actor.uid, actor.pid) == (os.geteuid(), os.getpid())
    assert actor.user


async def test_reload_reaches_the_guard(server: ControlServer, guard: FakeGuard) -> None:
    guard.outcome = Outcome(2, "config", "2 errors", {"errors": ["a:1: b", "a:2: c"]})
    got = await ask(server.path, "POST", "/v1/reload")
    assert (got.status, got.code, got.json["errors"]) == (400, "config", ["a:1: b", "a:2: c"])
    assert guard.orders[0]["verb"] == "reload"
    assert (await ask(server.path, "POST", "/v1/reload", {"x": 1})).code == "bad_request"


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (Outcome(1, "standby_not_up", "green has 0 of 2"), 409, "standby_not_up"),
        (Outcome(2, "", "no"), 400, "bad_request"),
        (Outcome(3, "", "no"), 403, "forbidden"),
        (Outcome(4, "", "the workers kept blue"), 500, "undone"),
        (Outcome(5, "lost", "the undo failed"), 500, "lost"),
    ],
)
async def test_each_outcome_has_its_answer(
    server: ControlServer, guard: FakeGuard, outcome: Outcome, status: int, code: str
) -> None:
    guard.outcome = outcome
    got = await order(server, "switch", {"to": "green"})
    assert (got.status, got.code, got.message) == (status, code, outcome.message)
    assert got.json["exit_code"] == outcome.code


async def test_a_wait_that_is_over_names_what_goes_on(
    server: ControlServer, guard: FakeGuard
) -> None:
    guard.held = asyncio.Event()
    mine = {"pid": os.getpid()}
    guard.tell(id="threader-6", event="switch_started", pool="billing", actor=mine)
    guard.tell(id="threader-7", event="switch_started", pool="threader", actor=mine)
    guard.tell(id="threader-8", event="switch_started", pool="threader", actor={"pid": 1})
    guard.tell(id="threader-9", event="order_received", pool="threader", actor=mine)
    got = await order(server, "switch", {"to": "green"}, "?wait=50ms")
    assert (got.status, got.json["exit_code"], got.json["id"]) == (202, 6, "threader-7")
    guard.held.set()
    await eventually(lambda: guard.finished == 1, within=5)


async def test_an_order_goes_on_when_its_client_leaves(
    server: ControlServer, guard: FakeGuard
) -> None:
    guard.held = asyncio.Event()
    _, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(b"POST /v1/pools/threader/rollback HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: bool(guard.orders), within=5)
    writer.close()
    await writer.wait_closed()
    guard.held.set()
    await eventually(lambda: guard.finished == 1, within=5)


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        ("switch", {}, "'to': is missing"),
        ("switch", {"to": 1}, "'to': must be a name"),
        ("switch", {"to": ""}, "'to': must be a name"),
        ("switch", {"to": "green", "now": 1}, "'now': unknown (known: to, reason, force"),
        ("switch", {"to": "green", "force": "yes"}, "'force': must be true or false"),
        ("switch", {"to": "green", "reason": "two\nlines"}, "'reason': must be one line"),
        ("switch", {"to": "green", "reason": "x" * 501}, "at most 500 characters"),
        ("switch", b'{"to": "green", "reason": "\\ud800"}', "'reason': must be one line"),
        ("switch", {"to": "gren"}, "did you mean 'green'? (known: blue, green)"),
        ("pause", {"for": "1h"}, "'reason': is missing"),
        ("pause", {"for": "1h", "reason": "  "}, "'reason': must not be empty"),
        ("pause", {"for": "soon", "reason": "x"}, "'for': must be a duration such as 500ms"),
        ("pause", {"for": True, "reason": "x"}, "'for': must be a duration"),
        ("approve", {"id": 7}, "'id': must be a name"),
        ("approve", {"proposal": "x"}, "'proposal': unknown (known: id, reason)"),
        ("reject", {"id": "x"}, "'id': unknown (known: reason)"),
        ("resume", {"for": "1h"}, "'for': unknown (known: none)"),
        ("good", None, "'upstream': is missing"),
        ("switch", b"{", "the body is not JSON"),
        ("switch", b"[]", "must be a JSON object"),
        ("switch", b'{"to": "green", "to": "blue"}', "a key occurs twice"),
        ("switch", b'{"to": NaN}', "NaN is not JSON"),
        ("switch", b"\xff\xfe", "the body is not JSON"),
        ("switch", b"[" * 60_000, "nested too deeply"),
        ("switch", b'{"to": ' + b"9" * 5_000 + b"}", "the body is not JSON"),
    ],
)
async def test_a_wrong_body_is_refused_with_its_reason(
    server: ControlServer, guard: FakeGuard, verb: str, body: object, words: str
) -> None:
    got = await order(server, verb, body)
    assert got.status == 400
    assert words in got.message
    assert got.json["exit_code"] == 2
    assert not guard.orders


async def test_a_body_over_64_kib_is_refused(server: ControlServer, guard: FakeGuard) -> None:
    got = await order(server, "switch", b" " * (64 * 1024 + 1))
    assert (got.status, got.code) == (413, "too_big")
    assert (await order(server, "resume", b" " * (64 * 1024))).status == 200


@pytest.mark.parametrize(
    ("method", "target", "status", "words"),
    [
        ("POST", "/v1/status", 405, "accepts GET"),
        ("GET", "/v1/pools/threader/switch", 405, "accepts POST"),
        ("DELETE", "/v1/pools/threader", 405, "accepts GET"),
        ("GET", "/", 404, "no such path"),
        ("GET", "/v2/status", 404, "no such path"),
        ("GET", "/v1/pools", 404, "no such path"),
        ("POST", "/v1/proposals", 405, "accepts GET"),
        ("POST", "/v1/pools/threader/releases", 405, "accepts GET"),
        ("GET", "/v1/pools/threader/approve", 405, "accepts POST"),
        ("GET", "/v1/pools/threadr/releases", 404, "did you mean 'threader'?"),
        ("GET", "/v1/pools/threadr", 404, "did you mean 'threader'? (known: threader, billing)"),
        ("POST", "/v1/pools/%2e%2e/ack", 404, "no pool is called '..'"),
        ("GET", "/v1/events?pool=nope", 404, "no pool is called 'nope'"),
        ("GET", "/v1/status?x=1", 400, "'x': unknown query parameter"),
        ("GET", "/v1/events?follow=yes", 400, "'follow': must be 1 or 0"),
        ("GET", "/v1/events?since=yesterday", 400, "'since': 'yesterday' is not a moment"),
        ("POST", "/v1/pools/threader/ack?wait=1y", 400, "'wait': must be a duration"),
        ("POST", "/v1/pools/threader/ack?wait=1h", 400, "'wait': must be at most 10m"),
    ],
)
async def test_a_wrong_request_is_refused_with_its_reason(
    server: ControlServer, guard: FakeGuard, method: str, target: str, status: int, words: str
) -> None:
    got = await ask(server.path, method, target)
    assert (got.status, words in got.message) == (status, True), got.text
    assert not guard.orders
    if status == 405:
        assert got.headers["allow"] in words


async def test_a_mistake_of_the_daemon_is_told_and_survived(
    server: ControlServer, guard: FakeGuard, caplog: pytest.LogCaptureFixture
) -> None:
    guard.broken = True
    got = await ask(server.path, "GET", "/v1/status")
    assert (got.status, got.code, got.json["exit_code"]) == (500, "internal", 3)
    assert (await ask(server.path, "POST", "/v1/pools/billing/ack")).json["exit_code"] == 5
    assert "broken on purpose" in caplog.text
    guard.broken = False
    assert (await ask(server.path, "GET", "/v1/status")).status == 200


async def test_closing_waits_for_an_answer_and_removes_the_socket(
    server: ControlServer, guard: FakeGuard
) -> None:
    guard.held = asyncio.Event()
    answer = asyncio.create_task(order(server, "rollback"))
    await eventually(lambda: bool(guard.orders), within=5)
    closing = asyncio.create_task(server.close(grace_s=5))
    await eventually(lambda: not server.path.exists(), within=5)
    guard.held.set()
    assert (await answer).status == 200
    await closing


def test_it_works_on_the_event_loop_of_the_daemon_too(guard: FakeGuard, folder: Path) -> None:
    uvloop = pytest.importorskip("uvloop", reason="needs uvloop")

    async def talk() -> list[int]:
        server = await start_control(folder / "control.sock", [], guard)
        try:
            return [
                (await ask(server.path, "GET", "/v1/events")).status,
                (await order(server, "ack")).status,
                (await ask(server.path, "GET", "/v1/nothing")).status,
            ]
        finally:
            await server.close(grace_s=0.2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(talk()) == [200, 200, 404]
    assert guard.orders[0]["actor"].pid == os.getpid()


async def test_closing_does_not_wait_for_ever(
    server: ControlServer, guard: FakeGuard, folder: Path
) -> None:
    guard.held = asyncio.Event()
    answer = asyncio.create_task(order(server, "rollback"))
    await eventually(lambda: bool(guard.orders), within=5)
    await server.close(grace_s=0.1)
    with pytest.raises((IndexError, ConnectionError)):
        await answer
    guard.held.set()
    await eventually(lambda: guard.finished == 1, within=5)
