"""Every field of every event, whole: what is left out or lost on the way is seen here."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from healthguard.core.health import judge
from healthguard.core.model import Answer, Expect, Instant, LinkFact

from .story import BOOT_MS, FAIL, WALL_MS, Story, policy

ACTOR = {"uid": 1000, "user": "dana", "pid": 4711}
TEN = {"for_ms": 10_000}
FAILED = "blue has been failing for 3s: 6 checks in a row failed: connection refused"
FROM_TO = {"from": "blue", "to": "green"}
RELEASES = {"release_from": "1.4", "release_to": "1.5"}
NO_TARGET = "no upstream is known to be a safe way back. If one is: `healthguard good app UPSTREAM`"
AT_HOME = (
    "green is active and `stable`; no other upstream is known to be safe."
    " If one is: `healthguard good app UPSTREAM`"
)
END = {"confirm": "proven", "message": "it completed", "durable": True}


def steady(**rest: object) -> Story:
    """Blue runs 1.4, green 1.5, both are up."""
    story = Story(policy(**{"stable": "green", "bake": TEN, **rest}))  # type: ignore[arg-type]
    story.runs = {"blue": "1.4", "green": "1.5"}
    return story.steady().live(20_000).forget()


def failing(**rest: object) -> Story:
    return steady(**rest).live(4_000, blue=FAIL)


def by_hand() -> Story:
    return steady().order("switch", "green").live(11_500)


def lost() -> Story:
    story = steady()
    story.auto_end = "lost"
    return story.live(4_000, blue=FAIL)


def back_in_bake() -> Story:
    story = steady(mode_bake="observe").order("switch", "green").live(2_000)
    return story.live(1_000, green=FAIL).forget().live(1_500)


def acked() -> Story:
    limits = {"budget_switches": 1, "cooldown_ms": 1_000}
    story = steady(rollback=limits).live(4_000, blue=FAIL).live(3_000)
    story.order("good", "blue").order("switch", "blue").live(11_000)
    return story.live(6_000, blue=FAIL).order("ack", reason="seen")


def paused() -> Story:
    return steady().order("pause", for_ms=400_000, reason="a visit")


PROPOSAL = {
    **FROM_TO,
    **RELEASES,
    "reason": FAILED,
    "gates": ["mode"],
    "proposal": "app-loyw3v28-9",
    "command": "healthguard approve app --id app-loyw3v28-9",
}
STARTED = {
    **FROM_TO,
    **RELEASES,
    "trigger": "automatic",
    "reason": FAILED,
    "actor": None,
    "detection_ms": 3_000,
    "timings_ms": {"prepare": 9},
}
ENDED = {**STARTED, **END, "timings_ms": {"prepare": 9, "total": 130}, "switch": "app-loyw3v28-9"}
HAND = {"trigger": "manual", "reason": "because", "actor": ACTOR, "detection_ms": None}
HOLD = {
    "gate": "latched",
    "active": "blue",
    "target": "green",
    "wanted": True,
    "both_down": False,
    "failure": FAILED,
}
SPENT = {"rollback": {"budget_switches": 0}}


@pytest.mark.parametrize(
    ("begin", "event", "level", "fields"),
    [
        (failing, "health_changed", "warning",
         {"from": "up", "to": "down", "upstream": "blue", "probe": "health", "reason": "refused",
          "status": None, "detail": ""}),
        (lambda: failing().forget().live(3_000), "health_changed", "info",
         {"from": "down", "to": "up", "upstream": "blue", "probe": "health", "reason": "passed",
          "status": 200, "detail": ""}),
        (failing, "switch_started", "warning", STARTED),
        (failing, "switch_completed", "info", ENDED),
        (failing, "release_marked", "warning",
         {"upstream": "blue", "release": "1.4", "mark": "bad", "reason": FAILED}),
        (failing, "readiness_changed", "warning",
         {"ready": False, "gate": "no_target", "reason": AT_HOME, "target": None}),
        (lambda: by_hand().order("good", "blue"), "readiness_changed", "info",
         {"ready": True, "gate": None, "reason": "a rollback would succeed now",
          "target": "blue"}),
        (lost, "switch_lost", "error",
         {**ENDED, "confirm": "refuted", "message": "it lost"}),
        (by_hand, "order_received", "info",
         {"order": "o1", "verb": "switch", "to": "green", "trigger": "manual",
          "reason": "because", "force": False, "actor": ACTOR}),
        (by_hand, "switch_started", "info", {**STARTED, **HAND}),
        (by_hand, "switch_completed", "info", {**ENDED, **HAND}),
        (by_hand, "bake_started", "info",
         {"upstream": "green", "origin": "blue", "for_ms": 10_000, "release": "1.5"}),
        (by_hand, "bake_passed", "info",
         {"upstream": "green", "origin": "blue", "release": "1.5", "lasted_ms": 10_000}),
        (lambda: steady(mode_bake="observe").order("switch", "green").live(2_000, green=FAIL),
         "bake_failed", "warning", {"upstream": "green", "origin": "blue"}),
        (back_in_bake, "bake_started", "info",
         {"upstream": "green", "origin": "blue", "for_ms": 10_000}),
        (lambda: failing(mode_steady="observe"), "would_switch", "warning",
         {**FROM_TO, **RELEASES, "trigger": "automatic", "reason": FAILED,
          "detection_ms": 3_000}),
        (lambda: failing(**SPENT), "latched", "error",
         {"reason": "0 automatic switches in 10m (limit 0)", "shadow": False}),
        (lambda: failing(mode_steady="observe", **SPENT), "latched", "error",
         {"reason": "0 automatic switches in 10m (limit 0)", "shadow": True}),
        (lambda: failing(**SPENT), "hold_entered", "error",
         {**HOLD, "reason": "no automatic switch until `healthguard ack app`: "
                            "the budget was used up"}),
        (lambda: failing(**SPENT).live(3_000), "hold_left", "info",
         {"gate": "latched", "phase": "steady"}),
        (lambda: steady().after(20_000).woke().look(), "hold_left", "info",
         {"gate": "starting", "phase": "steady"}),
        (acked, "acked", "info", {"what": "latched", "reason": "seen", "actor": ACTOR}),
        (lambda: lost().hand_moves("blue").look().order("ack"), "acked", "info",
         {"what": "lost", "reason": "because", "actor": ACTOR}),
        (lambda: failing(mode_steady="propose"), "proposal_opened", "warning", PROPOSAL),
        (lambda: failing(mode_steady="propose").order("reject"), "proposal_closed", "info",
         {**PROPOSAL, "reason": "rejected by dana: because"}),
        (lambda: steady().hand_moves("green").look(), "link_changed", "warning",
         {**FROM_TO, "hand": "dana", "problem": ""}),
        (lambda: steady().look(link=LinkFact(None, "not a symlink", "x", 1, "sam")),
         "link_changed", "warning",
         {"from": "blue", "to": None, "hand": "sam", "problem": "not a symlink"}),
        (lambda: steady().hand_moves("green").look(), "switch_completed", "warning",
         {**FROM_TO, **RELEASES, "trigger": "external", "hand": "dana", "actor": None,
          "reason": "something else moved the link and nginx followed (inferred)",
          "detection_ms": None, "timings_ms": {}, "durable": True}),
        (paused, "paused", "info",
         {"reason": "a visit", "for_ms": 400_000, "until_wall_ms": WALL_MS + 421_000,
          "actor": ACTOR}),
        (lambda: paused().live(100_000), "paused", "info",
         {"reason": "a visit", "ends_in_ms": 300_000, "reminder": True}),
        (lambda: paused().live(401_000), "resumed", "info",
         {"reason": "the pause ended", "active_down": False}),
        (lambda: paused().live(401_000, blue=FAIL), "resumed", "info",
         {"reason": "the pause ended", "active_down": True}),
        (lambda: paused().order("resume", reason="done"), "resumed", "info",
         {"reason": "done", "actor": ACTOR}),
        (lambda: steady().order("good", "green"), "release_marked", "info",
         {"upstream": "green", "release": "1.5", "mark": "good", "reason": "because",
          "actor": ACTOR}),
        (lambda: failing().order("clear", "blue"), "release_marked", "info",
         {"upstream": "blue", "release": "1.4", "mark": "cleared", "reason": "because"}),
        (lambda: steady(stable=None).order("rollback"), "order_refused", "warning",
         {"order": "o1", "verb": "rollback", "to": None, "actor": ACTOR, "gate": "no_target",
          "reason": NO_TARGET}),
        (lambda: steady().look(disabled="hands off").order("switch", "green"),
         "order_refused", "warning",
         {"verb": "switch", "to": "green", "actor": ACTOR, "gate": "disabled",
          "reason": "switching is off: /etc/healthguard/DISABLE exists (hands off)"}),
    ],
)  # fmt: skip
def test_an_event_is_whole(
    begin: Callable[[], Story], event: str, level: str, fields: Mapping[str, object]
) -> None:
    story = begin()
    said = next(each for each in reversed(story.records) if each.event == event)
    found = {name: value for name, value in said.fields.items() if name != "evidence"}
    assert (found, said.level, said.pool) == (fields, level, "app")


def test_evidence_is_every_result_since_the_trouble_began() -> None:
    story = steady()
    story.answer("blue", Answer(12_345, 200)).after(500)
    for n in range(7):
        excerpt = "" if n else "database gone"
        story.answer("blue", Answer(2_000, 503, excerpt=excerpt)).after(500)
    rows = story.record("switch_started")["evidence"]
    assert isinstance(rows, list)
    row = {"probe": "health", "result": "fail", "reason": "status", "status": 503}
    more = {"latency_ms": 2.0, "detail": "expected 200-299"}
    times = [f"2023-11-14T22:13:{41 + n / 2:06.3f}Z" for n in range(1, 8)]
    expected = [{**row, **more, "at": at} for at in times]
    expected[0]["answer"] = "database gone"
    assert rows == expected


@pytest.mark.parametrize(
    ("begin", "code", "error", "message", "data"),
    [
        (lambda: steady().order("switch", "green"), 0, "", "it completed",
         {**FROM_TO, "id": "app-loyw3v28-9", "confirm": "proven", "timings_ms": {"total": 130},
          "warnings": []}),
        (lambda: steady().order("switch", "blue"), 0, "", "blue is already active (confirmed)",
         {"from": "blue", "to": "blue", "changed": False}),
        (lambda: steady().order("switch", "red"), 2, "unknown_upstream",
         "pool app has no upstream 'red' (known: blue, green)", {}),
        (lambda: steady().order("dance"), 2, "usage", "unknown order 'dance'", {}),
        (lambda: steady().order("switch"), 2, "usage", "switch needs an upstream", {}),
        (lambda: steady().order("good"), 2, "usage", "good needs an upstream", {}),
        (lambda: steady().order("good", "green"), 0, "",
         "OK: green (1.5) is now a rollback target", {}),
        (lambda: steady().order("pause", for_ms=5, reason=" "), 2, "usage",
         "a pause needs a length and a reason", {}),
        (paused, 0, "", "paused: a visit", {"for_ms": 400_000}),
        (lambda: paused().order("pause", for_ms=5, trigger="signal"), 0, "",
         "already paused for longer", {}),
        (lambda: paused().order("resume"), 0, "", "resumed", {}),
        (lambda: steady().order("resume"), 0, "", "not paused", {}),
        (lambda: steady().order("ack"), 0, "", "nothing to acknowledge", {}),
        (acked, 0, "", "acknowledged", {}),
        (lambda: failing().order("clear"), 0, "", "cleared: blue", {"cleared": ["blue"]}),
        (lambda: failing().order("clear", "green"), 0, "",
         "nothing was marked as known bad", {"cleared": []}),
        (lambda: steady().order("approve"), 1, "no_proposal", "no proposal is open", {}),
        (lambda: steady().order("reject"), 1, "no_proposal", "no proposal is open", {}),
        (lambda: failing(mode_steady="propose").order("approve", proposal="app-1"),
         1, "no_proposal",
         f"proposal app-1 is no longer open; the current one: {PROPOSAL['command']}", {}),
        (lambda: failing(mode_steady="propose").order("reject"), 0, "",
         "rejected: app stays on blue", {}),
        (lambda: lost().order("ack"), 1, "lost",
         "cannot acknowledge yet: the link points to green, but nginx has not been reloaded"
         " since it was moved", {}),
    ],
)  # fmt: skip
def test_an_order_is_answered_with_all_there_is_to_say(
    begin: Callable[[], Story], code: int, error: str, message: str, data: Mapping[str, object]
) -> None:
    story = begin()
    said = story.replies[f"o{story.orders}"]
    assert (said.code, said.error, said.message, said.data) == (code, error, message, data)


def test_while_a_switch_is_under_way_other_orders_are_told_which() -> None:
    story = Story(policy("blue", "green", "red", stable="green")).steady().live(20_000)
    story.auto_end = None
    story.order("switch", "green").order("switch", "red")
    assert story.replies["o2"].message == "a switch to green is in progress"
    story = steady()
    story.auto_end = None
    story.live(4_000, blue=FAIL).restart().look().order("switch", "green")
    assert story.replies["o1"].message == "how an earlier switch ended is not known yet"


def test_a_dry_run_says_every_gate_and_touches_nothing() -> None:
    story = steady()
    before = story.memory
    story.order("switch", "green", dry_run=True)
    said = story.replies["o1"]
    assert (said.code, said.error) == (0, "")
    assert said.message == "would switch to green; the prepare passed"
    rest = {name: value for name, value in said.data.items() if name != "gates"}
    assert rest == {**FROM_TO, "dry_run": True, "prepare_ms": 9}
    gates = said.data["gates"]
    assert isinstance(gates, list)
    row = {"closed": False, "pending": False}
    free, blue = "switching is allowed: there is no DISABLE file", "the link points to blue"
    assert gates[:2] == [
        {**row, "gate": "disabled", "evidence": free, "never_forced": False},
        {**row, "gate": "link_unmanaged", "evidence": blue, "never_forced": True},
    ]
    assert [row["gate"] for row in gates] == list(story.gates())
    assert story.memory == before
    story.never("AskTurn", "order")
    story.order("switch", "blue", dry_run=True)
    assert story.replies["o2"].message == "blue is already active: nothing would be done"
    assert [story.replies["o2"].data[name] for name in ("from", "to")] == ["blue", "blue"]
    story.look(disabled="").order("switch", "green", dry_run=True)
    assert (story.replies["o3"].code, story.replies["o3"].error) == (1, "disabled")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Answer(7, 503, detail="x", excerpt="sorry"), "expected 200-299"),
        (Answer(7, 200, failure="body", detail="no match", excerpt="sorry"), "no match"),
        (Answer(7, 200, inconclusive="loop_late", detail="9 s", excerpt="sorry"), "9 s"),
        (Answer(7, 200, verdicts=(("json", False),), detail="no key", excerpt="sorry"), "no key"),
        (Answer(7, 200, excerpt="sorry"), ""),
    ],
)
def test_a_result_keeps_what_was_answered(answer: Answer, detail: str) -> None:
    result = judge(answer, Expect(), Instant(3, 4))
    kept = (result.at, result.latency_us, result.status, result.detail, result.excerpt)
    assert kept == (Instant(3, 4), 7, answer.status, detail, "sorry")


def test_too_slow_says_by_how_much_and_a_wrong_status_what_was_expected() -> None:
    slow = judge(Answer(901_999, 200), Expect(max_latency_us=800_000), Instant(3, 4))
    assert slow.detail == "901 ms, at most 800 ms allowed"
    wrong = judge(Answer(1, 500), Expect(status=((200, 299), (401, 401))), Instant(3, 4))
    assert wrong.detail == "expected 200-299, 401"


def test_what_was_settled_after_a_break_says_so() -> None:
    story = steady()
    story.auto_end = None
    story.order("switch", "green").after(100).finished("").forget().after(100)
    story.hand_moves("green").look()
    said = story.record("switch_completed")
    assert said["recovered"] is True
    assert said["message"] == "found out after the switch was interrupted"
    assert said["timings_ms"] == {"prepare": 9}
    assert story.replies["o1"].data["confirm"] == "proven"


def test_what_nobody_could_settle_after_a_break_says_so() -> None:
    story = steady()
    story.auto_end = None
    story.order("switch", "green").after(100).finished("").hand_moves("green", reload=False)
    said = story.live(62_000).record("switch_lost")
    assert (said["recovered"], said["confirm"]) == (True, "unclear")
    assert str(said["message"]).startswith("the switch was interrupted, and what nginx uses is")


def test_the_health_of_a_dependency_is_told_whole() -> None:
    story = Story(policy(dependencies={"db": Expect()}))
    story.needs = {"db": "pass"}
    story.steady()
    expected = {"dependency": "db", "detail": "", "never_up": False}
    for how, told in (
        (FAIL, {"from": "up", "to": "down", "reason": "refused"}),
        ("pass", {"from": "down", "to": "up", "reason": "passed"}),
    ):
        story.needs = {"db": how}
        assert story.live(3_000).record("health_changed") == {**expected, **told}


def test_a_reload_keeps_times_tests_and_releases() -> None:
    story = steady()
    tests, since = story.state.seen.prepares, story.state.upstreams["blue"].since_ms
    assert since < BOOT_MS + story.now
    story.configure(replace(story.policy, stable="blue"))
    assert story.state.seen.prepares == tests
    assert story.state.upstreams["blue"].since_ms == since
    assert story.state.upstreams["blue"].release == "1.4"
    story.never("Prepare")
    story.configure(policy("blue", stable="blue"))
    assert "green" not in story.state.seen.prepares
    assert "green" not in story.state.upstreams
