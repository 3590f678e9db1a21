"""A switcher by hand, with the shipped service around it: also started as a process of its own.

As a process its acts are written, one word per line, to ``acts`` in the state folder, and a
commit waits while a file ``hold`` is there: so a test can kill client or service in the middle.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from healthguard.core.model import COMPLETED, Done, Instant, PrepareFact
from healthguard.nginx.ports import Commit, Recovered
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.switcher.service import run

DONE = Done(COMPLETED, confirm="proven", timings_ms={"total": 12}, link="7:8:x", master="1:2")


class FakeSwitcher:
    """Keeps an intent like the real one: begun but not ended is found by ``reconcile``."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.intent = state_dir / "intent"

    def note(self, text: str) -> None:
        with (self.state_dir / "acts").open("a") as file:
            file.write(text + "\n")

    async def held(self, name: str) -> None:
        while (self.state_dir / name).exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.01)

    async def prepare(self, pool: str, upstream: str) -> PrepareFact:
        self.note(f"prepare {pool} {upstream}")
        return PrepareFact(Instant(1, 2), ticket=f"ticket-{upstream}", stamp="s", took_ms=3)

    async def commit(self, order: Commit) -> Done:
        self.intent.write_text(json.dumps(asdict(order)))
        self.note(f"begun {order.switch_id}")
        await self.held("hold")
        if order.ticket == "explode":
            raise RuntimeError("boom")
        self.note(f"ended {order.switch_id}")
        self.intent.unlink()
        return DONE

    async def reconcile(self) -> tuple[Recovered, ...]:
        if not self.intent.exists():
            return ()
        await self.held("hold-reconcile")
        order = json.loads(self.intent.read_text())
        self.note(f"recovered {order['switch_id']}")
        self.intent.unlink()
        done = Done(COMPLETED, message="put right", confirm="proven", recovered=True)
        return (Recovered(order["switch_id"], order["pool"], order["to"], done),)


Built = Callable[[NginxSettings, Mapping[str, PoolFiles], Path], FakeSwitcher]


def build(nginx: NginxSettings, pools: Mapping[str, PoolFiles], state_dir: Path) -> FakeSwitcher:
    return FakeSwitcher(state_dir)


if __name__ == "__main__":
    config, listen, idle_s = sys.argv[1:]
    path = Path(listen) if listen != "-" else None
    sys.exit(run(Path(config), path, build=build, idle_s=float(idle_s)))
