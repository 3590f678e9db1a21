"""`replay --with`: stories of what another configuration would have done."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from healthguard.cli import main
from healthguard.config import Config, parse
from healthguard.core.model import Answer, Policy
from healthguard.probes.spec import Spec
from healthguard.replay.policies import Reading, lens
from healthguard.replay.run import lines, replay
from tests.replay.recording import BAD, GOOD, Living, Says, outages, record
from tests.support.world import merged

BASE: dict[str, Any] = {
    "pools": {
        "app": {
            "link": "/etc/nginx/up/app_active.conf",
            "stable": "green",
            "upstreams": {
                name: {
                    "config": f"{name}.conf",
                    "probes": [{"name": "health", "http": f"http://127.0.0.1:{port}/"}],
                }
                for name, port in (("blue", 1), ("green", 2))
            },
            "rollback": {"start_grace": "1s"},
        }
    }
}


def config(change: dict[str, Any] | None = None) -> Config:
    """The base with keys of its pool changed."""
    return parse(json.dumps(merged(BASE, {"pools": {"app": change or {}}})), "candidate.yaml")


def tried(
    folder: Path, says: Says, candidate: dict[str, Any], recorded: dict[str, Any] | None = None,
    ms: int = 900_000, living: Living | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Lives under ``recorded``, is recorded, and is replayed with ``candidate``: its pool."""
    policy = config(recorded).pools["app"].policy
    living = living or Living(policy, says)
    record(folder, living.live(ms).noted)
    assert replay(folder)["same"] is True
    with_itself = replay(folder, config(recorded))
    assert with_itself["pools"]["app"]["findings"] == [], "the same policy decides the same"
    assert with_itself["pools"]["app"]["not_compared"] == []
    assert with_itself["same"] is True
    view = replay(folder, config(candidate))
    print("\n".join(lines(view)))
    pool: dict[str, Any] = view["pools"]["app"]
    assert view["same"] is (not pool["findings"])
    return pool


def sees(name: str, *bad: tuple[int, int]) -> Says:
    return outages(**{name: bad})


QUICK = {"health": {"fall": 2}, "rollback": {"min_down": "500ms"}}
BLIP = (60_000, 62_900)  # two or three fails in a row at the fast interval, then well again


def blip(fails: int, upstream: str = "blue", after: int = 60_000) -> Says:
    """So many fails in a row."""
    left = [fails]

    def says(now: int, who: str) -> Answer:
        if who == upstream and now >= after and left[0]:
            left[0] -= 1
            return BAD
        return GOOD

    return says


def test_a_blip_was_taken_for_an_outage_and_a_higher_fall_would_have_avoided_it(
    tmp_path: Path,
) -> None:
    slow = {"health": {"fall": 3}, "rollback": {"min_down": "500ms"}}
    pool = tried(tmp_path, blip(2), slow, QUICK)
    (found,) = pool["findings"]
    assert found["kind"] == "false_alarm_avoided"
    assert (found["recorded"]["from"], found["recorded"]["to"]) == ("blue", "green")
    assert found["candidate"] is None
    assert found["traffic_left"] is True
    assert "FALSE ALARM AVOIDED" in found["sentence"]
    assert "after traffic had left it" in found["sentence"]
    assert "health.fall: 2 -> 3" in pool["changes"]
    assert pool["automatic"] == {"recorded": 1, "candidate": 0}


def test_the_other_way_round_it_is_a_false_alarm_added(tmp_path: Path) -> None:
    slow = {"health": {"fall": 3}, "rollback": {"min_down": "500ms"}}
    pool = tried(tmp_path, blip(2), QUICK, slow)
    (found,) = pool["findings"]
    assert found["kind"] == "false_alarm_added"
    assert found["recorded"] is None
    assert found["recovered_after_ms"] <= 2_000
    assert "on its own" in found["sentence"]
    assert pool["automatic"] == {"recorded": 0, "candidate": 1}


