"""What the world said: answers, observations, prepares. Each handler says if it may matter."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.events import Checked, HostDoubt, Observed, Prepared
from healthguard.core.gates import GATES
from healthguard.core.happenings import WARNING
from healthguard.core.health import Tally, Upstream, blind, count, judge, upstream_health
from healthguard.core.memory import SWITCHING, Confirmed
from healthguard.core.model import (
    DOWN,
    EXTERNAL,
    INCONCLUSIVE,
    PASS,
    UP,
    Expect,
    NginxFact,
    Result,
)
from healthguard.core.probation import forget_verdicts, renew_bake, start_bake
from healthguard.core.releases import pardon, release_of, see
from healthguard.core.state import Seen, State, baking, stale


def on_checked(draft: Draft, event: Checked, before: State) -> bool:
    """One probe has answered."""
    upstream = draft.upstreams.get(event.upstream)
    old = upstream.probes.get(event.probe) if upstream is not None else None
    if upstream is None or old is None:
        return False  # removed by a reload while it was under way
    policy, in_bake = draft.policy, baking(before, event.upstream)
    result = judge(event.answer, _expect(before, event, in_bake), event.at)
    fall = policy.bake.fall if in_bake else policy.health.fall
    if result.outcome != INCONCLUSIVE and blind(old) is not None:
        old = old.forget(event.at.boot_ms)  # we could not judge: fresh verdicts are needed
    fresh = count(old, result, policy.health, fall)
    probes = {**upstream.probes, event.probe: fresh}
    health, since = upstream.health, upstream.since_ms
    if fresh.health != upstream.probes[event.probe].health:
        health = upstream_health(probes, policy.upstreams[event.upstream].require)
        since = since if health == upstream.health else event.at.boot_ms
    after = Upstream(probes, health, since, upstream.release)
    draft.upstreams = {**draft.upstreams, event.upstream: after}
    release = event.answer.release
    news = release is not None and release != upstream.release
    if news and release is not None and see(draft, event.upstream, release):
        renew_bake(draft, event.upstream, release)
    if health != upstream.health:
        _say_health(draft, event, result, upstream.health, health)
    return news or _matters(before, old, fresh, result)


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
        state.calm
        and not state.awaits_passes
        and state.doing.switch is None
        and result.outcome == PASS
        and before.health == after.health == UP
        and not before.fails
        and min(before.passes, needed) == min(after.passes, needed)
    )


def _say_health(draft: Draft, event: Checked, result: Result, old: str, new: str) -> None:
    draft.say(
        "health_changed",
        WARNING if new == DOWN else None,
        from_=old,
        to=new,
        upstream=event.upstream,
        probe=event.probe,
        reason=result.reason or "passed",
        status=result.status,
        detail=result.detail,
    )


def on_observed(draft: Draft, event: Observed, before: State) -> bool:
    """One look at link, nginx and marker."""
    if event.looked_ms < draft.doing.settled_ms:
        return False  # seen before our own last switch had ended
    old = draft.seen
    draft.seen = fresh = replace(
        old,
        link=event.link,
        nginx=event.nginx,
        marker=event.marker,
        marker_problem=event.marker_problem,
        disabled=event.disabled,
        stamp=event.stamp,
        looked_ms=event.looked_ms,
    )
    if draft.memory.undo_stamp == "" and event.stamp:
        draft.memory = replace(draft.memory, undo_stamp=event.stamp)
    if not stale(old, draft.at) and replace(old, looked_ms=event.looked_ms) == fresh:
        return not before.calm
    if old.link != event.link or _what(old.nginx) != _what(event.nginx):
        _forget_refusals(draft)
    _say_moved(draft, old, event)
    return True


def _say_moved(draft: Draft, old: Seen, event: Observed) -> None:
    """The link names another upstream, and no switch of ours is under way."""
    attempt = draft.memory.attempt
    if (attempt is not None and attempt.stage == SWITCHING) or old.link is None:
        return
    if old.link.upstream != event.link.upstream:
        draft.say(
            "link_changed",
            from_=old.link.upstream,
            to=event.link.upstream,
            hand=event.link.hand,
            problem=event.link.problem,
        )


def _what(nginx: NginxFact | None) -> tuple[str, str] | None:
    """What a prepare judges of nginx: whether it runs, and who its master is."""
    return None if nginx is None else (nginx.state, nginx.master)


def _forget_refusals(draft: Draft) -> None:
    """What a prepare said of link and nginx as they were; it is asked again at once."""
    prepares = {
        name: fact
        for name, fact in draft.seen.prepares.items()
        if not (fact.gate in GATES and GATES[fact.gate].looked_at)
    }
    if len(prepares) != len(draft.seen.prepares):
        draft.seen = replace(draft.seen, prepares=prepares)


def adopt(draft: Draft) -> None:
    """Believe what is observed: the first time silently, later as somebody else's switch."""
    memory, link, nginx, now = draft.memory, draft.seen.link, draft.seen.nginx, draft.now
    if memory.attempt is not None or nginx is None or link is None or now.active is None:
        return
    name, how = now.active, now.how
    confirmed = Confirmed(name, link.identity, nginx.master)
    if how != "confirmed" and memory.confirmed != confirmed:
        draft.memory = replace(draft.memory, confirmed=confirmed)
    if memory.active == name:
        return
    draft.memory = replace(draft.memory, active=name, active_since_ms=draft.at.boot_ms)
    if memory.active is not None:
        _external(draft, memory.active, name, how)


def _external(draft: Draft, origin: str, to: str, how: str) -> None:
    """Somebody moved the link and nginx followed: adopted, never fought, and baked."""
    if not draft.doing.waiting:
        draft.doing = replace(draft.doing, switch=None)
    draft.say(
        "switch_completed",
        WARNING,
        from_=origin,
        to=to,
        trigger=EXTERNAL,
        reason=f"something else moved the link and nginx followed ({how})",
        hand=draft.seen.link.hand if draft.seen.link is not None else "",
        actor=None,
        release_from=release_of(draft, origin),
        release_to=release_of(draft, to),
        detection_ms=None,
        timings_ms={},
        durable=True,
        evidence=[],
    )
    pardon(draft, to, "switched to on purpose")
    start_bake(draft, to, origin, forced=False)


def on_prepared(draft: Draft, event: Prepared) -> bool:
    """A prepare has ended; what it tested is what the files were when it was asked for."""
    stamp = draft.seen.stamp
    if draft.doing.preparing == event.upstream:
        stamp = draft.doing.preparing_stamp
        draft.doing = replace(draft.doing, preparing=None)
    if event.upstream in draft.policy.upstreams:
        fact = replace(event.fact, at=event.at, stamp=stamp)
        prepares = {**draft.seen.prepares, event.upstream: fact}
        draft.seen = replace(draft.seen, prepares=prepares)
    return True


def on_doubt(draft: Draft, event: HostDoubt) -> bool:
    """This host's own word became doubtful, or trustworthy again: fresh verdicts are needed."""
    if event.reason == draft.seen.doubt:
        return False
    draft.seen = replace(draft.seen, doubt=event.reason)
    forget_verdicts(draft)
    return True
