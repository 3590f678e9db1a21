"""A release turns out bad in its bake: the guard goes back to where it came from, by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.apps import App
from tests.support.eventually import eventually
from tests.support.world import World

# A probe may be under way at the moment of the kill: its connection is reset.
BREAK: dict[str, tuple[Callable[[App], None], set[str]]] = {
    "it answers 503": (lambda app: app.answer(status=503), {"status"}),
    "it is killed": (App.kill, {"refused", "reset"}),
    "it hangs": (App.hang, {"timeout"}),
    "it refuses": (App.refuse, {"refused"}),
}


@pytest.mark.parametrize("how", BREAK)
def test_a_bad_release_is_rolled_back(world: World, how: str) -> None:
    broken, reasons = BREAK[how]
    world.release("green")
    broken(world.app("green"))
    world.wait_served("blue")

    done = world.daemon.wait_event("switch_completed", trigger="automatic")
    assert (done["from"], done["to"], done["pool"]) == ("green", "blue", "app")
    assert "green has been failing" in done["reason"]
    assert done["detection_ms"] >= 300  # min_down
    assert done["durable"] is True
    assert done["actor"] is None
    assert set(done["timings_ms"]) >= {"prepare", "swap", "reload", "confirm", "total"}
    assert {row["reason"] for row in done["evidence"]} <= reasons
    assert done["evidence"][-1]["reason"] != "reset"
    started = world.daemon.wait_event("switch_started", trigger="automatic")
    assert (started["id"], started["from"], started["to"]) == (done["switch"], "green", "blue")
    world.daemon.wait_event("release_marked", mark="bad")
    names = [e["event"] for e in world.daemon.events() if e.get("pool") == "app"]
    for earlier, later in (
        ("bake_started", "bake_failed"),
        ("bake_failed", "switch_completed"),
        ("switch_completed", "release_marked"),
    ):
        assert names.index(earlier) < len(names) - 1 - names[::-1].index(later), names
    view = world.pool()
    assert (view["active"], view["active_how"]) == ("blue", "marker")
    assert view["bake"] is None
    assert view["upstreams"]["green"]["known_bad"]["reason"] == done["reason"]


def test_the_failing_answer_is_in_the_record(world: World) -> None:
    world.release("green")
    world.app("green").answer(status=500, body="Traceback: no such table" + "x" * 4000)
    done = world.daemon.wait_event("switch_completed", trigger="automatic")
    row = done["evidence"][0]
    assert (row["reason"], row["status"]) == ("status", 500)
    told = next(text for text in row.values() if "no such table" in str(text))
    assert len(told) <= 1024


def test_a_wrong_colour_by_header_is_a_bad_release(tmp_path: Path) -> None:
    """Somebody deployed blue's build where green should run: the answer is 200, and wrong."""
    with World(tmp_path) as world:
        for color in ("blue", "green"):
            upstream = world.config["pools"]["app"]["upstreams"][color]
            upstream["probes"][0]["expect"] = {"header": {"X-Color": color}}
        world.reconfigure({})
        world.cli("reload")
        world.settled()
        world.release("green")
        world.app("green").answer(color="blue")
        eventually(lambda: world.nginx.linked() == "blue", what="rolled back")
        done = world.daemon.wait_event("switch_completed", trigger="automatic")
        assert {row["reason"] for row in done["evidence"]} == {"header"}


def test_without_a_marker_workers_are_judged_by_their_generation(tmp_path: Path) -> None:
    with World(tmp_path, marker=False) as world:
        world.settled().release("green")
        world.app("green").answer(status=503)
        world.wait_served("blue")
        assert world.daemon.wait_event("switch_completed", trigger="automatic")["confirm"] == (
            "proven"
        )


def test_a_release_that_holds_passes_its_bake_and_becomes_a_place_to_go_back_to(
    tmp_path: Path,
) -> None:
    with World(tmp_path, pool={"bake": {"for": "1s"}}) as world:
        world.settled().release("green")
        world.daemon.wait_event("bake_passed", upstream="green")
        world.wait_pool(phase="steady")
        assert world.pool()["upstreams"]["green"]["good"] is True
        world.cli("switch", "app", "blue")
        world.daemon.wait_event("bake_passed", upstream="blue")
        world.wait_pool(target="green", rollback_ready=True)
        world.app("blue").answer(status=503)
        world.wait_served("green")
