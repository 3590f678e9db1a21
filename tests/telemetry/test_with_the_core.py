"""What the core really says and shows, told by the real telemetry."""

from typing import Any

from healthguard.core.model import Actor, Answer, Expect, Policy, UpstreamPolicy
from healthguard.views.pool import pool_view
from tests.support.pool import GOOD, Pool

from .conftest import Bench
from .test_metrics import samples

BAD = Answer(4_000, failure="refused", excerpt="a body that stays in the event log")


class World(Pool):
    """A pool whose events are told by the telemetry of ``bench``."""

    def __init__(self, bench: Bench):
        colour = UpstreamPolicy({"health": Expect()})
        super().__init__(Policy("threader", {"blue": colour, "green": colour}, stable="green"))
        self.bench = bench
        self.outcome, self.message = "completed", ""
        bench.telemetry.configure({"threader": {"blue": ["health"], "green": ["health"]}})
        self.restored(None)
        self.configure(self.policy)

    def tells(self, record: Any) -> None:
        self.bench.telemetry.record(record, self.instant)

    def wants_a_switch(self, switch: Any) -> Any:
        timings = {"reload": 5, "total": 130}
        done = self.commit(switch, self.outcome, message=self.message, timings=timings)
        return self._ended(switch, done)

    def pass_time(self, seconds: int, blue: Answer, green: Answer) -> None:
        for _ in range(seconds):
            self.now += 1_000
            self.marker = self.workers
            self.look()
            self.answer("blue", blue)
            self.answer("green", green)

    def order(self, verb: str, **more: Any) -> None:
        self.ordered(verb, verb, Actor("maria", 1000, 7), reason="because", **more)


async def test_a_whole_story_is_told_in_sentences(bench: Bench) -> None:
    world = World(bench)
    world.pass_time(10, GOOD, GOOD)
    world.pass_time(10, BAD, GOOD)
    assert world.link.upstream == "green"
    world.order("switch", upstream="blue")
    world.pass_time(10, BAD, BAD)
    world.order("pause", for_ms=600_000)
    world.order("resume")
    world.order("good", upstream="green")
    world.pass_time(20, GOOD, GOOD)
    world.outcome, world.message = "undone", "no new workers"
    world.order("switch", upstream="blue")
    world.order("ack")

    bench.pools = [pool_view(world.state, world.instant)]
    events = bench.telemetry.history(0)
    told = {str(event["event"]) for event in events}
    assert told >= {
        "health_changed", "switch_started", "switch_completed", "release_marked", "hold_entered",
        "order_received", "order_refused", "paused", "resumed", "switch_undone",
    }  # fmt: skip
    assert "traffic now goes to green (was blue). Automatic switch, decided" in bench.lines()
    assert ": blue has been failing for" in bench.lines()
    assert "None" not in "".join(line.split('"message":"')[1] for line in messages(bench))
    assert "a body that stays" not in bench.lines()
    assert "a body that stays" in bench.telemetry.event_log.path.read_text()

    got = await samples(bench)
    switched = 'from_upstream="blue",outcome="completed",pool="threader",to_upstream="green"'
    assert got[f'healthguard_switches_total{{{switched},trigger="automatic"}}'] == 1
    assert got['healthguard_pool_active{pool="threader",upstream="green"}'] == 1
    assert got["healthguard_nginx_config_valid"] == 1
    assert (await bench.telemetry.status()).startswith("threader: green active")


def messages(bench: Bench) -> list[str]:
    return [line.split('","event"')[0] for line in bench.lines().splitlines()]
