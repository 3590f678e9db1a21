"""The exposition: complete, clean, bounded, and in small pieces."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import core, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from healthguard.core.model import Instant, Result
from healthguard.machine import slices
from healthguard.telemetry.exposition import Exposition, lines
from healthguard.telemetry.metrics import FAMILIES, RESULTS, Family, Histogram, Row
from healthguard.telemetry.probes import ProbeResults
from healthguard.views.model import BakeView, NginxView, PauseView
from tests.support import views as made

from .conftest import Bench
from .views import upstream, view, views

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = """
build_info pool_active upstream_health probe_results_total probe_duration_seconds
consecutive_failures pool_phase gate_closed pool_hold rollback_ready switches_total
switch_duration_seconds detection_seconds pool_paused pool_latched bake_remaining_seconds
nginx_config_valid nginx_reloads_total nginx_shutting_down_workers event_loop_lag_seconds
config_last_reload_successful config_last_reload_success_timestamp_seconds
last_probe_timestamp_seconds notifications_total
"""


def result(outcome: str = "pass", reason: str = "", boot_ms: int = 1_000) -> Result:
    return Result(outcome, reason, Instant(boot_ms, boot_ms), latency_us=12_000)


async def samples(bench: Bench) -> dict[str, float]:
    """Every sample by its line without the value."""
    text = (await bench.telemetry.exposition.text()).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {key: float(value) for key, _, value in (line.rpartition(" ") for line in lines)}


class Whole:
    """All rows as prometheus_client's own formatter takes them: what ours must be equal to."""

    def __init__(self, rows: list[Row]):
        self._rows = rows

    def collect(self) -> Iterator[core.Metric]:
        made: dict[Family, Any] = {}
        for row in self._rows:
            metric = made.setdefault(row.family, empty(row.family))
            if isinstance(row.value, Histogram):
                bounds = (*map(str, row.value.bounds), "+Inf")
                counts = list(accumulate(row.value.counts))
                buckets = list(zip(bounds, counts, strict=True))
                metric.add_metric(row.labels, buckets, row.value.total)
            else:
                metric.add_metric(row.labels, row.value)
        yield from made.values()


def empty(family: Family) -> core.Metric:
    kinds = {
        "gauge": core.GaugeMetricFamily,
        "counter": core.CounterMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }
    made: core.Metric = kinds[family.kind](family.name, family.help, labels=family.labels)
    return made


def content(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found, f"{family.name} comes twice"
        samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in family.samples}
        assert len(samples) == len(family.samples), f"{family.name} has a sample twice"
        found[family.name] = (family.type, family.documentation, samples)
    return found


def busy(bench: Bench, pools: int) -> None:
    """As many pools with two upstreams of one probe each, with some history."""
    made = {f"pool{i}": {"blue": ["health"], "green": ["health"]} for i in range(pools)}
    bench.pools = list(views(pools))
    bench.telemetry.configure(made)
    for pool in made:
        for each in ("blue", "green"):
            for outcome, reason in (("pass", ""), ("fail", "status"), ("inconclusive", "loop")):
                bench.telemetry.checked(pool, each, "health", result(outcome, reason))


async def test_a_thousand_endpoints_are_what_one_piece_would_be(bench: Bench) -> None:
    busy(bench, 500)
    text = (await bench.telemetry.exposition.text()).decode()
    whole = content(generate_latest(Whole(list(bench.telemetry._rows()))).decode())
    sliced = content(text)
    for name, (kind, help_, expected) in whole.items():
        assert sliced[name][:2] == (kind, help_)
        if name != "healthguard_event_loop_lag_seconds":
            assert sliced[name][2] == expected, name
    extra = {
        n for n, (_, _, s) in sliced.items() if s and not n.startswith(("process_", "python_"))
    }
    assert extra == set(whole)
    assert len(sliced["healthguard_gate_closed"][2]) == 500 * len(bench.pools[0].gates)


def test_what_a_label_holds_cannot_forge_a_line() -> None:
    labels = ("a\\b", 'say "no"', "two\nlines", "fail", "größer\\n")
    row = Row(RESULTS, labels, 3)
    theirs = generate_latest(Whole([row])).decode()
    assert content(theirs) == content("".join(theirs.splitlines(True)[:2]) + lines(row))