def test_a_real_outage_is_acted_on_later_or_earlier_by_so_much(tmp_path: Path) -> None:
    patient = {"health": {"fall": 8}}
    pool = tried(tmp_path / "later", sees("blue", (60_000, 400_000)), patient)
    (found,) = pool["findings"]
    assert found["kind"] == "later"
    # 8 fails; once the recorded run had it down, results came each 5 s only.
    assert 15_000 < found["delta_ms"] < 30_000
    own = found["own_pace_ms"]
    assert found["sentence"].startswith("LATER by at most ")
    assert "at its own pace" in found["sentence"]
    back = tried(tmp_path / "earlier", sees("blue", (60_000, 400_000)), {}, patient)
    (found,) = back["findings"]
    assert found["kind"] == "earlier"
    assert -1_000 < found["delta_ms"] < -200  # 7 fast intervals instead of min_down
    assert abs(own + found["delta_ms"]) < 250, "what was told of its own pace is the truth"
    assert back["automatic"] == {"recorded": 1, "candidate": 1}


def test_an_outage_that_the_candidate_sleeps_through_is_missed(tmp_path: Path) -> None:
    sleepy = {"rollback": {"min_down": "20m"}}
    pool = tried(tmp_path, sees("blue", (60_000, 880_000)), sleepy)
    (found,) = pool["findings"]
    assert found["kind"] == "missed"
    assert "did not recover within 10m" in found["sentence"]


def test_a_long_outage_that_only_the_candidate_acts_on_is_told_once(tmp_path: Path) -> None:
    sleepy = {"rollback": {"min_down": "30m"}}
    pool = tried(tmp_path, sees("blue", (60_000, 1_500_000)), {}, sleepy, ms=1_800_000)
    (found,) = pool["findings"]
    assert found["kind"] == "added"
    assert "did not recover within 10m" in found["sentence"]


OBSERVE, AUTO = {"mode": "observe"}, {"mode": "auto"}


def test_a_week_of_observe_is_what_auto_would_have_done(tmp_path: Path) -> None:
    pool = tried(tmp_path / "outage", sees("blue", (60_000, 400_000)), AUTO, OBSERVE)
    (found,) = pool["findings"]
    assert found["kind"] == "acts"
    assert found["delta_ms"] <= 100
    assert found["recorded"]["kind"] == "would_switch"
    assert found["candidate"]["kind"] == "switch"
    assert 300_000 < found["recovered_after_ms"] < 400_000
    pool = tried(tmp_path / "blip", sees("blue", (60_000, 75_000)), AUTO, OBSERVE)
    (found,) = pool["findings"]
    assert found["kind"] == "false_alarm_added"
    assert "on its own" in found["sentence"]


def test_and_back(tmp_path: Path) -> None:
    pool = tried(tmp_path / "outage", sees("blue", (60_000, 400_000)), OBSERVE)
    assert [found["kind"] for found in pool["findings"]] == ["only_says"]
    pool = tried(tmp_path / "blip", sees("blue", (60_000, 75_000)), OBSERVE)
    assert [found["kind"] for found in pool["findings"]] == ["false_alarm_avoided"]


def test_after_an_incident_it_goes_on_with_the_next(tmp_path: Path) -> None:
    says = sees("blue", (60_000, 61_900), (500_000, 501_900), (900_000, 930_000))
    pool = tried(tmp_path, says, QUICK, {"health": {"fall": 6}}, ms=1_500_000)
    kinds = [found["kind"] for found in pool["findings"]]
    assert kinds == ["false_alarm_added", "false_alarm_added", "earlier"]


def test_a_stricter_latency_can_be_tried(tmp_path: Path) -> None:
    slow = Answer(900_000, 200)

    def says(now: int, who: str) -> Answer:
        return slow if who == "blue" and 60_000 <= now < 70_000 else GOOD

    probes = [{"name": "health", "http": "http://127.0.0.1:1/", "expect": {"max_latency": "500ms"}}]
    strict = {"upstreams": {"blue": {"probes": probes}}}
    pool = tried(tmp_path, says, strict)
    (found,) = pool["findings"]
    assert found["kind"] == "false_alarm_added"
    assert "slow" in found["candidate"]["reason"]
    assert pool["untold"] == []
    assert "upstreams.blue.probes.health.max_latency_us: - -> 500000" in pool["changes"]


