"""The page over real sockets: headers, files, the stream and clients that misbehave."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from healthguard.web import server as web
from healthguard.web import snapshot, stream
from healthguard.web.stream import changes
from tests.support.eventually import eventually_async
from tests.support.views import pool, upstream

from .views import FakeGuard


class FakeTelemetry:
    """The part of the telemetry that the page sees."""

    def troubles(self) -> list[str]:
        return []


@pytest.fixture
def guard() -> FakeGuard:
    return FakeGuard()


@pytest_asyncio.fixture
async def server(guard: FakeGuard) -> AsyncIterator[web.WebServer]:
    made = await web.start_web("127.0.0.1", 0, guard, FakeTelemetry())  # type: ignore[arg-type]
    yield made
    await made.close()


@pytest_asyncio.fixture
async def client(server: web.WebServer) -> AsyncIterator[ClientSession]:
    async with ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def test_the_document_and_its_files(client: ClientSession) -> None:
    async with client.get("/") as got:
        page = await got.text()
        assert (got.status, got.content_type, got.charset) == (200, "text/html", "utf-8")
        policy = got.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert got.headers["Cache-Control"] == "no-store"
        assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "blue is active and up." in page
    assert "style=" not in page
    assert not re.search(r"<script(?! src=)|\son\w+=|<form|<input|<button", page)
    found = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert {each.split("?")[0] for each in found} == {
        "/page/good.svg", "/page/page.css", "/page/page.js", "/metrics", "/-/healthy", "/-/ready",
    }  # fmt: skip
    for path in (each for each in found if each.startswith("/page/")):
        async with client.get(path) as got:
            assert got.status == 200
            assert len(path.split("?")[1]) == 12
            assert "max-age" in got.headers["Cache-Control"]


async def test_read_only_and_nothing_else(client: ClientSession) -> None:
    async with client.post("/", data=b"x") as got:
        assert got.status == 405
    async with client.post("/events", data=b"x") as got:
        assert got.status == 405
    for path in ("/page/../site.py", "/page/site.py", "/page/", "/page/page.js/x"):
        async with client.get(path) as got:
            assert got.status == 404
    async with client.head("/") as got:
        assert (got.status, await got.read()) == (200, b"")
    async with client.head("/events") as got:
        assert (got.status, got.content_type) == (200, "text/event-stream")


def read(text: str) -> dict[str, Any]:
    assert text.startswith("data: ")
    assert text.endswith("\n\n")
    assert text.count("\n") == 2
    answer: dict[str, Any] = json.loads(text[6:])
    return answer


async def test_the_stream_tells_what_has_changed_and_no_more(
    client: ClientSession, guard: FakeGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PERIOD", 0.05)
    monkeypatch.setattr(snapshot, "FRESH", 0.01)
    guard.views["b"] = pool("b")
    async with client.get("/events") as got:
        first = read((await got.content.readuntil(b"\n\n")).decode())
        assert set(first["parts"]) == {
            "whose", "now", "pool-threader", "pool-b", "events", "foot",
        }  # fmt: skip
        assert first["pools"] == ["pool-threader", "pool-b"]
        beat = await got.content.readuntil(b"\n\n")
        assert beat == b"event: beat\ndata: {}\n\n"
        down = {"blue": upstream("down", "active"), "green": upstream()}
        guard.views["b"] = pool("b", upstreams=down, phase="holding", hold="cooldown")
        second = read(await news(got.content))
        assert set(second["parts"]) == {"now", "pool-b"}
        assert second["level"] == "bad"
        del guard.views["threader"]
        third = read(await news(got.content))
        assert third["pools"] == ["pool-b"]


async def news(content: Any) -> str:
    while True:
        text: str = (await content.readuntil(b"\n\n")).decode()
        if not text.startswith("event: beat"):
            return text


def test_no_change_is_nothing() -> None:
    one = snapshot.Snapshot(1, "t", "good", (), {}, {})
    assert changes(one, one._replace(at_ms=2)) == ""
    assert read(changes(one, one._replace(title="u")))["parts"] == {}


async def test_one_reader_too_many_is_told_so(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CLIENTS", 2)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            got = await stack.enter_async_context(client.get("/events"))
            await got.content.readuntil(b"\n\n")
        async with client.get("/events") as got:
            assert (got.status, got.headers["Retry-After"]) == (503, "15")
        async with client.get("/") as got:
            assert got.status == 200

    async def room() -> bool:
        async with client.get("/events") as got:
            return got.status == 200

    await eventually_async(room, what="those who left made room")


async def test_the_stream_outlives_other_connections_but_not_its_own_bound(
    guard: FakeGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "LIFETIME", 0.2)
    monkeypatch.setattr(stream, "LIFETIME", 1.0)
    monkeypatch.setattr(stream, "PERIOD", 0.05)
    server = await web.start_web("127.0.0.1", 0, guard, FakeTelemetry())  # type: ignore[arg-type]
    beats = 0
    address = f"http://127.0.0.1:{server.port}/events"
    with contextlib.suppress(Exception):
        async with ClientSession() as session, session.get(address) as got:
            while await got.content.readuntil(b"\n\n"):
                beats += 1
    await server.close()
    assert beats > 1  # one every 0.25 s: it lived longer than 0.2 s; and it has ended


async def test_a_reader_that_does_not_read_is_dropped_and_harms_nobody(
    server: web.WebServer, client: ClientSession, guard: FakeGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PERIOD", 0.01)
    monkeypatch.setattr(stream, "WRITE_S", 0.3)
    monkeypatch.setattr(snapshot, "FRESH", 0.0)
    monkeypatch.setattr(snapshot, "SHARE", 1.0)
    streams = server._site.streams
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.setblocking(False)
    await asyncio.get_running_loop().sock_connect(lazy, ("127.0.0.1", server.port))
    await asyncio.get_running_loop().sock_sendall(lazy, b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually_async(lambda: len(streams) == 1)
    ends = asyncio.create_task(eventually_async(lambda: len(streams) == 0, within=20))
    number = 0
    while not ends.done():
        number += 1
        guard.views["threader"] = pool(failure="x", active_problem=f"{number} " + "y" * 50_000)
        await asyncio.sleep(0.01)
    await ends
    lazy.close()
    async with client.get("/") as got:
        assert got.status == 200


async def test_closing_the_server_ends_its_streams(guard: FakeGuard) -> None:
    server = await web.start_web("127.0.0.1", 0, guard, FakeTelemetry())  # type: ignore[arg-type]
    address = f"http://127.0.0.1:{server.port}/events"
    async with ClientSession() as session, session.get(address) as got:
        await got.content.readuntil(b"\n\n")
        await asyncio.wait_for(server.close(), 5)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(got.content.read(), 5)


def colours(scheme: str) -> dict[str, str]:
    """The variables of one scheme."""
    css = resources.files("healthguard.web").joinpath("page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    text = light if scheme == "light" else light + dark
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", text))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


PAIRS = [
    *("ink/back", "ink/card", "soft/back", "soft/card", "link/card", "link/back", "warn/card"),
    *("good/card", "good/good-back", "warn/warn-back", "bad/bad-back", "bad-ink/card"),
    *("plain/plain-back", "ink/plain-back", "role/role-back"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS)
def test_contrast(scheme: str, pair: str) -> None:
    """4.5 to 1 is what WCAG asks of text (level AA)."""
    found = colours(scheme)
    front, back = (luminance(found[name]) for name in pair.split("/"))
    light, dark = max(front, back), min(front, back)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
