"""The shipped nginx samples work as they stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.check import as_json, check_offline, check_online, exit_code
from tests.check.world import Prepares, World, get
from tests.support.apps import App
from tests.support.eventually import eventually


@pytest.fixture
def apps() -> Iterator[tuple[App, App]]:
    with App("blue") as blue, App("green") as green:
        yield blue, green


@pytest.mark.parametrize("backup", [False, True])
def test_traffic_and_marker_follow_the_link(
    tmp_path: Path, apps: tuple[App, App], backup: bool
) -> None:
    world = World(tmp_path, apps[0].port, apps[1].port, backup)
    with world.running():
        assert get(world.marker, "/threader").strip() == "blue"
        assert "blue" in get(world.site)
        world.switch_by_hand("green")
        eventually(lambda: get(world.marker, "/threader").strip() == "green", within=20)
        eventually(lambda: "green" in get(world.site), within=20)


def test_with_backup_a_dead_upstream_costs_no_request(
    tmp_path: Path, apps: tuple[App, App]
) -> None:
    world = World(tmp_path, apps[0].port, apps[1].port, backup=True)
    with world.running():
        apps[0].kill()
        assert all("green" in get(world.site) for _ in range(20))
        assert get(world.marker, "/threader").strip() == "blue"


async def test_check_finds_nothing_wrong_with_them(tmp_path: Path, apps: tuple[App, App]) -> None:
    world = World(tmp_path, apps[0].port, apps[1].port)
    prepares = Prepares()
    with world.running():
        config = world.load()
        findings = await check_online(config, prepares)
    assert [each for each in findings if each.level != "ok"] == []
    assert {each.what for each in findings} >= {"nginx", "link", "upstream_used", "marker"}
    assert prepares.asked == [("threader", "blue"), ("threader", "green")]
    assert exit_code(findings) == 0
    assert as_json(findings)["ok"] is True
    warned = {each.what for each in check_offline(config) if each.level == "warning"}
    assert warned == {"target", "probe_blind"}  # what only the operator can know
