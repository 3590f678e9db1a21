"""What guard and switcher of the version before say to each other is understood, byte for byte.

They are two processes and restarted one after the other: either may be the older one. What is not
understood is refused with a code, or is a named gate; never a crash, never a guess.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from healthguard.core.events import Commit
from healthguard.core.model import REFUSED, Done, PrepareFact
from healthguard.machine.codec import encode
from healthguard.nginx.ports import Recovered
from healthguard.switcher import wire
from healthguard.switcher.client import SocketSwitcher
from healthguard.switcher.server import Refused, SwitcherServer

MESSAGES = Path(__file__).with_name("files") / "wire" / "messages.jsonl"
ROWS: list[tuple[str, str]] = [json.loads(line) for line in MESSAGES.read_text().splitlines()]
ORDER = Commit("app-1", "app", "t-1", "blue", "green", False)


def of(*kinds: str) -> list[bytes]:
    return [line.encode() for kind, line in ROWS if kind in kinds]


def test_every_kind_is_there() -> None:
    counted = {kind: len(of(kind)) for kind, _ in ROWS}
    assert counted == {"request": 6, "test": 2, "done": 6, "recovered": 6, "all recovered": 1,
                       "pong": 1, "error": 10}  # fmt: skip


@pytest.mark.parametrize("line", of("request"))
def test_a_request_is_read_and_written_as_before(line: bytes) -> None:
    assert wire.encode_request(wire.decode_request(line)) == line


def test_an_order_without_force_is_read() -> None:
    """The field that came last: a guard that does not know it leaves it out."""
    first = next(json.loads(line) for line in of("request") if b'"commit"' in line)
    del first["force"]
    assert wire.decode_request(json.dumps(first).encode()) == ORDER


VALUES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "test": ("test", lambda value: encode(wire.load(PrepareFact, value))),
    "done": ("done", lambda value: encode(wire.load(Done, value))),
    "recovered": ("recovered", lambda value: encode(wire.load(Recovered, value))),
    "all recovered": (
        "recovered",
        lambda value: [encode(wire.load(Recovered, each)) for each in value],
    ),
}


@pytest.mark.parametrize("kind", VALUES)
def test_an_answer_is_read_and_written_as_before(kind: str) -> None:
    name, again = VALUES[kind]
    for line in of(kind):
        answer = wire.decode_answer(line)
        assert wire.encode({**answer, name: again(answer[name])}) == line


@pytest.mark.parametrize("kind", ["test", "done", "recovered"])
def test_a_field_of_a_later_version_is_passed_over(kind: str) -> None:
    name, again = VALUES[kind]
    value = wire.decode_answer(of(kind)[0])[name]
    assert again({**value, "from_later": 1}) == value


# --------------------------------------------------------------- what is not understood


@pytest.mark.parametrize(
    "line",
    [
        b'{"do":"dance"}\n',
        b'{"do":"prepare","pool":"app","upstream":"green","from_later":1}\n',
        b'{"version":2,"do":"ping"}\n',
        b'{"do":"commit"}\n',
        b"[]\n",
        b"\xff\n",
    ],
)
async def test_the_switcher_refuses_what_it_does_not_know(line: bytes) -> None:
    none: Any = None
    server = SwitcherServer(none, none, none, frozenset(), logging.getLogger("test"))
    with pytest.raises(Refused) as refused:
        await server._answer(line, lambda: False)
    assert refused.value.code == "bad_request"


async def answered(path: Path, line: bytes, ask: Callable[[SocketSwitcher], Any]) -> Any:
    """What the client makes of a switcher that answers every request with ``line``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        client = SocketSwitcher(path, test_timeout_ms=0, confirm_timeout_ms=0)
        return await ask(client)


@pytest.mark.parametrize(
    "line",
    [*of("error"), b'{"test":{"from_later":1}}\n', b'{"version":2}\n', b"[]\n", b"nonsense\n"],
)
async def test_a_prepare_that_is_not_understood_is_a_closed_gate(
    line: bytes, tmp_path: Path
) -> None:
    fact = await answered(tmp_path / "s", line, lambda client: client.prepare("app", "green"))
    assert (fact.ticket, fact.gate) == (None, "switcher_unavailable")
    assert fact.message


@pytest.mark.parametrize("line", of("error"))
async def test_a_refused_order_names_the_gate(line: bytes, tmp_path: Path) -> None:
    done = await answered(tmp_path / "s", line, lambda client: client.commit(ORDER))
    assert (done.outcome, done.gate) == (REFUSED, "switcher_unavailable")
    assert done.message == json.loads(line)["error"]["message"]


@pytest.mark.parametrize("line", of("done"))
async def test_an_end_is_understood(line: bytes, tmp_path: Path) -> None:
    done = await answered(tmp_path / "s", line, lambda client: client.commit(ORDER))
    assert encode(done) == json.loads(line)["done"]


async def test_all_ends_are_understood(tmp_path: Path) -> None:
    (line,) = of("all recovered")
    found = await answered(tmp_path / "s", line, lambda client: client.reconcile())
    assert [encode(each) for each in found] == json.loads(line)["recovered"]


async def test_a_pong_tells_the_configuration(tmp_path: Path) -> None:
    (line,) = of("pong")

    async def ask(client: SocketSwitcher) -> tuple[bool, str]:
        return await client.ping(), client.config_problem

    assert await answered(tmp_path / "s", line, ask) == (True, "broken")