def test_a_shorter_timeout_can_be_tried_and_a_longer_one_not(tmp_path: Path) -> None:
    slow = Answer(900_000, 200)

    def says(now: int, who: str) -> Answer:
        return slow if who == "blue" and 60_000 <= now < 70_000 else GOOD

    pool = tried(tmp_path / "short", says, {"health": {"timeout": "400ms"}})
    assert [found["kind"] for found in pool["findings"]] == ["false_alarm_added"]
    assert "no answer in time" in pool["findings"][0]["candidate"]["reason"]
    pool = tried(tmp_path / "long", says, {"health": {"timeout": "4s"}})
    assert pool["findings"] == []
    assert any("blue.health: timeout 4000 ms instead of 2000 ms" in each for each in pool["untold"])


def test_other_statuses_can_be_tried(tmp_path: Path) -> None:
    probes = [{"name": "health", "http": "http://127.0.0.1:1/", "expect": {"status": "200-599"}}]
    pool = tried(
        tmp_path, sees("blue", (60_000, 90_000)), {"upstreams": {"blue": {"probes": probes}}}
    )
    (found,) = pool["findings"]
    assert found["kind"] in ("false_alarm_avoided", "missed")
    assert found["candidate"] is None


def test_what_the_record_cannot_tell_is_named(tmp_path: Path) -> None:
    probes = [
        {
            "name": "health",
            "http": "http://127.0.0.1:1/other",
            "expect": {"body": "ok", "json": {"status": "UP"}},
            "headers": {"X-Probe": "1"},
        },
        {"name": "more", "tcp": "127.0.0.1:5"},
    ]
    change = {
        "upstreams": {
            "blue": {"probes": probes},
            "red": {"config": "red.conf", "probes": [{"tcp": "127.0.0.1:6"}]},
        },
        "health": {"interval": "1s", "down_interval": "20s"},
        "confirm": {"url": "http://127.0.0.1:9/app"},
    }
    pool = tried(tmp_path, outages(), change, ms=60_000)
    untold = "\n".join(pool["untold"])
    for name in (
        "blue.health: url changes",
        "blue.health: body_text changes",
        "blue.health: json_fields changes",
        "blue.health: headers changes",
        "blue.more: a new probe",
        "red: a new upstream",
        "health.interval: 1000 ms is shorter than the 2000 ms recorded",
        "`confirm` changes",
    ):
        assert name in untold, untold
    assert "target" not in untold, "one change of the URL is told once"
    assert (
        "down_interval: 20000 ms instead of 5000 ms is simulated by leaving out" in pool["how"][0]
    )


def test_a_predicate_that_is_dropped_can_be_told(tmp_path: Path) -> None:
    wrong = Answer(4_000, 200, verdicts=(("header", True), ("body", False)))

    def says(now: int, who: str) -> Answer:
        return wrong if who == "blue" and 60_000 <= now < 800_000 else GOOD

    def probes(expect: dict[str, Any]) -> dict[str, Any]:
        one = {"name": "health", "http": "http://127.0.0.1:1/", "expect": expect}
        return {"upstreams": {"blue": {"probes": [one]}}}

    header = {"header": {"X-Color": "blue"}}
    pool = tried(tmp_path, says, probes(header), probes({"body": "ok", **header}))
    assert "blue.health: body is no longer checked" in pool["changes"]
    assert pool["untold"] == []
    assert [found["kind"] for found in pool["findings"]] == ["missed"]


def test_longer_intervals_are_tried_by_leaving_out_results(tmp_path: Path) -> None:
    rare = {"health": {"interval": "10s", "fast_interval": "10s", "down_interval": "10s"}}
    pool = tried(tmp_path, sees("blue", (60_000, 400_000)), rare)
    (found,) = pool["findings"]
    assert found["kind"] == "later"
    assert 10_000 < found["delta_ms"] < 45_000


def test_orders_are_the_same_on_both_sides(tmp_path: Path) -> None:
    policy = config().pools["app"].policy
    living = Living(policy, outages()).order(30_000, "switch", "green")
    living.order(90_000, "rollback").order(120_000, "pause", for_ms=60_000)
    pool = tried(tmp_path, outages(), {"health": {"fall": 5}}, living=living)
    assert pool["findings"] == []
    assert [each["trigger"] for each in pool["agreed"]] == ["manual", "manual"]


