"""What people see of a daemon, made by hand: a pool that is well, and what may change of it."""

from dataclasses import fields, replace
from typing import Any

from healthguard.core.gates import GATES
from healthguard.views.documents import (
    AboutView,
    ConfigView,
    ReleasesView,
    ReleaseView,
    ResultsView,
    ShortResult,
    UpstreamReleasesView,
    WhyView,
)
from healthguard.views.model import (
    BudgetView,
    DependencyView,
    GateView,
    LastResult,
    NginxView,
    PoolView,
    ProbeView,
    ProposalView,
    UpstreamView,
)

AT = "2026-03-01T03:00:00.000Z"
GATE_NAMES = tuple(GATES)
GREEN_ORDER = "healthguard switch {} green --reason TEXT"


def result(word: str = "pass", reason: str = "", took: float = 1.5) -> ShortResult:
    return ShortResult(word, reason, took, AT)


def last(word: str = "pass", reason: str = "", **changes: Any) -> LastResult:
    return replace(LastResult(word, reason, 200, 1.5, AT, ""), **changes)


def probe(health: str = "up", fails: int | None = None) -> ProbeView:
    if health != "down":
        return ProbeView(health, 3, fails or 0, last())
    failed = last("fail", "status", status=503, detail="expected 200-299")
    return ProbeView(health, 3, 7 if fails is None else fails, failed)


def upstream(health: str = "up", role: str = "standby", **changes: Any) -> UpstreamView:
    made = UpstreamView(
        health=health,
        since=AT,
        role=role,
        release=None,
        release_status=None,
        known_bad=None,
        good=False,
        stable=False,
        baking=False,
        last_probe_wall_ms=1_700_000_000_500,
        probes={"health": probe(health)},
    )
    return replace(made, **changes)


def dependency(health: str, vetoes: bool, word: str = "pass", reason: str = "") -> DependencyView:
    return DependencyView(health, 0, 0, last(word, reason, status=None), vetoes)


def gate(
    name: str, closed: bool = False, pending: bool = False, evidence: str = "fine"
) -> GateView:
    return GateView(name, closed, pending, evidence, never_forced=False)


def pool(name: str = "threader", **changes: Any) -> WhyView:
    """A pool that is well, as `why` shows it."""
    made = WhyView(
        pool=name,
        active="blue",
        active_since=AT,
        active_how="marker",
        active_problem="",
        link="blue",
        target="green",
        phase="steady",
        hold=None,
        hold_evidence="",
        mode="auto",
        standby="warm",
        rollback_ready=True,
        ready_gate=None,
        ready_message="a rollback would succeed now",
        upstreams={"blue": upstream(role="active"), "green": upstream()},
        dependencies={},
        proposal=None,
        bake=None,
        paused=None,
        latched=False,
        forced=None,
        lost=None,
        cooldown_until=None,
        budget=BudgetView(used=0, of=2, per_ms=600_000, daily_used=0, daily_of=4),
        nginx=NginxView("running", detail="", config_valid=True, shutting_down=0),
        gates=tuple(gate(each) for each in GATE_NAMES),
        last_decision=None,
        would_need=(),
        by_hand=(GREEN_ORDER.format(name),),
        failure="",
        first_fail=None,
        results=ResultsView(
            upstreams={color: {"health": (result(),) * 10} for color in ("blue", "green")},
            dependencies={},
        ),
        remedies={},
    )
    return replace(made, **changes)


def status_of(why: WhyView) -> PoolView:
    """The part of `why` that `status` has."""
    return PoolView(*(getattr(why, each.name) for each in fields(PoolView)))


def proposal(pool: str = "threader", **changes: Any) -> ProposalView:
    made = ProposalView(
        id="threader-k3-7",
        pool=pool,
        from_="blue",
        to="green",
        opened=AT,
        reason="blue has been failing for 3s: 3 checks in a row failed: connection refused",
        gates=("known_bad", "mode"),
        command=f"healthguard approve {pool} --id threader-k3-7",
        evidence=(),
    )
    return replace(made, **changes)


def releases(pool: str = "threader", since: str = AT, configured: bool = True) -> ReleasesView:
    lines = (
        ReleaseView("1.4.0", "good", since, "passed its bake"),
        ReleaseView("1.5.0", "bad", since, "it failed"),
    )
    upstreams = {
        "blue": UpstreamReleasesView("1.4.0", lines),
        "green": UpstreamReleasesView(None, ()),
    }
    return ReleasesView(pool, configured, upstreams)


def about(**changes: Any) -> AboutView:
    config = ConfigView("/etc/healthguard/healthguard.yaml", "abcdef0123456789", True, AT)
    made = AboutView("0.1.0", "web1", AT, config, switcher=None, disabled=None)
    return replace(made, **changes)
