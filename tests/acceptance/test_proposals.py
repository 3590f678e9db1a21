"""Mode propose: a person is asked, with evidence and the command; and what ends the question."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.world import World, never


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[World]:
    """Blue is active, green is stable, and in steady state a person is asked."""
    modes = {"bake": "auto", "steady": "propose"}
    with World(tmp_path, pool={"stable": "green", "mode": modes}) as world:
        world.settled().wait_pool(ready_gate="mode")
        yield world


def proposals(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(world.cli("proposals", "--json"))["proposals"]
    return found


def opened(world: World) -> dict[str, Any]:
    """Blue fails; the event that asks."""
    world.app("blue").answer(status=503, body="no connections left")
    return world.daemon.wait_event("proposal_opened")


def test_it_is_opened_with_id_evidence_and_command_and_approving_it_switches(asking: World) -> None:
    event = opened(asking)
    assert (event["from"], event["to"], event["gates"]) == ("blue", "green", ["mode"])
    assert event["command"] == f"healthguard approve app --id {event['id']}"
    assert event["evidence"][0]["reason"] == "status"
    assert "no connections left" in event["evidence"][0]["answer"]
    assert [each["id"] for each in proposals(asking)] == [event["id"]]
    for verb in (["status"], ["why", "app"], ["proposals"]):
        assert event["command"] in asking.cli(*verb)
    asking.wait_hold("mode")
    never(lambda: asking.daemon.events("switch_started"), during=1.0)
    assert len(asking.daemon.events("proposal_opened")) == 1

    words = event["command"].split()[1:]
    asking.cli(*words, "--reason", "seen the graphs")
    asking.wait_served("green")
    done = asking.daemon.wait_event("switch_completed")
    assert (done["trigger"], done["reason"]) == ("manual", "seen the graphs")
    assert done["actor"]["uid"] is not None
    assert asking.daemon.wait_event("proposal_closed")["proposal"] == event["id"]
    assert proposals(asking) == []
    assert "no_proposal" in asking.cli("approve", "app", code=1)


def test_a_recovery_closes_it_and_approving_is_refused_then(asking: World) -> None:
    event = opened(asking)
    asking.app("blue").answer()
    closed = asking.daemon.wait_event("proposal_closed")
    assert closed["reason"] == "blue has recovered"
    said = asking.cli("approve", "app", "--id", event["id"], code=1)
    assert "no_proposal" in said
    assert "healthguard proposals" in said
    assert not asking.daemon.events("switch_started")
    assert asking.nginx.linked() == "blue"


def test_approving_is_judged_again_at_that_moment(asking: World) -> None:
    event = opened(asking)
    asking.app("green").answer(status=500)
    asking.wait_health(green="down")
    said = asking.cli("approve", "app", "--id", event["id"], code=1)
    assert "standby_not_up" in said
    assert asking.nginx.linked() == "blue"
    asking.app("green").answer()
    asking.wait_health(green="up")
    eventually(lambda: not asking.gate("standby_not_up")["closed"])
    asking.cli("approve", "app", "--id", event["id"])
    asking.wait_served("green")


def test_a_rejected_one_is_not_opened_again_before_a_recovery(asking: World) -> None:
    first = opened(asking)
    asking.cli("reject", "app", "--reason", "repairing it in place")
    closed = asking.daemon.wait_event("proposal_closed")
    assert closed["proposal"] == first["id"]
    assert "repairing it in place" in closed["reason"]
    never(lambda: proposals(asking), during=1.0)
    asking.app("blue").answer()
    asking.wait_health(blue="up")
    asking.app("blue").kill()
    eventually(lambda: len(asking.daemon.events("proposal_opened")) == 2, within=10)


def test_an_open_one_survives_a_restart(asking: World) -> None:
    event = opened(asking)
    asking.daemon.kill9()
    asking.daemon.start()
    asking.wait_health(blue="down", green="up")
    assert [each["id"] for each in proposals(asking)] == [event["id"]]
    eventually(lambda: not asking.gate("standby_not_up")["closed"])
    eventually(lambda: not asking.gate("starting")["closed"])
    asking.cli("approve", "app", "--id", event["id"])
    asking.wait_served("green")
    assert len(asking.daemon.events("proposal_opened")) == 1


def test_a_bake_acts_by_itself_where_only_the_steady_state_asks(asking: World) -> None:
    asking.release("green")
    asking.app("green").answer(status=503)
    asking.wait_served("blue")
    assert not asking.daemon.events("proposal_opened")
