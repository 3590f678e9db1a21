"""What the world said: answers, observations, tests. Each handler says if it may matter."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.events import Checked, HostDoubt, Observed, Tested
from healthguard.core.health import Tally, Upstream, blind, count, judge, upstream_health
from healthguard.core.memory import Confirmed, Ledger
from healthguard.core.model import DOWN, EXTERNAL, INCONCLUSIVE, PASS, UP, Expect, NginxFact, Result
from healthguard.core.probation import forget_verdicts, renew_bake, start_bake
from healthguard.core.releases import pardon, release_of, see
from healthguard.core.state import SWITCHING, State, baking, in_use, stale

_SEEN = ("link_unmanaged", "nginx_down", "nginx_upgrading")  # what a look sees as a prepare does


def on_checked(draft: Draft, event: Checked) -> bool:
    """One probe has answered."""
    state = draft.s
    upstream = state.upstreams.get(event.upstream)
    before = upstream.probes.get(event.probe) if upstream is not None else None
    if upstream is None or before is None:
        return False  # removed by a reload while it was under way
    policy, in_bake = state.policy, baking(state, event.upstream)
    result = judge(event.answer, _expect(state, event, in_bake), event.at)
    fall = policy.bake.fall if in_bake else policy.health.fall
    if result.outcome != INCONCLUSIVE and blind(before) is not None:
        before = before.forget(event.at.boot_ms)  # we could not judge: fresh verdicts are needed
    after = count(before, result, policy.health, fall)
    probes = {**upstream.probes, event.probe: after}
    health, since = upstream.health, upstream.since_ms
    if after.health != upstream.probes[event.probe].health:
        health = upstream_health(probes, policy.upstreams[event.upstream].require)
        since = since if health == upstream.health else event.at.boot_ms
    fresh = Upstream(probes, health, since, upstream.release)
    draft.set(at=draft.at, upstreams={**state.upstreams, event.upstream: fresh})
    release = event.answer.release
    news = release is not None and release != upstream.release
    if news and release is not None and see(draft, event.upstream, release):
        renew_bake(draft, event.upstream, release)
    if health != upstream.health:
        _tell_health(draft, event, result, upstream.health, health)
    return news or _matters(state, before, after, result)


def _expect(state: State, event: Checked, in_bake: bool) -> Expect:
    expect = state.policy.upstreams[event.upstream].probes[event.probe]
    limit = state.policy.bake.max_latency_us
    if in_bake and limit is not None:
        return replace(expect, max_latency_us=min(limit, expect.max_latency_us or limit))
    return expect


def _matters(state: State, before: Tally, after: Tally, result: Result) -> bool:
    """False for the pass that changes nothing: nearly all of them, so they must cost little."""
    needed = state.policy.rollback.standby_passes
    return not (
        result.outcome == PASS
        and before.health == after.health == UP
        and not before.fails
        and min(before.passes, needed) == min(after.passes, needed)
        and state.work is None
        and state.told_phase in ("steady", "baking")
        and (state.told_ready is None or state.told_ready[1] != "standby_not_up")
    )


def _tell_health(draft: Draft, event: Checked, result: Result, old: str, new: str) -> None:
    draft.record(
        "health_changed",
        "warning" if new == DOWN else "info",
        from_=old,
        to=new,
        upstream=event.upstream,
        probe=event.probe,
        reason=result.reason or "passed",
        status=result.status,
        detail=result.detail,
    )


def on_observed(draft: Draft, event: Observed) -> bool:
    """One look at link, nginx and marker."""
    state = draft.s
    if event.looked_ms < state.settled_ms:
        return False  # seen before our own last switch had ended
    was_stale, old_link, old_nginx = stale(state), state.link, state.nginx
    old = (old_link, old_nginx, state.marker, state.marker_problem, state.disabled, state.stamp)
    new = (event.link, event.nginx, event.marker, event.marker_problem, event.disabled, event.stamp)
    draft.set(
        link=event.link,
        nginx=event.nginx,
        marker=event.marker,
        marker_problem=event.marker_problem,
        disabled=event.disabled,
        stamp=event.stamp,
        looked_ms=event.looked_ms,
    )
    if draft.memory.undo_stamp == "" and event.stamp:
        draft.remember(undo_stamp=event.stamp)
    if not was_stale and old == new:
        return state.told_phase not in ("steady", "baking")
    if old_link != event.link or _what(old_nginx) != _what(event.nginx):
        _forget_refusals(draft)
    switching = state.work is not None and state.work.stage == SWITCHING
    if not switching and old_link is not None and _moved(old_link.upstream, event):
        draft.record(
            "link_changed",
            "warning",
            from_=old_link.upstream,
            to=event.link.upstream,
            hand=event.link.hand,
            problem=event.link.problem,
        )
    return True


def _what(nginx: NginxFact | None) -> tuple[str, str] | None:
    """What a prepare judges of nginx: whether it runs, and who its master is."""
    return None if nginx is None else (nginx.state, nginx.master)


def _forget_refusals(draft: Draft) -> None:
    """What a prepare said of link and nginx as they were; it is asked again at once."""
    tests = {name: fact for name, fact in draft.s.tests.items() if fact.gate not in _SEEN}
    if len(tests) != len(draft.s.tests):
        draft.set(tests=tests)


def _moved(before: str | None, event: Observed) -> bool:
    return before != event.link.upstream


def adopt(draft: Draft) -> None:
    """Believe what is observed: the first time silently, later as somebody else's switch."""
    state, memory = draft.s, draft.memory
    if memory.attempt is not None or state.nginx is None or state.link is None:
        return
    name, how, _ = in_use(state)
    if name is None:
        return
    confirmed = Confirmed(name, state.link.identity, state.nginx.master)
    if how != "confirmed" and memory.confirmed != confirmed:
        draft.remember(confirmed=confirmed)
    if memory.active == name:
        return
    draft.remember(active=name, active_since_ms=state.at.boot_ms)
    if memory.active is not None:
        _external(draft, memory.active, name, how)