def test_a_person_who_was_slower_than_the_candidate(tmp_path: Path) -> None:
    policy = config({"mode": "observe", "health": {"fall": 100}}).pools["app"].policy
    says = sees("blue", (60_000, 880_000))
    living = Living(policy, says).order(80_000, "switch", "green")
    pool = tried(tmp_path, says, {}, {"mode": "observe", "health": {"fall": 100}}, living=living)
    (found,) = pool["findings"]
    assert found["kind"] == "added"
    assert found["person"]["to"] == "green"
    assert "later a person switched to green" in found["sentence"]


def test_restarts_are_new_segments(tmp_path: Path) -> None:
    policy = config().pools["app"].policy
    for seed in range(3):
        record(tmp_path, Living(policy, blip(2), seed=seed).live(100_000).noted)
    pool = replay(tmp_path, config(QUICK))["pools"]["app"]
    assert pool["segments"] == 3
    assert [found["kind"] for found in pool["findings"]] == ["false_alarm_added"] * 3


def test_the_candidate_is_checked_like_any_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = config().pools["app"].policy
    record(tmp_path / "record", Living(policy, blip(2)).live(100_000).noted)
    path = tmp_path / "candidate.yaml"
    words = ["replay", str(tmp_path / "record"), "--with", str(path)]
    assert main(words) == 2
    path.write_text("pools: {app: {health: {fall: 0}}}")
    assert main(words) == 2
    assert "at least 1" in capsys.readouterr().err
    path.write_text(json.dumps(BASE))
    assert main(words) == 0
    assert "different: none" in capsys.readouterr().out
    path.write_text(json.dumps(merged(BASE, {"pools": {"app": QUICK}})))
    assert main(words) == 1
    assert "FALSE ALARM ADDED" in capsys.readouterr().out
    path.write_text(json.dumps({"pools": {"other": BASE["pools"]["app"]}}))
    assert main(words) == 2
    assert "has none of the recorded pools" in capsys.readouterr().err
    both = {"pools": {**BASE["pools"], "other": _other()}}
    path.write_text(json.dumps(both))
    assert main(words) == 0
    assert "other: in the candidate, but not recorded: not compared" in capsys.readouterr().out


def _other() -> dict[str, Any]:
    upstreams = {
        name: {"config": f"o{name}.conf", "probes": [{"tcp": f"127.0.0.1:{port}"}]}
        for name, port in (("blue", 11), ("green", 12))
    }
    return {"link": "/etc/nginx/up/other_active.conf", "upstreams": upstreams}


def test_a_proposal_is_a_decision_and_its_approval_goes_with_it(tmp_path: Path) -> None:
    policy = config({"mode": "propose"}).pools["app"].policy
    says = sees("blue", (60_000, 400_000))
    living = Living(policy, says).order(90_000, "approve")
    propose = {"mode": "propose"}
    pool = tried(tmp_path / "same", says, {**propose, "health": {"rise": 3}}, propose,
                 living=living)  # fmt: skip
    assert pool["findings"] == []
    assert [each["kind"] for each in pool["agreed"]] == ["proposal_opened", "switch"]
    living = Living(policy, says)
    pool = tried(tmp_path / "auto", says, {"mode": "auto"}, {"mode": "propose"}, living=living)
    (found,) = pool["findings"]
    assert found["kind"] == "acts"
    assert "it opened a proposal" in found["sentence"]


def test_dependencies_that_were_not_asked_are_named(tmp_path: Path) -> None:
    change = {"dependencies": [{"name": "database", "tcp": "127.0.0.1:5432"}]}
    pool = tried(tmp_path, outages(), change, ms=60_000)
    assert "dependencies.database: a new probe; it has no recorded results" in pool["untold"]


def test_a_record_of_a_core_that_decided_otherwise_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = config().pools["app"].policy
    record(tmp_path, Living(policy, sees("blue", (60_000, 90_000))).live(120_000).noted)
    monkeypatch.setattr("healthguard.core.health._ranges", lambda _: "other words")
    untold = replay(tmp_path, config())["pools"]["app"]["untold"]
    assert any("this version decides differently" in each for each in untold)


