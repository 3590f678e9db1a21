"""The rules by Prometheus' own tools, and by the daemon's own words."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from healthguard.core.gates import GATES
from tests.prometheus.rules import FILES, FOLDER, ROOT, faults, promtool, rules

STORIES = Path(__file__).parent / "alerts.test.yml"
ALERTS = [rule for rule in rules() if "alert" in rule]


def test_promtool_finds_no_fault() -> None:
    assert "SUCCESS: 2 rule files found" in promtool(
        "check", "config", str(FOLDER / "prometheus.yml")
    )
    for file in FILES:
        assert "SUCCESS" in promtool("check", "rules", str(file))


def test_each_alert_comes_when_it_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(STORIES))


def test_every_alert_is_told_in_a_story() -> None:
    stories = yaml.safe_load(STORIES.read_text())["tests"]
    told = {
        case["alertname"]
        for story in stories
        for case in story["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert told == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize(
    "rule", list(rules()), ids=lambda rule: rule.get("alert") or rule["record"]
)
def test_the_daemon_exports_what_a_rule_asks(rule: dict[str, Any]) -> None:
    assert faults(rule["expr"]) == []
    for text in rule.get("annotations", {}).values():
        for asked in re.findall(r'printf "((?:[^"\\]|\\.)*)"', text):
            assert faults(asked.replace('\\"', '"').replace("%q", '""')) == []


def test_a_wrong_name_would_be_seen() -> None:
    assert faults('healthguard_pool_activ{pool="a"}') == ["no metric healthguard_pool_activ"]
    assert faults('healthguard_build_info{gate="a"}') == [
        "healthguard_build_info has no label gate"
    ]
    assert faults("sum by (pol) (healthguard_pool_active)") == ["no label pol"]


def test_every_alert_has_its_runbook_entry_and_no_entry_is_left_over() -> None:
    entries = re.findall(r"^## (\w+)$", (ROOT / "docs" / "alerts.md").read_text(), re.MULTILINE)
    assert sorted(entries) == sorted(rule["alert"] for rule in ALERTS)
    for rule in ALERTS:
        notes = rule["annotations"]
        assert notes["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
        assert {"summary", "description", "command"} <= set(notes)
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


# What a person types when this gate holds: the words of the daemon's own remedies where they
# name a command, else to look, or to switch by hand where an order passes that gate.
COMMANDS = {
    "disabled": "rm /etc/healthguard/DISABLE",
    "link_unmanaged": "healthguard why app",
    "nginx_down": "systemctl start nginx",
    "nginx_upgrading": "kill -QUIT $(cat /run/nginx.pid.oldbin)",
    "lost": "healthguard ack app",
    "switch_in_flight": "healthguard history app --follow",
    "no_target": "healthguard good app green",
    "unproven": "healthguard good app green",
    "known_bad": "healthguard clear app green",
    "standby_not_up": "healthguard why app",
    "switcher_unavailable": "systemctl start healthguard-switcher.socket",
    "config_invalid": "nginx -t",
    "latched": "healthguard ack app",
    "paused": "healthguard resume app",
    "mode": "healthguard approve app",
}
_BY_HAND = "healthguard switch app green --reason alert"


def test_each_gate_has_its_command(tmp_path: Path) -> None:
    """One story for every gate there is, told to promtool."""
    here = '{job="healthguard", instance="web1", pool="app"'
    tests = []
    for gate in GATES:
        series = {
            f'healthguard_pool_phase{here}, phase="holding"}}': 1,
            f'healthguard_pool_hold{here}, gate="{gate}"}}': 1,
            f'healthguard_pool_active{here}, upstream="blue"}}': 1,
            f'healthguard_pool_active{here}, upstream="green"}}': 0,
            f'healthguard_upstream_health{here}, upstream="green", state="up"}}': 1,
        }
        alert = {
            "exp_labels": {
                "job": "healthguard", "instance": "web1", "pool": "app", "phase": "holding",
                "severity": "warning",
            },
            "exp_annotations": {
                "summary": "app on web1: on hold",
                "description": f"Gate {gate} has blocked automatic switches of app for a minute. "
                "To see its evidence: `healthguard why app`.",
                "command": COMMANDS.get(gate, _BY_HAND),
                "runbook": "docs/alerts.md#healthguardholding",
            },
        }  # fmt: skip
        case = {"alertname": "HealthguardHolding", "eval_time": "2m", "exp_alerts": [alert]}
        tests.append(
            {
                "name": gate,
                "interval": "5s",
                "input_series": [
                    {"series": name, "values": f"{value}x60"} for name, value in series.items()
                ],
                "alert_rule_test": [case],
            }
        )
    file = tmp_path / "gates.test.yml"
    whole = {"rule_files": list(map(str, FILES)), "evaluation_interval": "5s", "tests": tests}
    file.write_text(yaml.safe_dump(whole))
    assert "SUCCESS" in promtool("test", "rules", str(file))


def test_the_commands_are_those_of_the_remedies() -> None:
    assert set(COMMANDS) <= set(GATES)
    for gate, command in COMMANDS.items():
        quoted = re.findall(r"`(healthguard [^`]*)`", GATES[gate].remedy if gate in GATES else "")
        if quoted and command.startswith("healthguard") and "why" not in command:
            wanted = [each.format(pool="app", target="green") for each in quoted]
            assert command in [each.replace("UPSTREAM", "green") for each in wanted]
