"""What time does: bakes pass or fail, pauses end, one-time conditions are met."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.memory import Bake
from healthguard.core.model import DOWN, UNKNOWN, UP
from healthguard.core.releases import release_of, vouch
from healthguard.core.state import STALE_MS, State, health_of

QUANTUM_MS = 10_000  # bake time is put into memory in steps of this, not at each event
COVERAGE = 0.9  # of a bake must have been seen
PAUSE_TOLD_MS = 300_000  # the end of a pause is announced this long before


def account(draft: Draft, before: State) -> None:
    """Count the time since the last accounting as seen, or as blind (then the bake grows).

    ``before`` is the state in which that time was spent.
    """
    bake = draft.memory.bake
    if bake is None:
        return
    now = draft.at.boot_ms
    passed, blind = now - bake.counted_ms, is_blind(before, bake, now)
    due = passed >= min(QUANTUM_MS, before.policy.bake.for_ms // 10) or now >= bake.until_ms
    if passed <= 0 or not (due or blind != is_blind(draft.now.state, bake, now)):
        return
    if blind:
        grown = replace(bake, until_ms=bake.until_ms + passed, counted_ms=now)
    else:
        grown = replace(bake, seen_ms=bake.seen_ms + passed, counted_ms=now)
    draft.memory = replace(draft.memory, bake=grown)


def is_blind(state: State, bake: Bake, now_ms: int) -> bool:
    """True while nothing trustworthy is known about the upstream on probation, or in a pause."""
    return (
        state.memory.pause is not None
        or bool(state.seen.doubt)
        or health_of(state, bake.upstream) == UNKNOWN
        or _silent(state, bake.upstream, now_ms)
    )


def _silent(state: State, upstream: str, now_ms: int) -> bool:
    """True if no probe of ``upstream`` has had a result for so long that nobody was looking."""
    found = state.upstreams.get(upstream)
    probes = found.probes.values() if found is not None else ()
    times = [tally.last_ms for tally in probes if tally.last_ms is not None]
    limit = max(STALE_MS, 3 * state.policy.health.fast_interval_ms)
    return now_ms - max(times, default=now_ms) > limit


def start_bake(draft: Draft, upstream: str, origin: str | None, forced: bool) -> None:
    """Probation begins; a new one replaces an old one."""
    now, length = draft.at.boot_ms, draft.policy.bake.for_ms
    release = release_of(draft, upstream)
    bake = Bake(
        upstream,
        origin,
        now,
        now + length,
        now,
        forced=forced,
        release=release,
        origin_release=release_of(draft, origin),
    )
    draft.memory = replace(draft.memory, bake=bake)
    draft.say("bake_started", upstream=upstream, origin=origin, for_ms=length, release=release)


def renew_bake(draft: Draft, upstream: str, release: str) -> None:
    """Another release answers: a new deploy begins the probation of ``upstream`` anew.

    Where the bake began before any answer named a release, it only learns the name.
    """
    bake = draft.memory.bake
    if bake is None or bake.upstream != upstream:
        return
    if bake.release is None:
        draft.memory = replace(draft.memory, bake=replace(bake, release=release))
        return
    origin_release = bake.origin_release
    start_bake(draft, upstream, bake.origin, bake.forced)
    fresh = draft.memory.bake
    if fresh is not None:
        draft.memory = replace(draft.memory, bake=replace(fresh, origin_release=origin_release))


def end_bake(draft: Draft) -> None:
    """Pass a bake whose time is over, fail it when its upstream goes down."""
    bake = draft.memory.bake
    if bake is None:
        return
    now, health = draft.at.boot_ms, health_of(draft.now.state, bake.upstream)
    if bake.upstream not in draft.policy.upstreams:
        draft.memory = replace(draft.memory, bake=None)
    elif health == DOWN and not bake.failed:
        draft.memory = replace(draft.memory, bake=replace(bake, failed=True))
        draft.say("bake_failed", upstream=bake.upstream, origin=bake.origin)
    elif health == UP and bake.failed:
        length = draft.policy.bake.for_ms
        again = replace(bake, failed=False, until_ms=now + length, seen_ms=0, counted_ms=now)
        draft.memory = replace(draft.memory, bake=again)
        draft.say("bake_started", upstream=bake.upstream, origin=bake.origin, for_ms=length)
    elif health == UP and now >= bake.until_ms and _covered(draft.now.state, bake):
        release = release_of(draft, bake.upstream)
        if release is not None and bake.release not in (None, release):
            renew_bake(draft, bake.upstream, release)  # it is not this one that was on probation
            return
        draft.memory = replace(draft.memory, bake=None)
        vouch(draft, bake.upstream, "passed its bake")
        draft.say(
            "bake_passed",
            upstream=bake.upstream,
            release=release,
            lasted_ms=now - bake.since_ms,
            origin=bake.origin,
        )


def _covered(state: State, bake: Bake) -> bool:
    return bake.seen_ms >= COVERAGE * state.policy.bake.for_ms and not is_blind(
        state, bake, state.at.boot_ms
    )


def end_pause(draft: Draft) -> None:
    """Announce the end of a pause, and end it: old verdicts are thrown away."""
    pause, now = draft.memory.pause, draft.at.boot_ms
    if pause is None:
        return
    if now >= pause.until_ms:
        was_down = draft.now.wanted
        draft.memory = replace(draft.memory, pause=None, down_at_pause_end=was_down)
        forget_verdicts(draft)
        draft.say("resumed", reason="the pause ended", active_down=was_down)
    elif not pause.told and now >= pause.until_ms - PAUSE_TOLD_MS:
        draft.memory = replace(draft.memory, pause=replace(pause, told=True))
        draft.say("paused", reason=pause.reason, ends_in_ms=pause.until_ms - now, reminder=True)


def forget_verdicts(draft: Draft) -> None:
    """Every health becomes unknown until fresh results have come."""
    now = draft.at.boot_ms
    fresh = {
        name: replace(
            upstream,
            health=UNKNOWN,
            since_ms=now,
            probes={probe: tally.forget(now) for probe, tally in upstream.probes.items()},
        )
        for name, upstream in draft.upstreams.items()
    }
    known = {  # when an outage began stays known: a bake since then does not make it a new one
        name: replace(tally.forget(now), first_fail_ms=tally.first_fail_ms)
        for name, tally in draft.dependencies.items()
    }
    draft.upstreams, draft.dependencies = fresh, known
    draft.doing = replace(draft.doing, would=False, veto_ms=None)


def note_up(draft: Draft) -> None:
    """One-time conditions that end when an upstream is seen up."""
    now, here = draft.now, draft.now.active
    if here is not None and health_of(now.state, here) == UP:
        if here not in draft.memory.seen_up:
            draft.memory = replace(draft.memory, seen_up=(*draft.memory.seen_up, here))
        if draft.memory.down_at_pause_end:
            draft.memory = replace(draft.memory, down_at_pause_end=False)
        if draft.doing.would:
            draft.doing = replace(draft.doing, would=False)
    forced = draft.memory.forced
    left = draft.memory.active not in (None, forced)
    if forced is not None and (left or health_of(now.state, forced) == UP):
        draft.memory = replace(draft.memory, forced=None)
