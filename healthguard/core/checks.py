"""What each gate looks at, one function a gate, in the order of the table in ``gates.py``.

Each takes the moment and the upstream a switch would go to, and gives (open, closed or pending;
one sentence of evidence). It reads nothing else.
"""

from healthguard.core import dependencies, releases
from healthguard.core.charges import charged_until, spent
from healthguard.core.durations import shown
from healthguard.core.evidence import what_failed
from healthguard.core.health import Upstream, blind, failed_in, fresh_passes
from healthguard.core.memory import SWITCHING
from healthguard.core.model import AUTO, DOWN, OBSERVE, UNKNOWN, UP
from healthguard.core.now import Now
from healthguard.core.state import TEST_MS, State, health_of, min_down_ms, stale, usable_prepare

OPEN, CLOSED, PENDING = "open", "closed", "pending"
PREPARE_MS = TEST_MS + 60_000  # a prepare is made again after TEST_MS, and may take its time

Verdict = tuple[str, str]  # OPEN, CLOSED or PENDING; evidence


def disabled(now: Now, _to: str | None) -> Verdict:
    """The DISABLE file."""
    text = now.state.seen.disabled
    if text is None:
        return OPEN, "switching is allowed: there is no DISABLE file"
    why = text.strip() or "no reason given"
    return CLOSED, f"switching is off: /etc/healthguard/DISABLE exists ({why})"


def link_unmanaged(now: Now, _to: str | None) -> Verdict:
    """The link is a symlink to one of ours."""
    link = now.state.seen.link
    if link is None or stale(now.state.seen, now.state.at):
        return PENDING, f"the link {_unseen(now)}"
    if link.upstream is None:
        return CLOSED, link.problem
    return OPEN, f"the link points to {link.upstream}"


def _unseen(now: Now) -> str:
    looked_ms = now.state.seen.looked_ms
    if looked_ms is None:
        return "has not been checked yet"
    return f"was last checked {shown(now.state.at.boot_ms - looked_ms)} ago"


def nginx_down(now: Now, _to: str | None) -> Verdict:
    """nginx runs."""
    nginx = now.state.seen.nginx
    if nginx is None or stale(now.state.seen, now.state.at):
        return PENDING, f"nginx {_unseen(now)}"
    if nginx.state == "down":
        return CLOSED, nginx.detail or "nginx is not running"
    return OPEN, "nginx is running"


def nginx_upgrading(now: Now, _to: str | None) -> Verdict:
    """No old binary runs beside the new one."""
    nginx = now.state.seen.nginx
    if nginx is not None and nginx.state == "upgrading":
        return CLOSED, nginx.detail or "an old nginx binary is still running next to the new one"
    return OPEN, "no nginx binary upgrade is in progress"


def active_unknown(now: Now, _to: str | None) -> Verdict:
    """Link and workers agree."""
    if now.active is not None:
        return OPEN, f"nginx uses {now.active} ({now.how})"
    return (PENDING if now.state.seen.link is None else CLOSED), now.problem


def lost(now: Now, _to: str | None) -> Verdict:
    """No undo has failed."""
    if now.state.memory.lost:
        return CLOSED, now.state.memory.lost
    return OPEN, "no switch was left half done"


def starting(now: Now, _to: str | None) -> Verdict:
    """What serves has a fresh verdict, and has been seen up in this boot or had its time for it."""
    state, here = now.state, now.serving
    if here is None or health_of(state, here) == UNKNOWN:
        return CLOSED, f"no verdict yet on {here or 'the active upstream'}: up or down is not known"
    left = state.memory.grace_from_ms + state.policy.rollback.start_grace_ms - state.at.boot_ms
    if here not in state.memory.seen_up and left > 0:
        why = (
            f"{here} has not been up since this host booted; {shown(left)} of its start grace left"
        )
        return CLOSED, why
    return OPEN, f"the verdict on {here} is recent"


