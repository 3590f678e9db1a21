"""What the page says of pools in each state, and that nothing on it is markup of others."""

from typing import Any

import pytest

from healthguard.views.documents import (
    ReleasesView,
    ReleaseView,
    ResultsView,
    SwitcherView,
    UpstreamReleasesView,
    WhyView,
)
from healthguard.views.model import BakeView, KnownBadView, NginxView, PauseView, ProbeView
from healthguard.web import pool as cards
from healthguard.web import top
from healthguard.web.events import listed
from healthguard.web.judging import level, sentence, way_back
from healthguard.web.snapshot import CARDS, Snapshots
from healthguard.web.tree import html
from tests.support.views import AT, about, last, pool, proposal, result, upstream

from .test_tree import EVIL
from .views import FakeGuard

DOWN: dict[str, Any] = {"blue": upstream("down", "active"), "green": upstream()}
BOTH: dict[str, Any] = {"blue": upstream("down", "active"), "green": upstream("down")}
BY_HAND: dict[str, Any] = {
    "rollback_ready": False,
    "ready_gate": "mode",
    "ready_message": "mode is propose",
    "mode": "propose",
}
NOT_READY: dict[str, Any] = {
    "rollback_ready": False,
    "ready_gate": "no_target",
    "ready_message": "nothing is vouched for",
}


@pytest.mark.parametrize(
    ("view", "grade", "said"),
    [
        (pool(), "good", "blue is active and up."),
        (pool(phase="baking"), "warn", "blue is active and up, in its bake."),
        (pool(**NOT_READY), "warn", "blue is active and up."),
        (pool(**NOT_READY, standby="stopped"), "good", "blue is active and up."),
        (pool(**BY_HAND), "good", "blue is active and up."),
        (
            pool(**BY_HAND, phase="holding", hold="mode", upstreams=DOWN, proposal=proposal()),
            "bad",
            "blue is active and DOWN: approval needed to switch to green.",
        ),
        (pool(phase="starting", upstreams=DOWN), "warn", "waiting for fresh health checks"),
        (pool(phase="switching"), "warn", "A switch is in progress."),
        (pool(upstreams=DOWN), "bad", "down, a failover is near"),
        (
            pool(upstreams=DOWN, phase="holding", hold="cooldown"),
            "bad",
            "blue is DOWN and I cannot fail over (cooldown).",
        ),
        (
            pool(upstreams=BOTH, phase="holding", hold="standby_not_up"),
            "bad",
            "blue is DOWN and I cannot fail over: green is down too (standby_not_up).",
        ),
        (
            pool(phase="holding", hold="nginx_down"),
            "bad",
            "On hold: no automatic switch (nginx_down).",
        ),
        (
            pool(phase="lost", lost="undo failed"),
            "bad",
            "Nobody knows which upstream nginx uses: undo failed. A person must look.",
        ),
        (pool(latched=True), "bad", "blue is active and up."),
        (pool(active=None), "bad", "unknown which"),
        (pool(paused=PauseView(AT, "x", "m")), "warn", "blue is active and up."),
    ],
)
def test_a_pool_in_one_sentence(view: WhyView, grade: str, said: str) -> None:
    assert level(view) == grade
    assert said in sentence(view)


def test_way_back() -> None:
    assert way_back(pool()) == ("good", "available", "a rollback to green would succeed now")
    assert way_back(pool(**NOT_READY)) == (
        "bad",
        "unavailable",
        "nothing is vouched for (no_target)",
    )
    assert way_back(pool(**BY_HAND))[:2] == ("plain", "by hand")
    assert way_back(pool(**NOT_READY, standby="stopped"))[:2] == ("plain", "none")


def test_a_hold_shows_its_gate_its_evidence_and_what_to_type() -> None:
    made = html(
        cards.card(
            pool(
                upstreams=DOWN,
                phase="holding",
                hold="latched",
                hold_evidence="2 of 2 automatic switches are spent",
                failure="blue has been failing for 9 s",
                remedies={"latched": "`healthguard ack threader`"},
            ),
            None,
        )
    )
    assert "2 of 2 automatic switches are spent (latched)" in made
    assert "blue has been failing for 9 s" in made
    assert "<code>healthguard ack threader</code>" in made
    assert "healthguard switch threader green --reason TEXT" in made


def test_no_order_is_advised_that_would_be_refused() -> None:
    made = html(cards.card(pool(upstreams=BOTH, phase="holding", hold="standby_not_up"), None))
    assert "To switch by hand: " not in made
    assert "To switch by hand: " in html(
        cards.card(pool(upstreams=DOWN, phase="holding", hold="mode"), None)
    )


def test_bake_pause_proposal_and_known_bad() -> None:
    bad = upstream("down", known_bad=KnownBadView("it failed", AT), release="1.5")
    made = html(
        cards.card(
            pool(
                upstreams={"blue": upstream(role="active"), "green": bad},
                bake=BakeView("blue", "green", AT, remaining_ms=1, failed=False, forced=True),
                paused=PauseView(AT, "maintenance", "maria"),
                cooldown_until=AT,
                proposal=proposal(id="7", command="healthguard approve threader --id 7"),
            ),
            None,
        )
    )
    for each in (
        "blue (was green): ",
        'data-show="left"',
        "until 01 Mar 03:00:00 UTC",
        ", by maria: maintenance",
        "Proposal 7: switch blue → green",
        '<code class="command">healthguard approve threader --id 7</code>',
        "known bad",
        "it failed (",
        "release <b>1.5</b>",
        "forced: a rollback needs approval",
    ):
        assert each in made


