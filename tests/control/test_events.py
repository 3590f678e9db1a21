import asyncio
import json
from typing import Any

from healthguard.control.server import ControlServer
from healthguard.control.stream import MAX_STREAMS
from tests.control.fakes import FakeGuard
from tests.control.rawhttp import ask, parse
from tests.support.eventually import eventually_async as eventually


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def ids(text: str) -> list[str]:
    return [event["id"] for event in lines(text)]


async def open_stream(server: ControlServer, query: str) -> Any:
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(f"GET /v1/events?{query} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    return reader, writer


async def test_the_past_comes_as_json_lines(server: ControlServer, guard: FakeGuard) -> None:
    guard.tell(id="1", event="paused", pool="threader", at_ms=1_000)
    guard.tell(id="2", event="resumed", pool="billing", at_ms=2_000)
    got = await ask(server.path, "GET", "/v1/events")
    assert got.headers["content-type"] == "application/x-ndjson"
    assert ids(got.text) == ["1", "2"]
    assert ids((await ask(server.path, "GET", "/v1/events?pool=billing")).text) == ["2"]
    assert ids((await ask(server.path, "GET", "/v1/events?since=1500")).text) == ["2"]
    assert ids((await ask(server.path, "GET", "/v1/events?since=1h")).text) == []
    moment = "1970-01-01T00:00:02Z"
    assert ids((await ask(server.path, "GET", f"/v1/events?since={moment}")).text) == ["2"]


async def test_following_begins_now(server: ControlServer, guard: FakeGuard) -> None:
    guard.tell(id="1", event="paused", pool="threader")
    reader, writer = await open_stream(server, "follow=1&pool=threader")
    await reader.readuntil(b"\r\n\r\n")
    guard.tell(id="2", event="resumed", pool="billing")
    guard.tell(id="3", event="resumed", pool="threader")
    assert json.loads(await reader.readline())["id"] == "3"
    writer.close()
    await eventually(lambda: not guard.followers, within=5)


async def test_between_past_and_future_nothing_is_lost_or_doubled(
    server: ControlServer, guard: FakeGuard
) -> None:
    guard.tell(id="1", event="paused", pool="threader")
    read = guard.events

    def slow(since_wall_ms: int, pool: str | None = None) -> list[Any]:
        # Happens while the log is read: it is in the log and it is news.
        loop.call_soon_threadsafe(lambda: guard.tell(id="2", event="resumed", pool="threader"))
        while len(guard.kept) < 2:
            pass
        return read(since_wall_ms, pool)

    loop = asyncio.get_running_loop()
    guard.events = slow  # type: ignore[method-assign]
    reader, writer = await open_stream(server, "follow=1&since=0")
    await reader.readuntil(b"\r\n\r\n")
    guard.tell(id="3", event="paused", pool="threader")
    seen = [json.loads(await reader.readline())["id"] for _ in range(3)]
    assert seen == ["1", "2", "3"]
    writer.close()


async def test_a_stream_ends_politely_when_the_daemon_stops(
    server: ControlServer, guard: FakeGuard
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(b"GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: bool(guard.followers), within=5)
    head = await reader.readuntil(b"\r\n\r\n")
    await server.close(grace_s=5)
    got = parse(head + await reader.read())  # a whole chunked answer, or parsing fails
    assert (got.status, got.text) == (200, "")
    writer.close()
    assert not guard.followers


async def test_streams_are_counted(server: ControlServer, guard: FakeGuard) -> None:
    streams = [await open_stream(server, "follow=1") for _ in range(MAX_STREAMS)]
    await eventually(lambda: len(guard.followers) == MAX_STREAMS, within=5)
    got = await ask(server.path, "GET", "/v1/events?follow=1")
    assert (got.status, got.code) == (503, "busy")
    assert (await ask(server.path, "GET", "/v1/status")).status == 200
    for _, writer in streams:
        writer.close()
    await eventually(lambda: not guard.followers, within=5)
    assert (await ask(server.path, "GET", "/v1/events")).status == 200