def self_unhealthy(now: Now, to: str | None) -> Verdict:
    """This host's own word can be trusted."""
    if now.state.seen.doubt:
        return CLOSED, now.state.seen.doubt
    for name in (now.serving, to):
        found = now.state.upstreams.get(name) if name is not None else None
        for probe, tally in found.probes.items() if found is not None else ():
            last = blind(tally)
            if last is not None:
                what = f"{name} cannot be judged by probe {probe}; the problem is on this host"
                return CLOSED, f"{what}: {what_failed(last)}"
    return OPEN, "this host is healthy"


def switch_in_flight(now: Now, _to: str | None) -> Verdict:
    """No switch of this pool is under way."""
    attempt = now.state.memory.attempt
    if attempt is None:
        return OPEN, "no switch is in progress"
    if attempt.stage == SWITCHING:
        return CLOSED, f"a switch to {attempt.to} is in progress"
    return CLOSED, f"how an earlier switch to {attempt.to} ended is not known yet"


def no_target(now: Now, to: str | None) -> Verdict:
    """There is a place to go to."""
    if to is not None:
        return OPEN, f"a rollback goes to {to}"
    state, here, bake = now.state, now.serving, now.state.memory.bake
    if here is not None and bake is not None and bake.upstream == here:
        before = "it is not known what served before"
        if bake.origin is not None:
            before = f"{bake.origin}, which served before, is no longer configured"
        return CLOSED, f"{here} is in its bake and {before}: no way back until the bake has passed"
    if state.policy.standby == "stopped":
        return CLOSED, "there is no way back: the standby is stopped by design (`standby: stopped`)"
    good = f"`healthguard good {state.policy.pool} UPSTREAM`"
    if here is not None and here == state.policy.stable:
        why = f"{here} is active and `stable`; no other upstream is known to be safe"
        return CLOSED, f"{why}. If one is: {good}"
    return CLOSED, f"no upstream is known to be a safe way back. If one is: {good}"


def known_bad(now: Now, to: str | None) -> Verdict:
    """What the target runs was not left because it failed."""
    if to is None:
        return OPEN, "no target"
    bad = releases.known_bad(now.state, to)
    if bad is None:
        return OPEN, f"{to} is not known bad"
    ago = shown(now.state.at.boot_ms - bad[0])
    return CLOSED, f"{to} failed and was taken out of service {ago} ago: {bad[1]}"


def unproven(now: Now, to: str | None) -> Verdict:
    """What the target runs has passed a bake here, or is vouched for."""
    if to is None:
        return OPEN, "no target"
    why = releases.unproven(now, to)
    if not why:
        return OPEN, f"the release on {to} is proven"
    return CLOSED, f"{why}. If it is good: `healthguard good {now.state.policy.pool} {to}`"


def standby_not_up(now: Now, to: str | None) -> Verdict:
    """The target is up, with enough fresh passes."""
    if to is None:
        return OPEN, "no target"
    state = now.state
    found, needed = state.upstreams.get(to), state.policy.rollback.standby_passes
    if found is None or found.health != UP:
        why = "is down" if found is not None and found.health == DOWN else "has no verdict yet"
        return CLOSED, f"{to} {why}{_last_reason(state, to)}"
    require = state.policy.upstreams[to].require
    enough, _ = fresh_passes(found, state.policy.health, require, needed, state.at.boot_ms)
    if not enough:
        return CLOSED, _too_few_passes(to, found, require, needed)
    limit = state.policy.health.window_fails
    worst = max((failed_in(tally.window) for tally in found.probes.values()), default=0)
    if limit and 2 * worst > limit:
        return CLOSED, f"{to} is up, but {worst} of its last checks failed: it is no better place"
    return OPEN, f"{to} is up: its last {needed} checks passed"


def _last_reason(state: State, upstream: str) -> str:
    """``: HTTP 500, ...`` of the first failing probe of ``upstream``, or nothing."""
    found = state.upstreams.get(upstream)  # a reload may have removed it
    for tally in found.probes.values() if found is not None else ():
        if tally.recent and tally.recent[-1].reason:
            return f": {what_failed(tally.recent[-1])}"
    return ""


