"""The HTTP port with real sockets, and clients that misbehave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from healthguard.telemetry import exposition
from healthguard.views.model import PoolView
from healthguard.web import server as web
from healthguard.web.site import Site
from tests.support.eventually import eventually_async

from .conftest import Bench
from .test_metrics import busy
from .views import upstream, view


class FakeGuard:
    """What the page asks of the daemon."""

    def __init__(self) -> None:
        self.views: dict[str, PoolView] = {"threader": view()}
        self.alive = True

    def pools(self) -> Iterable[str]:
        return list(self.views)

    def pool(self, name: str) -> PoolView:
        return self.views[name]

    def progress(self) -> bool:
        return self.alive


@pytest.fixture
def guard() -> FakeGuard:
    return FakeGuard()


@pytest_asyncio.fixture
async def port(bench: Bench, guard: FakeGuard) -> AsyncIterator[int]:
    server = await web.start_web("127.0.0.1", 0, guard, bench.telemetry)
    yield server.port
    await server.close()


async def get(port: int, path: str) -> tuple[int, str]:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as got:
        return got.status, await got.text()


async def test_pages(port: int, guard: FakeGuard) -> None:
    assert await get(port, "/-/healthy") == (200, "healthy\n")
    assert await get(port, "/-/ready") == (200, "ready\n")
    status, text = await get(port, "/metrics")
    assert status == 200
    assert text.startswith("# HELP healthguard_build_info ")
    assert text.endswith("\n")
    status, text = await get(port, "/nothing")
    assert (status, "/metrics" in text) == (404, True)
    guard.alive = False
    assert await get(port, "/-/healthy") == (503, "a pool is stuck\n")
    both = {"blue": upstream(), "green": upstream("unknown")}
    guard.views = {f"p{i}": view(f"p{i}", upstreams=both) for i in range(12)}
    status, text = await get(port, "/-/ready")
    assert status == 503
    assert text.startswith("not checked yet: p0/green, p1/green")
    assert text.endswith("and 2 more\n")


async def test_content_type_and_other_methods(port: int) -> None:
    async with ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as got:
            assert got.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert got.headers["Connection"] == "close"
        async with session.head(f"http://127.0.0.1:{port}/metrics") as got:
            assert (got.status, int(got.headers["Content-Length"]) > 1000) == (200, True)
        async with session.post(f"http://127.0.0.1:{port}/metrics", data=b"x" * 200_000) as got:
            assert got.status == 405


PATHS = {
    *("/", "/events", "/metrics", "/-/healthy", "/-/ready"),
    *("/page/page.css", "/page/page.js", "/page/good.svg", "/page/warn.svg", "/page/bad.svg"),
}


async def test_the_port_has_no_route_that_changes_anything(
    port: int, guard: FakeGuard, bench: Bench
) -> None:
    pages = web.Pages(guard, bench.telemetry, Site(guard, lambda: ()))
    assert set(pages.routes) == PATHS
    reads = {"pools", "pool", "about", "why", "releases", "events", "follow", "progress"}
    assert {name for name in dir(web.Vital) if not name.startswith("_")} == reads
    async with ClientSession() as session:
        for path in PATHS:
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                async with session.request(method, f"http://127.0.0.1:{port}{path}") as got:
                    assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD"), path


async def test_two_hundred_scrapes_at_once(
    port: int, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "FRESH", 60.0)
    busy(bench, 100)
    answers = await asyncio.gather(*(get(port, "/metrics") for _ in range(200)))
    assert {status for status, _ in answers} == {200}
    assert len({text for _, text in answers}) == 1


async def test_a_port_in_use_is_an_oserror(port: int, guard: FakeGuard, bench: Bench) -> None:
    with pytest.raises(OSError, match="in use"):
        await web.start_web("127.0.0.1", port, guard, bench.telemetry)


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\n\r\n"])
async def test_silent_and_slow_clients_are_cut(
    port: int, bench: Bench, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    busy(bench, 500)
    monkeypatch.setattr(web, "LIFETIME", 1.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(sent)  # and then nothing is read

    async def cut() -> bool:
        return bool(writer.transport.is_closing() or reader.exception() or reader.at_eof())

    if sent.endswith(b"\r\n\r\n"):
        # The answer of megabytes does not fit into the buffers; the end shows when we read on.
        await asyncio.sleep(2)
        with contextlib.suppress(ConnectionError):
            got = await reader.read(-1)
            assert len(got) < len(await bench.telemetry.exposition.text())
    else:
        await eventually_async(cut)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert (await get(port, "/-/healthy"))[0] == 200


async def test_garbage_is_a_clear_400(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await reader.read(-1)).startswith(b"HTTP/1.0 400")
    writer.close()
    await writer.wait_closed()


async def test_one_connection_too_many_is_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "CONNECTIONS", 3)
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read(-1) == b""
    for _, each in [*opened, (reader, writer)]:
        each.close()
        with contextlib.suppress(ConnectionError):
            await each.wait_closed()
    await eventually_async(lambda: get_quietly(port), what="room again")


async def get_quietly(port: int) -> bool:
    try:
        return (await get(port, "/-/healthy"))[0] == 200
    except OSError:
        return False
