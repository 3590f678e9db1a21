"""What the core really says and shows, told by the real telemetry."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from healthguard.core import events as ev
from healthguard.core.model import (
    Actor,
    Answer,
    Done,
    Expect,
    Instant,
    LinkFact,
    NginxFact,
    Order,
    Policy,
    PrepareFact,
    UpstreamPolicy,
)
from healthguard.core.pool import begin, step
from healthguard.views.pool import pool_view

from .conftest import WALL_MS, Bench
from .test_metrics import samples

BLUE, GREEN = LinkFact("blue", "", "l:blue", 1), LinkFact("green", "", "l:green", 2)
NGINX = NginxFact("running", master="10:1", workers_since_wall_ms=WALL_MS - 1_000)
GOOD = Answer(4_000, status=200)
BAD = Answer(4_000, failure="refused", excerpt="a body that stays in the event log")


class World:
    """The least around ``step`` that carries out what it asks for."""

    def __init__(self, bench: Bench):
        colour = UpstreamPolicy({"health": Expect()})
        self.policy = Policy("threader", {"blue": colour, "green": colour}, stable="green")
        self.now = Instant(1_000_000, WALL_MS)
        self.state = begin(self.now, self.policy)
        self.bench = bench
        self.link = BLUE
        self.done = Done("completed", confirm="proven", timings_ms={"reload": 5, "total": 130})
        bench.telemetry.configure({"threader": {"blue": ["health"], "green": ["health"]}})
        self.send(ev.Restored(self.now, None, "boot"), ev.Configured(self.now, self.policy))

    def send(self, *events: ev.Event) -> None:
        todo = list(events)
        while todo:
            self.state, commands = step(self.state, todo.pop(0))
            for command in commands:
                todo.extend(self._carry_out(command))

    def _carry_out(self, command: Any) -> Iterable[ev.Event]:
        if isinstance(command, ev.Say):
            self.bench.telemetry.record(command, self.now)
        elif isinstance(command, ev.Prepare):
            fact = PrepareFact(self.now, f"ticket-{command.upstream}", stamp="s", took_ms=9)
            yield ev.Prepared(self.now, command.upstream, fact)
        elif isinstance(command, ev.AskTurn):
            yield ev.Turn(self.now)
        elif isinstance(command, ev.Commit):
            if self.done.outcome == "completed":
                self.link = GREEN if command.to == "green" else BLUE
            done = replace(self.done, link=self.link.identity, master=NGINX.master)
            yield ev.SwitchFinished(self.now, command.switch_id, done)

    def pass_time(self, seconds: int, blue: Answer, green: Answer) -> None:
        for _ in range(seconds):
            self.now = Instant(self.now.boot_ms + 1_000, self.now.wall_ms + 1_000)
            self.send(
                ev.Observed(
                    self.now,
                    looked_ms=self.now.boot_ms,
                    link=self.link,
                    nginx=NGINX,
                    marker=self.link.upstream,
                    stamp="s",
                ),
                ev.Checked(self.now, "blue", "health", blue),
                ev.Checked(self.now, "green", "health", green),
            )

    def order(self, verb: str, **more: Any) -> None:
        self.send(
            ev.Ordered(
                self.now,
                Order(verb, Actor("maria", 1000, 7), reason="because", order_id=verb, **more),
            )
        )


async def test_a_whole_story_is_told_in_sentences(bench: Bench) -> None:
    world = World(bench)
    world.pass_time(10, GOOD, GOOD)
    world.pass_time(10, BAD, GOOD)
    assert world.link is GREEN
    world.order("switch", upstream="blue")
    world.pass_time(10, BAD, BAD)
    world.order("pause", for_ms=600_000)
    world.order("resume")
    world.order("good", upstream="green")
    world.pass_time(20, GOOD, GOOD)
    world.done = Done(
        "undone", confirm="refuted", message="no new workers", timings_ms={"reload": 4}
    )
    world.order("switch", upstream="blue")
    world.order("ack")

    bench.pools = [pool_view(world.state, world.now)]
    events = bench.telemetry.history(0)
    told = {str(event["event"]) for event in events}
    assert told >= {
        "health_changed", "switch_started", "switch_completed", "release_marked", "hold_entered",
        "order_received", "order_refused", "paused", "resumed", "switch_undone",
    }  # fmt: skip
    assert "green is active (was blue): switched automatically: blue has been" in bench.lines()
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
