"""What people see of a pool: status, why and ready are views of one State."""

from dataclasses import fields, replace

from healthguard.core.charges import DAY_MS, charged_until, within
from healthguard.core.dependencies import vetoing
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.gates import GATES, Binds, evaluate, first_closed
from healthguard.core.health import Tally
from healthguard.core.model import DOWN, UP, Instant
from healthguard.core.moments import iso
from healthguard.core.now import Finding, Now, now_of
from healthguard.core.proposals import command
from healthguard.core.releases import known_bad, status_of
from healthguard.core.state import State, baking, health_of
from healthguard.core.telling import READY, phase, ready
from healthguard.views.documents import (
    ReadyView,
    ReleasesView,
    ReleaseView,
    ResultsView,
    ShortResult,
    UpstreamReleasesView,
    WhyView,
)
from healthguard.views.model import (
    BakeView,
    BudgetView,
    DependencyView,
    GateView,
    KnownBadView,
    LastResult,
    NginxView,
    PauseView,
    PoolView,
    ProbeView,
    ProposalView,
    UpstreamView,
)


def pool_view(state: State, now: Instant) -> PoolView:
    """One pool's part of `status`."""
    state = _at(state, now)
    moment = now_of(state)
    to = moment.target
    gates = evaluate(moment, to)
    name, _ = phase(moment)
    hold = first_closed(gates)
    yes, gate = ready(moment)
    here, how, problem = moment.active, moment.how, moment.problem
    memory = state.memory
    vetoed = vetoing(moment)
    return PoolView(
        pool=state.policy.pool,
        active=here,
        active_since=iso(_wall(state, memory.active_since_ms)) if here is not None else None,
        active_how=how,
        active_problem=problem or _silent_marker(state),
        link=state.seen.link.upstream if state.seen.link is not None else None,
        target=to,
        phase=name,
        hold=hold.name if hold is not None else None,
        hold_evidence=hold.evidence if hold is not None else "",
        mode=moment.mode,
        standby=state.policy.standby,
        rollback_ready=yes,
        ready_gate=gate.name if gate is not None else None,
        ready_message=gate.evidence if gate is not None else READY,
        upstreams={each: _upstream(state, each, here) for each in state.policy.upstreams},
        dependencies={
            each: _dependency(tally, each in vetoed) for each, tally in state.dependencies.items()
        },
        proposal=proposal_view(state),
        bake=_bake(state),
        paused=_pause(state),
        latched=memory.charges.latched_ms is not None,
        forced=memory.forced,
        lost=memory.lost or None,
        cooldown_until=_cooldown_until(moment),
        budget=_budget(moment),
        nginx=_nginx(state),
        gates=tuple(_gate(each) for each in gates),
    )


def _silent_marker(state: State) -> str:
    """What is active is known without the marker, but the next switch would want its word."""
    problem = state.seen.marker_problem
    if not state.policy.marker or not problem:
        return ""
    return f"the marker cannot confirm which side nginx uses: {problem}. See `healthguard check`"


def why_view(state: State, now: Instant) -> WhyView:
    """One pool's part of `why`: status, the last decision, and what would have to change."""
    pool = pool_view(state, now)
    state = _at(state, now)
    moment = now_of(state)
    to, here = moment.target, moment.active
    gates = evaluate(moment, to)
    return WhyView(
        **{each.name: getattr(pool, each.name) for each in fields(pool)},
        last_decision=dict(state.memory.last_decision) or None,
        would_need=tuple(_would_need(moment, gates)),
        by_hand=_by_hand(moment, to),
        failure=failure_sentence(state, here),
        first_fail=next(iter(evidence(state, here)), None),
        results=_results(state),
        remedies={gate.name: _remedy(state, gate, to) for gate in gates if gate.closed},
    )


def ready_view(state: State, now: Instant) -> ReadyView:
    """The answer to `ready`."""
    state = _at(state, now)
    moment = now_of(state)
    yes, gate = ready(moment)
    return ReadyView(
        pool=state.policy.pool,
        ready=yes,
        gate=gate.name if gate is not None else None,
        message=gate.evidence if gate is not None else READY,
        target=moment.target,
    )


def _at(state: State, now: Instant) -> State:
    boot_ms = max(now.boot_ms, state.at.boot_ms)
    return replace(state, at=replace(now, boot_ms=boot_ms))


def _wall(state: State, boot_ms: int | None) -> int | None:
    """Wall time of a boot time, as this boot's clocks stand now."""
    return None if boot_ms is None else state.at.wall_ms - state.at.boot_ms + boot_ms


def _upstream(state: State, name: str, here: str | None) -> UpstreamView:
    upstream, memory = state.upstreams[name], state.memory
    bad, release = known_bad(state, name), upstream.release
    seen = [t.last_ms for t in upstream.probes.values() if t.last_ms is not None]
    return UpstreamView(
        health=upstream.health,
        since=iso(_wall(state, upstream.since_ms)),
        role="active" if name == here else "standby",
        release=release,
        release_status=status_of(state, name, release) if release is not None else None,
        known_bad=None if bad is None else KnownBadView(bad[1], iso(_wall(state, bad[0]))),
        good=name in memory.good,
        stable=name == state.policy.stable,
        baking=baking(state, name),
        last_probe_wall_ms=_wall(state, max(seen)) if seen else None,
        probes={probe: _probe(tally) for probe, tally in upstream.probes.items()},
    )


def _probe(tally: Tally) -> ProbeView:
    return ProbeView(tally.health, tally.passes, tally.fails, _last(tally))


def _dependency(tally: Tally, vetoes: bool) -> DependencyView:
    return DependencyView(tally.health, tally.passes, tally.fails, _last(tally), vetoes)


