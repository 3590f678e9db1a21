"""The daemon's side: trouble becomes values, and an unknown end is never guessed."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from healthguard.core.model import Instant
from healthguard.nginx.ports import Commit, Switcher
from healthguard.switcher.client import SocketSwitcher
from tests.support.eventually import eventually_async
from tests.switcher.service import CONFIG, Service

ORDER = Commit("t-1", "threader", "x", "blue", "green", undo_unclear=False)
AT = Instant(5, 6)


def client_of(path: Path, *, ms: int = 10_000) -> SocketSwitcher:
    return SocketSwitcher(path, test_timeout_ms=ms, confirm_timeout_ms=ms, now=lambda: AT)


async def test_it_is_a_switcher(service: Service) -> None:
    switcher: Switcher = client_of(service.path)
    fact = await switcher.prepare("threader", "green")
    assert (fact.ticket, fact.gate, fact.stamp, fact.took_ms) == ("ticket-green", "", "s", 3)
    done = await switcher.commit(ORDER)
    assert (done.outcome, done.confirm, done.timings_ms) == ("completed", "proven", {"total": 12})
    assert (done.link, done.master, done.recovered) == ("7:8:x", "1:2", False)
    [last] = await switcher.reconcile()
    assert (last.switch_id, last.done.recovered) == ("t-1", True)


async def test_it_knows_what_the_switcher_goes_by(service: Service) -> None:
    switcher = client_of(service.path)
    assert await switcher.ping()
    assert len(switcher.config_digest) == 64
    assert (switcher.config_problem, switcher.problem) == ("", "")
    service.config.write_text(CONFIG + "nonsense: 1\n")
    assert await switcher.ping()
    assert "nonsense" in switcher.config_problem


async def test_a_refusal_is_a_closed_gate(service: Service) -> None:
    fact = await client_of(service.path).prepare("nobody", "green")
    assert (fact.ticket, fact.gate) == (None, "switcher_unavailable")
    assert "no pool 'nobody'" in fact.message


def nothing(path: Path) -> None:
    pass


def a_file(path: Path) -> None:
    path.write_text("")


def a_dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.fspath(path))


@pytest.mark.parametrize("make", [nothing, a_file, a_dead_socket])
async def test_nobody_there_is_a_closed_gate(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "switcher.sock"
    make(path)
    switcher = client_of(path)
    fact = await switcher.prepare("threader", "green")
    assert (fact.at, fact.ticket, fact.gate) == (AT, None, "switcher_unavailable")
    assert str(path) in fact.message
    done = await switcher.commit(ORDER)
    assert (done.outcome, done.gate) == ("refused", "switcher_unavailable")
    assert await switcher.reconcile() == ()
    assert switcher.problem == fact.message
    assert not await switcher.ping()


async def test_a_switcher_killed_in_the_middle_is_asked_again(service: Service) -> None:
    service.hold()
    commit = asyncio.create_task(client_of(service.path).commit(ORDER))
    await eventually_async(lambda: service.acts() == ["begun t-1"])
    service.kill9()
    service.release()
    service.start(wait=False)
    done = await commit
    assert (done.outcome, done.message, done.recovered) == ("completed", "put right", True)


async def test_a_client_that_starts_again_gets_the_end(service: Service) -> None:
    service.hold()
    commit = asyncio.create_task(client_of(service.path).commit(ORDER))
    await eventually_async(lambda: service.acts() == ["begun t-1"])
    commit.cancel()
    service.release()
    [found] = await client_of(service.path).reconcile()
    assert (found.switch_id, found.done.outcome) == ("t-1", "completed")


# --------------------------------------------------------------- switchers that misbehave

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


@asynccontextmanager
async def misbehaving(path: Path, serve: Serve) -> AsyncIterator[list[bytes]]:
    """A switcher that reads one line and then does ``serve``; gives the lines it has read."""
    lines: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        lines.append(line)
        try:
            await serve(reader, writer, line)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(connected, path)
    try:
        yield lines
    finally:
        server.close()


async def hang_up(reader: object, writer: object, line: bytes) -> None:
    pass


async def garbage(reader: object, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(b"\xff\xfe nonsense\n")


async def other_json(reader: object, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(b'{"test":7,"done":[],"recovered":{}}\n')


async def half(reader: object, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(b'{"done":{"outcome":"compl')


async def endless(reader: object, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(b"x" * (2 * 1024 * 1024))


async def silence(reader: asyncio.StreamReader, writer: object, line: bytes) -> None:
    await reader.read()


@pytest.mark.parametrize("serve", [hang_up, garbage, other_json, half, endless, silence])
async def test_a_misbehaving_switcher_leaves_the_outcome_open(tmp_path: Path, serve: Serve) -> None:
    path = tmp_path / "switcher.sock"
    switcher = client_of(path)
    switcher._commit_s = switcher._prepare_s = 0.6  # the deadlines in use are in minutes
    async with misbehaving(path, serve) as lines:
        fact = await switcher.prepare("threader", "green")
        assert (fact.ticket, fact.gate) == (None, "switcher_unavailable")
        done = await switcher.commit(ORDER)
        assert (done.outcome, done.recovered) == ("", True)
        assert "is unknown" in done.message
        assert await switcher.reconcile() == ()
        commits = [line for line in lines if b'"commit"' in line]
        assert len(commits) == 1, "never sent twice"


async def test_a_switcher_that_does_not_know_ends_the_asking(tmp_path: Path) -> None:
    async def forgetful(reader: object, writer: asyncio.StreamWriter, line: bytes) -> None:
        if b'"result"' in line:
            writer.write(b'{"error":{"code":"unknown_switch","message":"not known here"}}\n')
        if b'"reconcile"' in line:
            writer.write(b'{"recovered":[]}\n')

    path = tmp_path / "switcher.sock"
    async with misbehaving(path, forgetful) as lines:
        done = await client_of(path).commit(ORDER)
    assert (done.outcome, done.recovered) == ("", True)
    assert "not known here" in done.message
    assert len(lines) == 3
