"""What the person on call reads."""

import re
from pathlib import Path
from typing import Any

import pytest

from healthguard.core.happenings import HAPPENINGS
from healthguard.views.events import EVENTS, colour, sentence
from healthguard.views.model import PauseView
from healthguard.views.status import status_line

from .views import upstream, view, views

DOCS = Path(__file__).parents[2] / "docs" / "events.md"
MARIA = {"user": "maria", "uid": 1000, "pid": 7}
FROM_TO = {"from": "blue", "to": "green"}
LATER = 1_700_000_000_000 + 12 * 60_000


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        (
            "switch_completed",
            {**FROM_TO, "trigger": "manual", "actor": MARIA, "reason": "deploy of 4.2"},
            "green is active (was blue): switched by hand by maria (uid 1000): deploy of 4.2",
        ),
        (
            "switch_completed",
            {"from": None, "to": "green", "trigger": "external", "recovered": True},
            "green is active (was not known): somebody else moved the link and nginx followed "
            "[found out after a restart]",
        ),
        (
            "switch_undone",
            {**FROM_TO, "confirm": "refuted", "durable": False},
            "the switch to green was undone, blue is active: the new workers were refuted "
            "[this record is not on the disk]",
        ),
        (
            "switch_lost",
            {**FROM_TO, "message": "nginx has no workers"},
            "IT IS NOT KNOWN WHAT IS ACTIVE: neither green nor blue could be confirmed: "
            "nginx has no workers; a person must look",
        ),
        (
            "hold_entered",
            {"gate": "cooldown", "reason": "41.0 s are left", "wanted": True, "active": "blue"},
            "holds although blue is down, cooldown: 41.0 s are left",
        ),
        (
            "paused",
            {"for_ms": 3_600_000, "actor": MARIA, "reason": "migration"},
            "paused for 1h by maria (uid 1000): migration",
        ),
        ("paused", {"ends_in_ms": 299_000, "reminder": True}, "the pause ends in 4m 59s"),
        ("bake_started", {"upstream": "green", "for_ms": 300_000}, "the bake of green begins (5m)"),
        (
            "order_refused",
            {"verb": "switch", "to": "green", "gate": "standby_not_up", "actor": MARIA},
            "refused by maria (uid 1000): switch to green (standby_not_up)",
        ),
        (
            "hold_entered",
            {"gate": "standby_not_up", "both_down": True, "active": "blue", "target": "green"},
            "BOTH blue AND green ARE DOWN, holds, standby_not_up",
        ),
        (
            "switch_undone",
            {**FROM_TO, "gate": "config_invalid", "message": "line 3: unknown directive"},
            "the switch to green was refused (config_invalid), nothing was moved: "
            "line 3: unknown directive",
        ),
        (
            "switch_lost",
            {**FROM_TO, "confirm": "unclear", "message": "the marker is silent"},
            "IT IS NOT PROVEN WHAT IS ACTIVE: nginx was told to use green (was blue): "
            "the marker is silent; a person must look",
        ),
        (
            "health_changed",
            {**FROM_TO, "upstream": "x", "probe": "web", "reason": "status", "status": 503},
            "x is green (was blue): web status 503",
        ),
        (
            "release_marked",
            {"upstream": "green", "mark": "good", "actor": MARIA},
            "green is vouched for as good by maria (uid 1000)",
        ),
        (
            "link_changed",
            {**FROM_TO, "hand": "uid 0"},
            "somebody else moved the link: blue -> green (uid 0)",
        ),
        (
            "latched",
            {"shadow": True, "reason": "2 in 10m"},
            "would have latched now (mode observe): 2 in 10m",
        ),
        (
            "switch_completed",
            {**FROM_TO, "release_from": "1.5.0", "release_to": "1.4.0", "trigger": "automatic"},
            "green 1.4.0 is active (was blue 1.5.0): switched automatically",
        ),
        (
            "proposal_opened",
            {
                **FROM_TO,
                "release_to": "1.4.0",
                "reason": "down",
                "command": "healthguard approve x",
            },
            "A PERSON IS ASKED to switch blue -> green 1.4.0: down; "
            "approve it: healthguard approve x",
        ),
        (
            "proposal_opened",
            {**FROM_TO, "reminder": 2},
            "A PERSON IS ASKED (reminder 2) to switch blue -> green",
        ),
        (
            "proposal_closed",
            {**FROM_TO, "reason": "blue has recovered"},
            "no longer asked: blue -> green: blue has recovered",
        ),
        (
            "release_marked",
            {"upstream": "green", "release": "1.5.0", "mark": "new", "reason": "first seen"},
            "green runs 1.5.0, never seen there before",
        ),
        (
            "release_marked",
            {"upstream": "green", "release": "1.5.0", "mark": "bad", "reason": "it failed"},
            "green 1.5.0 is known bad, no automatic switch goes there: it failed",
        ),
        (
            "bake_passed",
            {"upstream": "green", "release": "1.5.0", "lasted_ms": 300_000},
            "the bake of green 1.5.0 passed (5m)",
        ),
        (
            "health_changed",
            {"dependency": "database", "from": "up", "to": "down", "reason": "refused"},
            "the dependency database is down (was up): refused",
        ),
        (
            "health_changed",
            {"dependency": "database", "to": "down", "reason": "timeout", "never_up": True},
            "the dependency database is down: timeout; it was never up since the start and "
            "forbids nothing: check its address",
        ),
        ("something_new", {"a": 1}, "something new: a 1"),
    ],
)
def test_a_sentence(event: str, fields: dict[str, Any], expected: str) -> None:
    assert sentence({"event": event, "pool": "threader", **fields}) == f"threader: {expected}"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_no_sentence_needs_any_field(name: str) -> None:
    assert sentence({"event": name, "pool": ""})
    assert sentence({"event": name, "pool": "threader"}).startswith("threader: ")


