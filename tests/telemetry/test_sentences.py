"""What the person on call reads."""

import re
from pathlib import Path
from typing import Any

import pytest

from healthguard.core.happenings import HAPPENINGS
from healthguard.views.events import EVENTS, colour, headline, sentence
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
            "traffic now goes to green (was blue). Manual switch by maria (uid 1000): "
            "deploy of 4.2",
        ),
        (
            "switch_completed",
            {"from": None, "to": "green", "trigger": "external", "recovered": True},
            "traffic now goes to green (was not known). Something else moved the link and nginx "
            "followed [found out after a restart]",
        ),
        (
            "switch_undone",
            {**FROM_TO, "confirm": "refuted", "durable": False},
            "the switch to green was undone, traffic goes to blue: nginx did not confirm it "
            "(refuted) [not written to disk]",
        ),
        (
            "switch_lost",
            {**FROM_TO, "message": "nginx has no workers"},
            "nobody knows whether nginx uses green or blue: nginx has no workers. "
            "A person must look: `healthguard why threader`",
        ),
        (
            "hold_entered",
            {"gate": "cooldown", "reason": "41.0 s are left", "wanted": True, "active": "blue"},
            "blue is down and I cannot fail over: 41.0 s are left (cooldown)",
        ),
        (
            "paused",
            {"for_ms": 3_600_000, "actor": MARIA, "reason": "migration"},
            "automatic switching was paused for 1h by maria (uid 1000): migration",
        ),
        ("paused", {"ends_in_ms": 299_000, "reminder": True}, "the pause ends in 4m 59s"),
        ("bake_started", {"upstream": "green", "for_ms": 300_000}, "the bake of green began (5m)"),
        (
            "order_refused",
            {"verb": "switch", "to": "green", "gate": "standby_not_up", "actor": MARIA},
            "order by maria (uid 1000) refused: switch to green (standby_not_up)",
        ),
        (
            "hold_entered",
            {"gate": "standby_not_up", "both_down": True, "active": "blue", "target": "green"},
            "blue is down and I cannot fail over: green is down too (standby_not_up)",
        ),
        (
            "switch_undone",
            {**FROM_TO, "gate": "config_invalid", "message": "line 3: unknown directive"},
            "the switch to green was refused, nothing was changed: line 3: unknown directive "
            "(config_invalid)",
        ),
        (
            "switch_lost",
            {**FROM_TO, "confirm": "unclear", "message": "the marker is silent"},
            "cannot confirm that nginx uses green (was blue): the marker is silent. "
            "A person must look: `healthguard why threader`",
        ),
        (
            "health_changed",
            {**FROM_TO, "upstream": "x", "probe": "web", "reason": "status", "status": 503},
            "x is green (was blue): probe web: HTTP 503",
        ),
        (
            "release_marked",
            {"upstream": "green", "mark": "good", "actor": MARIA},
            "green was marked as good by maria (uid 1000)",
        ),
        (
            "link_changed",
            {**FROM_TO, "hand": "uid 0"},
            "something else moved the link: blue -> green (uid 0)",
        ),
        (
            "latched",
            {"shadow": True, "reason": "2 in 10m"},
            "would have latched now after 2 in 10m, but the mode is observe",
        ),
        (
            "switch_completed",
            {**FROM_TO, "release_from": "1.5.0", "release_to": "1.4.0", "trigger": "automatic"},
            "traffic now goes to green 1.4.0 (was blue 1.5.0). Automatic switch",
        ),
        (
            "proposal_opened",
            {
                **FROM_TO,
                "release_to": "1.4.0",
                "reason": "down",
                "command": "healthguard approve x",
            },
            "approval needed: switch blue -> green 1.4.0: down. "
            "To approve: `healthguard approve x`",
        ),
        (
            "proposal_opened",
            {**FROM_TO, "reminder": 2},
            "approval still needed (reminder 2): switch blue -> green",
        ),
        (
            "proposal_closed",
            {**FROM_TO, "reason": "blue has recovered"},
            "approval no longer needed to switch blue -> green: blue has recovered",
        ),
        (
            "release_marked",
            {"upstream": "green", "release": "1.5.0", "mark": "new", "reason": "first seen"},
            "green runs 1.5.0 for the first time",
        ),
        (
            "release_marked",
            {"upstream": "green", "release": "1.5.0", "mark": "bad", "reason": "it failed"},
            "green 1.5.0 is known bad, no automatic switch will use it: it failed",
        ),
        (
            "bake_passed",
            {"upstream": "green", "release": "1.5.0", "lasted_ms": 300_000},
            "the bake of green 1.5.0 passed (5m)",
        ),
        (
            "health_changed",
            {"dependency": "database", "from": "up", "to": "down", "reason": "refused"},
            "dependency database is down (was up): connection refused",
        ),
        (
            "health_changed",
            {"dependency": "database", "to": "down", "reason": "timeout", "never_up": True},
            "dependency database is down: no answer in time; it has not been up since the start "
            "and blocks nothing: check its address",
        ),
        (
            "switch_completed",
            {
                **FROM_TO,
                "trigger": "automatic",
                "reason": "blue has been failing for 3s",
                "detection_ms": 3_012,
                "timings_ms": {"total": 131},
            },
            "traffic now goes to green (was blue). Automatic switch, decided 3s after the first "
            "failed check, confirmed by nginx in 131ms: blue has been failing for 3s",
        ),
        (
            "switch_completed",
            {**FROM_TO, "trigger": "manual", "confirm": "unclear", "timings_ms": {"total": 900}},
            "traffic should now go to green (was blue), nginx did not confirm. "
            "Manual switch, ended unconfirmed in 900ms",
        ),
        (
            "hold_entered",
            {
                "gate": "standby_not_up",
                "both_down": True,
                "active": "blue",
                "target": "green",
                "reason": "green is down: connection refused",
            },
            "blue is down and I cannot fail over: green is down too: connection refused "
            "(standby_not_up)",
        ),
        (
            "hold_entered",
            {"gate": "nginx_down", "reason": "nginx is not running"},
            "on hold: nginx is not running (nginx_down)",
        ),
        ("hold_left", {"gate": "starting", "phase": "steady"}, "no longer on hold (was: starting)"),
        (
            "order_received",
            {"verb": "good", "to": "blue", "actor": {"user": "deploy", "uid": 1000}},
            "deploy (uid 1000) ordered: mark blue as good",
        ),
        (
            "latched",
            {"reason": "13 automatic switches in 24h (limit 2)"},
            "latched: no automatic switch after 13 automatic switches in 24h (limit 2). "
            "To re-enable: `healthguard ack threader`",
        ),
        (
            "readiness_changed",
            {"ready": False, "gate": "known_bad", "reason": "green failed"},
            "rollback unavailable: green failed (known_bad)",
        ),
        (
            "notification_failed",
            {"notifier": "pager", "count": 3, "reason": "timed out"},
            "notifier pager could not deliver 3 messages and gave up: timed out. "
            "To test it: `healthguard notify test pager`",
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


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        (
            "switch_completed",
            {**FROM_TO, "trigger": "automatic", "detection_ms": 1, "reason": "it failed"},
            "traffic now goes to green (was blue)",
        ),
        (
            "hold_entered",
            {"wanted": True, "active": "blue", "gate": "cooldown", "reason": "41 s left"},
            "blue is down and I cannot fail over (cooldown)",
        ),
        ("latched", {"reason": "2 in 10m"}, "latched: no automatic switch"),
        (
            "switch_lost",
            {**FROM_TO, "message": "x"},
            "nobody knows whether nginx uses green or blue",
        ),
    ],
)
def test_a_headline_leaves_out_what_the_body_of_a_message_has(
    event: str, fields: dict[str, Any], expected: str
) -> None:
    assert headline({"event": event, "pool": "threader", **fields}) == f"threader: {expected}"


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
        "threader: blue active, green up, rollback available; last switch 12m ago"
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
        "shop: green active, blue down, rollback unavailable (standby_not_up)"
        " | threader: blue active, green up, rollback available; last switch 12m ago"
    )
    assert "active upstream unknown" in status_line([view(active=None)], LATER)
    assert "paused" in status_line([view(paused=PauseView("", "", ""))], LATER)
    many = status_line(views(500), LATER, "no space")
    assert many.startswith("500 pools, 0 need attention | event log cannot be written | pool0: ")
    assert many.endswith("and 496 more")