def _last(tally: Tally) -> LastResult | None:
    if not tally.recent:
        return None
    last = tally.recent[-1]
    return LastResult(
        result=last.outcome,
        reason=last.reason,
        status=last.status,
        latency_ms=round(last.latency_us / 1000, 1),
        at=iso(last.at.wall_ms),
        detail=last.detail,
    )


def _gate(gate: Finding) -> GateView:
    never_forced = GATES[gate.name].binds == Binds.FORCED
    return GateView(gate.name, gate.closed, gate.pending, gate.evidence, never_forced)


def _results(state: State) -> ResultsView:
    """The last results of every probe, oldest first: more than `last` tells."""
    return ResultsView(
        upstreams={
            name: {probe: _strip(tally) for probe, tally in upstream.probes.items()}
            for name, upstream in state.upstreams.items()
        },
        dependencies={name: _strip(tally) for name, tally in state.dependencies.items()},
    )


def _strip(tally: Tally) -> tuple[ShortResult, ...]:
    return tuple(
        ShortResult(
            result=each.outcome,
            reason=each.reason,
            latency_ms=round(each.latency_us / 1000, 1),
            at=iso(each.at.wall_ms),
        )
        for each in tally.recent
    )


def _bake(state: State) -> BakeView | None:
    bake = state.memory.bake
    if bake is None:
        return None
    return BakeView(
        upstream=bake.upstream,
        origin=bake.origin,
        until=iso(_wall(state, bake.until_ms)),
        remaining_ms=max(0, bake.until_ms - state.at.boot_ms),
        failed=bake.failed,
        forced=bake.forced,
    )


def proposal_view(state: State) -> ProposalView | None:
    """The open proposal; None when there is none."""
    proposal = state.memory.proposal
    if proposal is None:
        return None
    return ProposalView(
        id=proposal.proposal_id,
        pool=state.policy.pool,
        from_=proposal.origin,
        to=proposal.to,
        opened=iso(_wall(state, proposal.at_ms)),
        reason=proposal.reason,
        gates=proposal.gates,
        command=command(state, proposal),
        evidence=tuple(evidence(state, proposal.origin)),
    )


def releases_view(state: State, now: Instant) -> ReleasesView:
    """The ledger: what is known of each release on each upstream, the latest last."""
    state = _at(state, now)
    return ReleasesView(
        pool=state.policy.pool,
        configured=state.policy.releases,
        upstreams={name: _upstream_releases(state, name) for name in state.policy.upstreams},
    )


def _upstream_releases(state: State, name: str) -> UpstreamReleasesView:
    return UpstreamReleasesView(
        running=state.upstreams[name].release,
        releases=tuple(
            ReleaseView(
                release=release,
                status=status_of(state, name, release),
                since=iso(_wall(state, note.since_ms)),
                reason=note.reason,
            )
            for release, note in state.memory.releases.get(name, {}).items()
        ),
    )


def _pause(state: State) -> PauseView | None:
    pause = state.memory.pause
    if pause is None:
        return None
    return PauseView(until=iso(_wall(state, pause.until_ms)), reason=pause.reason, by=pause.by)


def _cooldown_until(moment: Now) -> str | None:
    state, until = moment.state, charged_until(moment)
    return iso(_wall(state, until)) if until is not None and until > state.at.boot_ms else None


def _budget(moment: Now) -> BudgetView:
    rollback = moment.state.policy.rollback
    return BudgetView(
        used=within(moment, rollback.budget_per_ms),
        of=rollback.budget_switches,
        per_ms=rollback.budget_per_ms,
        daily_used=within(moment, DAY_MS),
        daily_of=rollback.daily_budget,
    )


def _nginx(state: State) -> NginxView:
    nginx = state.seen.nginx
    verdicts = [
        not fact.gate
        for fact in state.seen.prepares.values()
        if fact.gate in ("", "config_invalid")
    ]
    return NginxView(
        state=nginx.state if nginx is not None else "unknown",
        detail=nginx.detail if nginx is not None else "",
        config_valid=all(verdicts) if verdicts else None,
        shutting_down=nginx.shutting_down if nginx is not None else 0,
    )


def _would_need(moment: Now, gates: tuple[Finding, ...]) -> list[str]:
    """What would have to change for an automatic switch, one sentence each."""
    state = moment.state
    to, here = moment.target, moment.active
    needs = []
    if here is not None and health_of(state, here) != DOWN:
        fall = state.policy.bake.fall if baking(state, here) else state.policy.health.fall
        word = "healthy" if health_of(state, here) == UP else "not down"
        checks = "1 failed check" if fall == 1 else f"{fall} failed checks in a row"
        needs.append(f"nothing to do: {here} is {word}. A failover needs {checks}")
    for gate in gates:
        if gate.closed:
            needs.append(f"{_remedy(state, gate, to)} ({gate.name})")
    return needs


def _remedy(state: State, gate: Finding, to: str | None) -> str:
    return GATES[gate.name].remedy.format(pool=state.policy.pool, target=to or "the target")


def _by_hand(moment: Now, to: str | None) -> tuple[str, ...]:
    """The commands with which a person does it: with the daemon, and without."""
    state = moment.state
    pool, here = state.policy.pool, moment.active
    linked = state.seen.link.upstream if state.seen.link is not None else None
    if to is None and here is None and linked in state.policy.upstreams:
        to = linked  # nobody knows what is in use: this makes it so
    elif to is None:
        others = (name for name in state.policy.upstreams if name != here)
        to = min(others, key=lambda name: health_of(state, name) != UP, default="UPSTREAM")
    return (
        f"healthguard switch {pool} {to} --reason TEXT",
        f"healthguard switch {pool} {to} --reason TEXT --standalone",
    )
