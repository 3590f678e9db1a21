"""Each probe test runs on the stock loop and on uvloop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from healthguard.core.model import Answer
from healthguard.probes import Prober, build
from healthguard.probes.spec import HttpSpec, Spec

Run = Callable[[Spec], Answer]
TRIES = 5  # with other tests beside it, a loop may really be late now and then


async def check(prober: Prober) -> Answer:
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    prober.start(future.set_result)
    return await future


@pytest.fixture(params=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Any:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(job: Callable[[], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            return await job()

        with asyncio.Runner(loop_factory=factory) as loop:
            return loop.run(main())

    return run


@pytest.fixture
def probe(runner: Any) -> Run:
    """Build the probe, run it, give its answer: the first that this machine was awake for."""

    def ask(spec: Spec) -> Answer:
        for _ in range(TRIES):
            found: Answer = runner(lambda: check(build(spec)))
            if found.inconclusive != "loop_late":
                break
        return found

    return ask


def http(port: int, target: str = "/health", **fields: Any) -> HttpSpec:
    spec = HttpSpec(f"http://127.0.0.1:{port}{target}", "127.0.0.1", port, target, timeout_ms=300)
    return replace(spec, **fields)
