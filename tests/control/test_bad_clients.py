"""Clients that do not behave, and that nobody else suffers from them."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from healthguard.control import door
from healthguard.control.server import ControlServer
from tests.control.fakes import FakeGuard
from tests.control.rawhttp import ask, exchange, parse
from tests.support.eventually import eventually_async as eventually

REQUEST = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short patience."""
    monkeypatch.setattr(door, "REQUEST_S", 0.3)
    monkeypatch.setattr(door, "ANSWER_S", 0.3)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /v1/st",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\n",
        b"POST /v1/pools/threader/ack HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
    ],
)
async def test_a_request_that_does_not_end_is_ended(server: ControlServer, begun: bytes) -> None:
    got = await exchange(server.path, begun)
    assert (got.status, got.code) == (408, "too_slow")


@pytest.mark.usefixtures("quick")
async def test_dripping_does_not_help(server: ControlServer) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as slow:
        slow.setblocking(False)
        await loop.sock_connect(slow, str(server.path))

        async def drip() -> None:
            for byte in REQUEST[:-2] + b"X: " + b"y" * 3_000:
                await loop.sock_sendall(slow, bytes([byte]))
                await asyncio.sleep(0.01)

        with pytest.raises(BrokenPipeError):
            await drip()
        assert parse(await loop.sock_recv(slow, 10_000)).status == 408


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
        b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_told_so(server: ControlServer, nonsense: bytes) -> None:
    got = await exchange(server.path, nonsense)
    assert (got.status, got.code) == (400, "bad_http"), got.text
    assert (await ask(server.path, "GET", "/v1/status")).status == 200


async def test_an_endless_chunked_body_is_cut(server: ControlServer) -> None:
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    head = b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    got = await exchange(server.path, head + chunk * 5)
    assert (got.status, got.code) == (413, "too_big")


async def test_a_hundred_silent_clients_keep_nobody_out(server: ControlServer) -> None:
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    try:
        for each in crowd:
            each.setblocking(False)
            await asyncio.get_running_loop().sock_connect(each, str(server.path))
            each.send(b"GET /v1/status HT")
        got = await ask(server.path, "GET", "/v1/status")
        assert got.status == 200
        first = parse(await asyncio.get_running_loop().sock_recv(crowd[0], 1_000))
        assert (first.status, first.code) == (503, "busy"), "the one silent longest had to leave"
        assert (await ask(server.path, "POST", "/v1/pools/threader/ack")).status == 200
    finally:
        for each in crowd:
            each.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
async def test_strangers_are_sent_away_before_an_operator(server: ControlServer) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as operator:
        operator.setblocking(False)
        await loop.sock_connect(operator, str(server.path))  # first, and slow to speak
        crowd = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-I", "-c", CROWD, str(server.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert crowd.stdout is not None
            assert await asyncio.to_thread(crowd.stdout.readline) == b"busy\n"
            await loop.sock_sendall(operator, REQUEST)
            assert (await loop.sock_recv(operator, 100)).startswith(b"HTTP/1.1 200 ")
        finally:
            crowd.communicate()


CROWD = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
crowd = [socket.socket(socket.AF_UNIX) for _ in range(64)]
for each in crowd:
    each.connect(sys.argv[1])
first = crowd[0].recv(100)
print("busy" if b" 503 " in first else first, flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("quick")
async def test_a_client_that_does_not_read_is_cut(server: ControlServer, guard: FakeGuard) -> None:
    guard.is_ready = {"ready": True, "message": "x" * 4_000_000}
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(server.path))
        deaf.send(b"GET /v1/pools/threader/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        house = server._house
        await eventually(lambda: len(house.connections) == 1, within=5)
        await eventually(lambda: not house.connections, within=5)


@pytest.mark.usefixtures("quick")
async def test_a_stream_nobody_reads_is_cut(
    server: ControlServer, guard: FakeGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healthguard.control.stream.ANSWER_S", 0.3)
    for number in range(4_000):
        guard.tell(id=str(number), event="switch_started", pool="threader", reason="x" * 1_000)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(server.path))
        deaf.send(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        house = server._house
        await eventually(lambda: len(house.connections) == 1, within=5)
        await eventually(lambda: not house.connections, within=5)
    assert (await ask(server.path, "GET", "/v1/status")).status == 200


async def test_one_connection_is_one_request(server: ControlServer, folder: Path) -> None:
    got = await exchange(server.path, REQUEST + REQUEST)
    assert got.status == 200
    assert got.headers["connection"] == "close"
    assert got.text.count('"host"') == 1