def test_the_definition_of_the_probe_is_what_the_daemon_records() -> None:
    """Records compare definitions by their text: it is part of the format."""
    change = {"upstreams": {"blue": {"probes": PROBES}}}
    probes = config(change).pools["app"].policy.upstreams["blue"].probes
    assert {name: expect.definition for name, expect in probes.items()} == {
        "deep": '{"http":{"body_regex":null,"body_text":"ok","ca_file":null,"header_fields":[],'
        '"headers":[["X-Token","${TOK}"]],"host":"127.0.0.1","host_header":null,'
        '"json_fields":[["a.b",true],["c",null]],"method":"GET","port":1,"release_header":null,'
        '"release_json":null,"target":"/","timeout_ms":2000,"tls":false,"unix_socket":null,'
        '"url":"http://127.0.0.1:1/","verify":true}}',
        "port": '{"tcp":{"host":"localhost","port":0,"timeout_ms":2000,'
        '"unix_socket":"/run/a.sock"}}',
        "own": '{"exec":{"argv":["/bin/check","-x"],"timeout_ms":700}}',
    }


PROBES: list[dict[str, Any]] = [
    {"name": "deep", "http": "http://127.0.0.1:1/", "headers": {"X-Token": "${TOK}"},
     "expect": {"body": "ok", "json": {"a.b": True, "c": None}}},
    {"name": "port", "tcp": "unix:/run/a.sock"},
    {"name": "own", "exec": ["/bin/check", "-x"], "timeout": "700ms"},
]  # fmt: skip


def as_before(policy: Policy, specs: Mapping[str, Spec]) -> Policy:
    """As versions recorded it whose definitions were the repr of the probe."""
    blue = policy.upstreams["blue"]
    probes = {n: replace(each, definition=repr(specs[n])) for n, each in blue.probes.items()}
    return replace(policy, upstreams={**policy.upstreams, "blue": replace(blue, probes=probes)})


def told_of_blue(recorded: Policy, candidate: Config) -> list[str]:
    reading = Reading()
    lens(recorded, candidate.pools["app"], reading)
    return [*reading.untold, *(each for each in reading.changes if each.startswith("blue"))]


def test_records_from_before_definitions_were_json_are_still_read() -> None:
    change = {"upstreams": {"blue": {"probes": PROBES}}}
    pool = config(change).pools["app"]
    old = as_before(pool.policy, pool.probes["blue"])
    assert old != pool.policy
    assert told_of_blue(old, config(change)) == []
    other: list[dict[str, Any]] = [
        {"name": "deep", "http": "http://127.0.0.1:9/", "headers": {"X-Token": "${TOK}"}},
        {"name": "port", "http": "http://127.0.0.1:1/"},
        {"name": "own", "exec": ["/bin/check"], "timeout": "500ms"},
    ]
    changed = config({"upstreams": {"blue": {"probes": other}}})
    said = told_of_blue(old, changed)
    assert said == told_of_blue(pool.policy, changed), "the new form tells the same"
    assert said == [
        "blue.deep: url changes; no answers to the new probe were recorded, so it is replayed "
        "with the answers to the old one",
        "blue.port: another kind of probe; replayed as recorded",
        "blue.own: argv changes; no answers to the new probe were recorded, so it is replayed "
        "with the answers to the old one",
        "blue.deep: body is no longer checked",
        "blue.deep: json is no longer checked",
        "blue.own: timeout: 700 ms -> 500 ms",
    ]


def test_true_is_not_one() -> None:
    def asks(value: object) -> Config:
        probe = {"name": "x", "http": "http://127.0.0.1:1/", "expect": {"json": {"a": value}}}
        return config({"upstreams": {"blue": {"probes": [probe]}}})

    (said,) = told_of_blue(asks(True).pools["app"].policy, asks(1))
    assert said.startswith("blue.x: json_fields changes")


UNREADABLE = ["", "elsewhere", "[]", "{}", '{"tcp":1}', "f(", "X(a=1)", "TcpSpec(host=b)"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_definition_that_cannot_be_read_is_another_probe(text: str) -> None:
    pool = config().pools["app"]
    blue = pool.policy.upstreams["blue"]
    probes = {name: replace(each, definition=text) for name, each in blue.probes.items()}
    upstreams = {**pool.policy.upstreams, "blue": replace(blue, probes=probes)}
    said = told_of_blue(replace(pool.policy, upstreams=upstreams), config())
    assert said == ["blue.health: another kind of probe; replayed as recorded"]