def test_every_event_is_documented_and_has_a_sentence() -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", DOCS.read_text(), re.M)
    assert set(documented) == set(EVENTS) == set(HAPPENINGS)
    assert len(documented) == len(EVENTS)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "switch_completed"}, "good"),
        ({"event": "latched"}, "bad"),
        ({"event": "paused"}, "warn"),
        ({"event": "resumed"}, ""),
        ({"event": "of a later version"}, ""),
        ({"event": "health_changed", "to": "down"}, "bad"),
        ({"event": "health_changed", "to": "up"}, "good"),
        ({"event": "health_changed", "to": "unknown"}, ""),
        ({"event": "readiness_changed", "ready": False}, "warn"),
        ({"event": "readiness_changed", "ready": True}, ""),
        ({"event": "release_marked", "mark": "bad"}, "bad"),
        ({"event": "release_marked", "mark": "good"}, ""),
    ],
)
def test_colours(event: dict[str, object], expected: str) -> None:
    assert colour(event) == expected


def test_the_status_line() -> None:
    assert status_line([view()], LATER) == (
        "threader: blue active, green up, ready; last switch 12m ago"
    )
    bad = view(
        "shop",
        active="green",
        rollback_ready=False,
        hold="standby_not_up",
        active_since=None,
        upstreams={"blue": upstream("down"), "green": upstream()},
    )
    assert status_line([view(), bad], LATER) == (
        "shop: green active, blue down, NOT ready (standby_not_up)"
        " | threader: blue active, green up, ready; last switch 12m ago"
    )
    assert "active not known" in status_line([view(active=None)], LATER)
    assert "paused" in status_line([view(paused=PauseView("", "", ""))], LATER)
    many = status_line(views(500), LATER, "no space")
    assert many.startswith("500 pools, 0 need a look | EVENT LOG NOT WRITTEN | pool0: ")
    assert many.endswith("and 496 more")