async def test_the_loop_turns_between_the_slices_of_a_scrape(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(bench, 10)
    monkeypatch.setattr(slices, "SLICE_S", 0.0)  # every row is a slice
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await bench.telemetry.exposition.text()
    counter.cancel()
    assert turns > len(list(bench.telemetry._rows())) + len(FAMILIES)


async def test_scrapes_at_once_share_one_making() -> None:
    made = 0
    now = 0.0

    def rows() -> list[Row]:
        nonlocal made
        made += 1
        return [Row(FAMILIES[0], ("1",), 1)]

    exposition = Exposition(rows, clock=lambda: now)
    texts = await asyncio.gather(*(exposition.text() for _ in range(200)))
    assert made == 1
    assert len({id(text) for text in texts}) == 1
    now = 0.9
    await exposition.text()
    assert made == 1
    now = 1.1
    await exposition.text()
    assert made == 2


async def test_a_scrape_after_a_change_shows_it_also_while_a_text_is_being_made() -> None:
    value = 1
    reading = asyncio.Event()

    def rows() -> Iterator[Row]:
        yield Row(FAMILIES[0], ("first",), value)
        reading.set()
        for n in range(2 * 80):  # more than one slice
            yield Row(FAMILIES[0], (str(n),), 0)

    exposition = Exposition(rows, clock=lambda: 0.0)
    early = asyncio.create_task(exposition.text())
    await reading.wait()
    value = 2
    exposition.changed()
    assert b'{version="first"} 2.0' in await exposition.text()
    assert b'{version="first"} 1.0' in await early
    value = 3
    exposition.changed()
    assert b'{version="first"} 3.0' in await exposition.text()


async def test_a_scrape_that_fails_does_not_spoil_the_next() -> None:
    answers: list[Any] = [ZeroDivisionError(), [Row(FAMILIES[0], ("1",), 1)]]

    def rows() -> list[Row]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    exposition = Exposition(rows)
    with pytest.raises(ZeroDivisionError):
        await exposition.text()
    assert b"healthguard_build_info" in await exposition.text()


async def test_promtool_has_nothing_to_say(bench: Bench) -> None:
    busy(bench, 2)
    bench.pools[0] = replace(bench.pools[0], hold="cooldown")
    bench.record("switch_completed", **SWITCH)
    assert promtool("metrics", await bench.telemetry.exposition.text()) == b""


def promtool(what: str, text: bytes, *files: str) -> bytes:
    """Its whole output; it must find no fault."""
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool")
    ran = subprocess.run(["promtool", "check", what, *files], input=text, capture_output=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_the_names_are_those_of_the_contract() -> None:
    names = {family.name.removeprefix("healthguard_") for family in FAMILIES}
    ours = {"log_lines_dropped_total", "event_log_durable", "proposal_open", "pool_standby_stopped",
            "switcher_config_differs"}  # fmt: skip
    assert names == {*CONTRACT.split(), *ours}


def test_every_metric_is_documented_with_its_labels() -> None:
    text = (DOCS / "metrics.md").read_text()
    for family in FAMILIES:
        labels = f"{{{','.join(family.labels)}}}" if family.labels else ""
        assert f"| `{family.name}{labels}` | {family.kind} |" in text


SWITCH: dict[str, object] = {
    "from": "blue",
    "to": "green",
    "trigger": "automatic",
    "reason": "3 of 3 probes failed: refused",
    "confirm": "proven",
    "detection_ms": 3012,
    "timings_ms": {"prepare": 9, "swap": 1, "reload": 5, "confirm": 112, "total": 131},
}


async def test_the_state_of_a_pool(bench: Bench) -> None:
    bench.telemetry.configure({"threader": {"blue": ["health"], "green": ["health"]}})
    gates = [
        made.gate("cooldown", closed=True),
        made.gate("config_invalid", pending=True),
        made.gate("mode"),
    ]
    bench.pools = [
        view(
            phase="holding",
            hold="cooldown",
            gates=gates,
            rollback_ready=False,
            latched=True,
            proposal=made.proposal(),
            paused=PauseView("t", "r", "b"),
            bake=BakeView("blue", "green", "t", 1500, failed=False, forced=False),
            upstreams={"blue": upstream("down", fails=4), "green": upstream()},
            nginx=NginxView("running", "", config_valid=False, shutting_down=3),
        ),
        view("second"),
    ]
    got = await samples(bench)
    expected = {
        'pool_active{pool="threader",upstream="blue"}': 1,
        'pool_active{pool="threader",upstream="green"}': 0,
        'upstream_health{pool="threader",state="down",upstream="blue"}': 1,
        'upstream_health{pool="threader",state="up",upstream="blue"}': 0,
        'consecutive_failures{pool="threader",probe="health",upstream="blue"}': 4,
        'pool_phase{phase="holding",pool="threader"}': 1,
        'pool_phase{phase="steady",pool="threader"}': 0,
        'gate_closed{gate="cooldown",pool="threader"}': 1,
        'gate_closed{gate="config_invalid",pool="threader"}': 1,
        'gate_closed{gate="mode",pool="threader"}': 0,
        'pool_hold{gate="cooldown",pool="threader"}': 1,
        'rollback_ready{pool="threader"}': 0,
        'pool_paused{pool="threader"}': 1,
        'pool_latched{pool="threader"}': 1,
        'proposal_open{pool="threader"}': 1,
        'proposal_open{pool="second"}': 0,
        'bake_remaining_seconds{pool="threader"}': 1.5,
        "nginx_config_valid": 0,
        "nginx_shutting_down_workers": 3,
        'last_probe_timestamp_seconds{pool="threader",upstream="green"}': 1_700_000_000.5,
        'bake_remaining_seconds{pool="second"}': 0,
        "event_log_durable": 1,
    }
    assert {key: got[f"healthguard_{key}"] for key in expected} == expected
    assert not [key for key in got if "pool_hold" in key and "second" in key]
    assert "process_cpu_seconds_total" in got


async def test_whether_the_switcher_goes_by_another_configuration(bench: Bench) -> None:
    name = "healthguard_switcher_config_differs"
    assert name not in await samples(bench)  # inline, or not heard yet
    for differs in (True, False):
        bench.switcher_differs = differs
        bench.telemetry.exposition.changed()
        assert (await samples(bench))[name] == int(differs)


async def test_what_follows_from_events(bench: Bench) -> None:
    bench.telemetry.configure({"threader": {"blue": ["health"], "green": ["health"]}})
    bench.record("daemon_started")
    bench.record("switch_completed", **SWITCH)
    bench.record("switch_undone", **{**SWITCH, "confirm": "refuted", "trigger": "manual"})
    bench.record("switch_undone", **{**SWITCH, "gate": "config_invalid", "timings_ms": {}})
    bench.record("config_rejected", "error")
    got = await samples(bench)
    labels = 'from_upstream="blue",outcome="{}",pool="threader",to_upstream="green",trigger="{}"'
    expected = {
        f"switches_total{{{labels.format('completed', 'automatic')}}}": 1,
        f"switches_total{{{labels.format('undone', 'manual')}}}": 1,
        f"switches_total{{{labels.format('refused', 'automatic')}}}": 1,
        'switch_duration_seconds_count{pool="threader"}': 2,
        'switch_duration_seconds_bucket{le="0.1",pool="threader"}': 0,
        'switch_duration_seconds_bucket{le="0.2",pool="threader"}': 2,
        'switch_duration_seconds_sum{pool="threader"}': 0.262,
        'detection_seconds_bucket{le="+Inf",pool="threader"}': 2,
        'nginx_reloads_total{outcome="proven"}': 2,
        'nginx_reloads_total{outcome="refuted"}': 1,
        "config_last_reload_successful": 0,
        "config_last_reload_success_timestamp_seconds": 1_700_000_000.123,
    }
    assert {key: got[f"healthguard_{key}"] for key in expected} == pytest.approx(expected)


async def test_labels_are_bounded_by_the_configuration(bench: Bench) -> None:
    telemetry = bench.telemetry
    telemetry.configure({"threader": {"blue": ["health"]}, "old": {"blue": ["health"]}})
    for number in range(1_000):
        telemetry.checked("threader", "blue", "health", result("fail", f"reason{number}"))
    telemetry.checked("old", "blue", "health", result())
    telemetry.counts.event({**SWITCH, "event": "switch_completed", "pool": "old"}, 0)
    telemetry.configure({"threader": {"blue": ["health"]}})
    bench.pools = []
    got = await samples(bench)
    results = {key: value for key, value in got.items() if "probe_results_total" in key}
    assert len(results) == 33  # a pass, 31 reasons, other
    assert sum(results.values()) == 1_000  # a reload of the configuration loses nothing
    assert not [key for key in got if 'pool="old"' in key]


def test_counting_is_cheap_enough_for_the_hot_path() -> None:
    """No judgement by the clock, only a figure: see `-s`."""
    results = ProbeResults(lambda level, message, fields: None)
    results.configure([("threader", "blue", "health")])
    one = result()
    began = time.perf_counter()
    for _ in range(20_000):
        results.add("threader", "blue", "health", one)
    print(f"\n{(time.perf_counter() - began) / 20_000 * 1e6:.2f} us for each result")
    assert results.series["threader", "blue", "health"].counts["pass", ""] == 20_000
