"""Is an upstream up right now?  Asked without a daemon that has been watching it."""

import asyncio
from dataclasses import dataclass

from healthguard.assembly import Probers
from healthguard.config import PoolConfig
from healthguard.core.health import judge
from healthguard.core.model import PASS, Answer, Expect, Result
from healthguard.machine import clock
from healthguard.probes import Prober


@dataclass(frozen=True, slots=True)
class Health:
    """``up``: enough probes passed each time; ``evidence`` says so in one sentence."""

    up: bool
    evidence: str


async def ask_all(pool: PoolConfig, probers: Probers) -> dict[str, Health]:
    """Every upstream at the same time, each probe ``standby_passes`` times in a row."""
    names = list(pool.policy.upstreams)  # not the dependencies: they bind no order
    found = await asyncio.gather(*(_ask_upstream(pool, name, probers) for name in names))
    return dict(zip(names, found, strict=True))


async def _ask_upstream(pool: PoolConfig, upstream: str, probers: Probers) -> Health:
    policy = pool.policy
    wanted = policy.rollback.standby_passes
    expects = policy.upstreams[upstream].probes
    pause_s = policy.health.fast_interval_ms / 1000
    probes = probers[upstream]
    results = await asyncio.gather(
        *(_run_of(probes[name], expects[name], wanted, pause_s) for name in probes)
    )
    passed = sum(each.outcome == PASS for each in results)
    need = policy.upstreams[upstream].require or len(probes)
    if passed >= need:
        return Health(
            True, f"{upstream} passed {wanted} times just now ({passed} of {need} probes)"
        )
    said = "; ".join(
        f"{name}: {each.reason} {each.detail}".strip()
        for name, each in zip(probes, results, strict=True)
        if each.outcome != PASS
    )
    return Health(False, f"{upstream} is not up: {said}")


async def _run_of(prober: Prober, expect: Expect, wanted: int, pause_s: float) -> Result:
    """The first result that is no pass, else the last one."""
    loop = asyncio.get_running_loop()
    count = 0
    while True:
        began = loop.time()
        answer: asyncio.Future[Answer] = loop.create_future()
        prober.start(answer.set_result)
        result = judge(await answer, expect, clock.now())
        count += 1
        if result.outcome != PASS or count >= wanted:
            return result
        await asyncio.sleep(max(0.0, began + pause_s - loop.time()))