def test_the_strip_is_told_in_words_too() -> None:
    some = (result(), result("fail", "timeout"), result("inconclusive", "loop"))
    results = ResultsView({"blue": {"health": some}, "green": {}}, {})
    made = html(cards.card(pool(results=results), None))
    said = "last 3 results, oldest first: pass, fail timeout, inconclusive loop"
    assert f'role="img" aria-label="{said}"' in made
    assert '<i class="f" title="fail timeout, 1.5ms, 03:00:00 UTC">✕</i>' in made


def test_nothing_of_others_is_markup() -> None:
    evil = upstream(
        "down",
        release=EVIL,
        known_bad=KnownBadView(EVIL, EVIL),
        probes={EVIL: ProbeView("down", 0, 9, last("fail", EVIL, status=500, detail=EVIL))},
    )  # fmt: skip
    view = pool(
        EVIL, upstreams={EVIL: evil}, phase="holding", hold=EVIL, hold_evidence=EVIL, active=EVIL,
        failure=EVIL, remedies={EVIL: EVIL}, by_hand=(EVIL,), lost=EVIL, mode=EVIL, **NOT_READY,
        paused=PauseView(EVIL, EVIL, EVIL), forced=EVIL, active_problem=EVIL,
    )  # fmt: skip
    known = UpstreamReleasesView(EVIL, (ReleaseView(EVIL, EVIL, EVIL, EVIL),))
    ledger = ReleasesView(EVIL, True, {EVIL: known})
    switcher = SwitcherView(None, None, config_differs=True, message=EVIL)
    whose = about(host=EVIL, version=EVIL, disabled=EVIL, switcher=switcher)
    nginx = NginxView(EVIL, EVIL, config_valid=False, shutting_down=1)
    events = [{"ts": EVIL, "event": EVIL, "pool": EVIL, EVIL: EVIL}, {"event": "paused", "by": EVIL,
              "reason": EVIL}]  # fmt: skip
    told = top.notes(whose, nginx, [EVIL])
    for part in (
        cards.card(view, ledger),
        cards.row(view),
        top.banner([view], told),
        top.head(whose),
        top.foot(whose, nginx),
        listed(events),
    ):
        made = html(part)
        assert "<script" not in made
        assert "<img" not in made
        assert "onerror" not in made.replace("onerror=alert(1)&gt;", "")


def test_the_banner_leads_to_what_needs_a_person() -> None:
    broken = pool("pay", upstreams=DOWN, phase="holding", hold="cooldown")
    made = html(top.banner([pool(), broken], []))
    assert "✕ 1 of 2 pools needs attention now" in made
    assert '<a href="#pool-pay">pay</a>: blue is DOWN' in made
    assert "✓ All 2 pools are healthy" in html(top.banner([pool(), pool("b")], []))
    guard = FakeGuard()
    guard.disabled, guard.reload_ok = "", False
    guard.switcher = SwitcherView(None, None, True, "the switcher works with another one")
    nginx = NginxView("down", "no master", config_valid=False, shutting_down=0)
    told = top.notes(guard.about(), nginx, ["disk full", "notifier ops fails"])
    made = html(top.banner([pool()], told))
    assert "This host needs attention now" in made
    for each in (
        "/etc/healthguard/DISABLE exists (no reason given)",
        "nginx is down: no master",
        "rejects its current configuration",
        "rejected",
        "switcher works with another",
        "disk full",
        "ops fails",
    ):
        assert each in made
    assert top.title(guard.about(), "bad", [broken]) == "✕ pay · healthguard on web1"


async def test_many_pools_are_one_line_each_unless_they_need_somebody() -> None:
    pools = [pool(f"p{number}") for number in range(CARDS)]
    guard = FakeGuard(*pools, pool("ill", upstreams=DOWN, phase="holding", hold="cooldown"))
    snapshots = Snapshots(guard, list)
    now = await snapshots.now()
    await snapshots.close()
    assert "compact" in now.parts["pool-p3"].attributes["class"]
    assert "compact" not in now.parts["pool-ill"].attributes["class"]
    assert now.pools[-1] == "pool-ill"
    assert len(html(now.parts["pool-p3"])) < 1_000


async def test_a_snapshot_serves_everybody_for_a_second() -> None:
    guard = FakeGuard()
    snapshots = Snapshots(guard, list)
    first = await snapshots.now()
    assert await snapshots.now() is first
    await snapshots.close()
    assert guard.asked == 1


async def test_events_of_the_past_and_those_that_come() -> None:
    guard = FakeGuard()
    guard.past = [{"ts": AT, "id": "1", "event": "bake_failed", "pool": "threader",
                   "upstream": "green"}]  # fmt: skip
    snapshots = Snapshots(guard, list)
    await snapshots.now()
    for number in range(30):
        guard.happens(event="paused", reason=f"number {number}")
    await guard.settle()
    latest = await snapshots.events.latest()
    await snapshots.close()
    assert [event.get("reason") for event in latest][:2] == ["number 29", "number 28"]
    assert len(latest) == 20
