"""What each event means, and the exact command beside it."""

from typing import Any

import pytest

from healthguard.notify import compose
from healthguard.notify.compose import Begins, Ends
from healthguard.notify.notice import message

EVIDENCE = [
    {
        "probe": "health",
        "at": "2026-03-02T03:00:04.000Z",
        "result": "fail",
        "reason": "status",
        "status": 503,
        "latency_ms": 3.1,
        "detail": "",
        "answer": "BODY of the answer",
    }
]


def changes(name: str, **fields: Any) -> list[compose.Change]:
    return compose.changes({"event": name, "id": "e-1", "pool": "app", **fields}, 1_000)


def begun(name: str, **fields: Any) -> Any:
    return next(each.notice for each in changes(name, **fields) if isinstance(each, Begins))


@pytest.mark.parametrize(
    ("event", "fields", "level", "severity", "command"),
    [
        ("switch_completed", {"from": "blue", "to": "green", "trigger": "automatic"},
         "switch", "warning", "healthguard switch app blue"),
        ("switch_completed", {"from": "blue", "to": "green", "trigger": "manual"},
         "switch", "info", "healthguard switch app blue"),
        ("switch_undone", {"from": "blue", "to": "green"}, "switch", "failure",
         "healthguard switch app green"),
        ("would_switch", {"from": "blue", "to": "green"}, "switch", "warning",
         "healthguard switch app green"),
        ("switch_lost", {"from": "blue", "to": "green"}, "hold", "failure",
         "healthguard why app, then healthguard ack app"),
        ("hold_entered", {"gate": "cooldown", "wanted": True}, "hold", "failure",
         "healthguard why app"),
        ("hold_entered", {"gate": "nginx_down", "wanted": False}, "hold", "warning",
         "healthguard why app"),
        ("proposal_opened", {"proposal": "p-7", "command": "healthguard approve app --id p-7"},
         "hold", "failure", "healthguard approve app --id p-7"),
        ("latched", {"reason": "2 in 10m"}, "latch", "failure", "healthguard ack app"),
        ("readiness_changed", {"ready": False, "gate": "standby_not_up"}, "not_ready", "warning",
         "healthguard why app"),
    ],
)  # fmt: skip
def test_levels_and_commands(
    event: str, fields: dict[str, Any], level: str, severity: str, command: str
) -> None:
    notice = begun(event, **fields)
    assert (notice.level, notice.severity, notice.command) == (level, severity, command)
    assert command in message(notice, "web1").body


@pytest.mark.parametrize(
    ("event", "fields", "topic"),
    [
        ("hold_left", {"gate": "cooldown", "phase": "steady"}, "hold"),
        ("acked", {"what": "latched"}, "latch"),
        ("acked", {"what": "lost"}, "lost"),
        ("readiness_changed", {"ready": True}, "not_ready"),
        ("proposal_closed", {"proposal": "p-7", "reason": "recovered"}, "hold"),
        ("switch_completed", {"from": "blue", "to": "green"}, "failing"),
    ],
)
def test_ends(event: str, fields: dict[str, Any], topic: str) -> None:
    ends = [each for each in changes(event, **fields) if isinstance(each, Ends)]
    assert [each.topic for each in ends] == [topic]


def test_a_message_has_reason_evidence_release_and_host_but_no_answer() -> None:
    notice = begun(
        "switch_completed",
        **{"from": "blue", "to": "green"},
        trigger="automatic",
        reason="blue has been failing for 3 s",
        release_from="1.5.0",
        release_to="1.4.9",
        evidence=EVIDENCE,
    )
    made = message(notice, "web1")
    text = f"{made.title}\n{made.body}\n{made.details}"
    for wanted in (
        "web1: app: traffic now goes to green 1.4.9 (was blue 1.5.0)",
        "Reason: blue has been failing for 3 s",
        "Automatic switch",
        "Evidence: probe health: HTTP 503, after 3.1 ms at 2026-03-02T03:00:04.000Z",
        "To go back: healthguard switch app blue",
        "Release: blue 1.5.0, green 1.4.9",
        "Host: web1",
    ):
        assert wanted in text
    assert "BODY" not in text


def test_most_events_are_nothing_to_tell() -> None:
    for name in ("health_changed", "order_received", "bake_started", "daemon_started", "paused"):
        assert changes(name) == []
    assert compose.changes({"event": "latched", "pool": ""}, 0) == []


def test_a_name_is_quoted_for_the_shell() -> None:
    assert begun("switch_undone", to="a b").command == "healthguard switch app 'a b'"