def _too_few_passes(to: str, found: Upstream, require: int, needed: int) -> str:
    passes = sorted((tally.passes for tally in found.probes.values()), reverse=True)
    short = passes[(require or len(passes)) - 1]  # of the probes that count, the one that lags
    if short < needed:
        return f"{to} has passed only {short} of the {needed} checks in a row that it needs"
    return f"{to} is up, but its last passed check is too old"


def dependency_down(now: Now, _to: str | None) -> Verdict:
    """Nothing that all upstreams need is failing, but for what the release may have caused."""
    failing = dependencies.vetoes(now)
    if failing:
        return CLOSED, "; ".join(failing)
    return OPEN, "; ".join(dependencies.excused(now)) or "no dependency is failing"


def switcher_unavailable(_now: Now, _to: str | None) -> Verdict:
    """The switcher answers; its refusals are merged in by ``gates.evaluate``."""
    return OPEN, "the switcher answers"


def config_invalid(now: Now, to: str | None) -> Verdict:
    """`nginx -t` passes with the target, and that was seen lately."""
    if to is None:
        return OPEN, "there is no target to test"
    fact = usable_prepare(now.state, to, PREPARE_MS)
    if fact is None:
        return PENDING, f"`nginx -t` with {to} has not been run recently"
    ago = shown(now.state.at.boot_ms - fact.at.boot_ms)
    return OPEN, f"`nginx -t` passed with {to} {ago} ago"


def min_down(now: Now, _to: str | None) -> Verdict:
    """The active upstream has been failing for long enough."""
    here, since = now.active, now.failing_since
    if here is None or since is None:
        return OPEN, "the active upstream is not failing"
    lasted, needed = now.state.at.boot_ms - since, min_down_ms(now.state, here)
    sentence = f"{here} has been failing for {shown(lasted)}; a switch needs {shown(needed)}"
    return (CLOSED if lasted < needed else OPEN), sentence


def cooldown(now: Now, _to: str | None) -> Verdict:
    """The last automatic switch is long enough ago."""
    until = charged_until(now)
    if until is None:
        return OPEN, "no recent automatic switch"
    left = until - now.state.at.boot_ms
    if left <= 0:
        return OPEN, "the cooldown is over"
    undone = now.state.memory.undo_stamp  # "": nobody has looked at the files since
    if undone and now.state.seen.stamp not in ("", undone):
        return OPEN, "the last automatic switch was undone, and a file has changed since"
    return CLOSED, f"{shown(left)} of the cooldown left after the last automatic switch"


def latched(now: Now, _to: str | None) -> Verdict:
    """The budget of automatic switches is not spent, and was acknowledged where it was."""
    memory = now.state.memory
    shadow = now.mode == OBSERVE and memory.shadow.latched_ms is not None
    if memory.charges.latched_ms is not None or shadow:
        pool = now.state.policy.pool
        return CLOSED, f"no automatic switch until `healthguard ack {pool}`: the budget was used up"
    why = spent(now)
    return (CLOSED, why) if why else (OPEN, "the budget is not used up")


def forced(now: Now, _to: str | None) -> Verdict:
    """Nothing acts by itself after a forced order until that upstream was up once."""
    memory = now.state.memory
    if memory.forced is not None:
        return CLOSED, f"{memory.forced} was switched to with --force and has not been up since"
    if memory.bake is not None and memory.bake.forced:
        return (
            CLOSED,
            f"{memory.bake.upstream} was switched to with --force: no automatic switch in its bake",
        )
    return OPEN, "no order was forced"


def paused(now: Now, _to: str | None) -> Verdict:
    """No pause, and none that has ended with the active upstream down."""
    pause = now.state.memory.pause
    if pause is not None:
        left = shown(max(0, pause.until_ms - now.state.at.boot_ms))
        return CLOSED, f"paused by {pause.by}, {left} left: {pause.reason}"
    if now.state.memory.down_at_pause_end:
        return CLOSED, (
            "the pause ended while the active upstream was down: no automatic switch until it is"
            f" up once, or `healthguard resume {now.state.policy.pool}`"
        )
    return OPEN, "not paused"


def mode(now: Now, _to: str | None) -> Verdict:
    """The mode lets the guard act."""
    return (OPEN if now.mode == AUTO else CLOSED), f"the mode is {now.mode}"
