"""Schema and reference are what the table gives, and agree with the parser."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from healthguard.assembly import build_probers
from healthguard.config import DaemonSettings, load, table
from healthguard.config.generate import SCHEMA_FILE, put_reference, reference, schema, schema_text
from healthguard.core.model import BakePolicy, HealthPolicy, RollbackPolicy
from healthguard.nginx.settings import NginxSettings
from healthguard.probes import Shared

ROOT = Path(__file__).parents[2]
BAD = Path(__file__).parent / "bad"
EVERY_KEY = Path(__file__).parent / "good/every_key.yaml"
SCHEMA_SEES = [
    "unknown_key",
    "notifier_kind",
    "notifier_word",
    "notifier_level",
    "notifier_secret_here",
    "release_both",
    "release_word",
    "missing_pools",
    "missing_link",
    "fall_zero",
    "fall_text",
    "fall_much",
    "duration_number",
    "duration_unit",
    "jitter",
    "mode_word",
    "standby_word",
    "one_upstream",
    "path_relative",
    "log_level",
    "reload_word",
    "switcher_word",
    "pool_name",
    "probe_none",
    "probe_two",
    "url_scheme",
    "exec_text",
    "exec_empty",
    "status_low",
    "require_zero",
    "window_half",
    "defaults_link",
    "no_pool",
]


def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def test_schema_json_is_what_the_generator_writes() -> None:
    assert SCHEMA_FILE.read_text() == schema_text()
    assert json.loads(schema_text()) == schema()


def test_the_reference_is_what_the_generator_writes() -> None:
    document = (ROOT / "docs/configuration.md").read_text()
    assert put_reference(document) == document
    assert "| `fall` | a whole number | `3` |" in document


def test_the_shipped_file_fits_the_schema() -> None:
    sample = yaml.safe_load((ROOT / "etc/healthguard/healthguard.yaml").read_text())
    assert list(validator().iter_errors(sample)) == []


@pytest.mark.parametrize("name", SCHEMA_SEES)
def test_an_editor_sees_the_mistake_too(name: str) -> None:
    bad = yaml.safe_load((BAD / f"{name}.yaml").read_text())
    assert list(validator().iter_errors(bad))


def test_every_key_is_described() -> None:
    def walk(part: Any) -> None:
        for key, below in part.get("properties", {}).items():
            assert below.get("description"), key
        for below in part.values():
            for item in below if isinstance(below, list) else [below]:
                if isinstance(item, dict):
                    walk(item)

    walk(schema())


def test_a_file_with_every_key_fits_schema_and_parser() -> None:
    config = load(EVERY_KEY)
    assert list(validator().iter_errors(yaml.safe_load(EVERY_KEY.read_text()))) == []
    assert config.nginx.reload == ("/usr/bin/docker", "kill", "-s", "HUP", "web")
    assert config.switcher == Path("/run/healthguard/switcher.sock")
    assert config.daemon.http == ("::1", 0)
    app, web = config.pools["app"].policy, config.pools["web"].policy
    assert app.health == HealthPolicy(3_000, 400, 9_000, 4, 3, 6, 12)
    assert app.rollback == RollbackPolicy(4_000, 120_000, 3, 1_200_000, 6, 5, 360_000)
    assert app.bake == BakePolicy(5_400_000, 3, 1_000, 900_000)
    assert (app.mode_bake, app.mode_steady, app.stable) == ("auto", "observe", "green")
    assert (web.mode_bake, web.mode_steady, web.stable) == ("auto", "propose", "a")
    assert [each.require for each in app.upstreams.values()] == [2, 0]
    assert list(config.pools["app"].probes["blue"]) == ["deep", "http", "port"]


def test_no_field_of_the_settings_keeps_its_default_there() -> None:
    config = load(EVERY_KEY)
    app = config.pools["app"].policy
    for made in (config.nginx, config.daemon, app.health, app.rollback, app.bake):
        for field in dataclasses.fields(made):
            assert getattr(made, field.name) != field.default, field.name


def test_the_defaults_are_those_of_the_dataclasses() -> None:
    for section, data in (
        (table.NGINX, NginxSettings),
        (table.DAEMON, DaemonSettings),
        (table.HEALTH, HealthPolicy),
        (table.ROLLBACK, RollbackPolicy),
        (table.BAKE, BakePolicy),
    ):
        assert section.make(section.fill({})) == data()


def test_that_file_leaves_no_key_out() -> None:
    used: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            used.update(part)
        for below in part.values() if isinstance(part, dict) else part:
            if isinstance(below, (dict, list)):
                walk(below)

    walk(yaml.safe_load(EVERY_KEY.read_text()))
    assert set(re.findall(r"^\| `(\w+)` \|", reference(), re.MULTILINE)) <= used


def test_every_probe_of_that_file_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    for pool in load(EVERY_KEY).pools.values():
        assert build_probers(pool, Shared())
