"""The set of sockets that checks wait for."""

import asyncio
import socket
from typing import Any

from healthguard.probes.readiness import READ, WRITE, Readiness
from tests.support.eventually import eventually_async


def test_tells_what_was_asked_for_until_it_is_forgotten(runner: Any) -> None:
    async def job() -> None:
        readiness, told = Readiness(), []
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            readiness.watch(here.fileno(), READ, lambda: told.append(here.recv(10)))
            await asyncio.sleep(0.02)
            assert told == []
            there.send(b"one")
            await eventually_async(lambda: told == [b"one"])
            readiness.watch(here.fileno(), WRITE, lambda: told.append(b"writable"))
            await eventually_async(lambda: b"writable" in told)
            readiness.forget(here.fileno())
            readiness.forget(here.fileno())
            await asyncio.sleep(0)
            told.clear()
            there.send(b"two")
            await asyncio.sleep(0.05)
            assert told == []
            readiness.watch(here.fileno(), READ, lambda: told.append(here.recv(10)))
            await eventually_async(lambda: told == [b"two"])

    runner(job)


def test_a_new_socket_with_the_number_of_a_closed_one_does_not_get_its_event(runner: Any) -> None:
    async def job() -> None:
        readiness, told = Readiness(), []
        pairs = [socket.socketpair() for _ in range(2)]
        spare: list[socket.socket] = []

        def first(mine: int) -> None:
            """Whichever is called closes both; a new one takes the other's number."""
            told.append(mine)
            for here, _ in pairs:
                number = here.fileno()
                readiness.closing(number)
                here.close()
            spare.extend(socket.socketpair())
            for each in spare:
                readiness.watch(each.fileno(), READ, lambda: told.append("wrong"))

        for index, (here, there) in enumerate(pairs):
            readiness.watch(here.fileno(), READ, lambda index=index: first(index))  # type: ignore[misc]
            there.send(b"x")
        numbers = {here.fileno() for here, _ in pairs}
        await eventually_async(lambda: told)
        assert numbers & {each.fileno() for each in spare}
        await asyncio.sleep(0.05)
        assert len(told) == 1, told
        for each in (*spare, *(there for _, there in pairs)):
            readiness.closing(each.fileno())
            each.close()

    runner(job)