def _external(draft: Draft, origin: str, to: str, how: str) -> None:
    """Somebody moved the link and nginx followed: adopted, never fought, and baked."""
    if draft.s.work is None or draft.s.work.orders == ():
        draft.set(work=None)
    draft.record(
        "switch_completed",
        "warning",
        from_=origin,
        to=to,
        trigger=EXTERNAL,
        reason=f"somebody else moved the link and nginx followed ({how})",
        hand=draft.s.link.hand if draft.s.link is not None else "",
        actor=None,
        release_from=release_of(draft.s, origin),
        release_to=release_of(draft.s, to),
        detection_ms=None,
        timings_ms={},
        durable=True,
        evidence=[],
    )
    pardon(draft, to, "somebody switched to it on purpose")
    start_bake(draft, to, origin, forced=False)


def on_tested(draft: Draft, event: Tested) -> bool:
    """A prepare has ended; what it tested is what the files were when it was asked for."""
    stamp = draft.s.testing_stamp if draft.s.testing == event.upstream else draft.s.stamp
    if draft.s.testing == event.upstream:
        draft.set(testing=None)
    if event.upstream in draft.s.policy.upstreams:
        fact = replace(event.fact, at=event.at, stamp=stamp)
        draft.set(tests={**draft.s.tests, event.upstream: fact})
    return True


def on_doubt(draft: Draft, event: HostDoubt) -> bool:
    """This host's own word became doubtful, or trustworthy again: fresh verdicts are needed."""
    if event.reason == draft.s.doubt:
        return False
    draft.set(doubt=event.reason)
    forget_verdicts(draft)
    return True


def drop_shadow(draft: Draft) -> None:
    """What mode observe has charged is worth nothing in another mode."""
    if draft.memory.shadow != Ledger():
        draft.remember(shadow=Ledger())
