"""What each gate looks at, one function a gate, in the order of the table in ``gates.py``.

Each takes the moment and the upstream a switch would go to, and gives (open, closed or pending;
one sentence of evidence). It reads nothing else.
"""

from healthguard.core import dependencies, releases
from healthguard.core.charges import charged_until, spent
from healthguard.core.durations import seconds
from healthguard.core.health import blind, failed_in, fresh_passes
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
        return OPEN, "no DISABLE file"
    return CLOSED, f"the DISABLE file is there: {text.strip() or '(empty)'}"


def link_unmanaged(now: Now, _to: str | None) -> Verdict:
    """The link is a symlink to one of ours."""
    link = now.state.seen.link
    if link is None or stale(now.state.seen, now.state.at):
        return PENDING, "the link has not been looked at lately"
    if link.upstream is None:
        return CLOSED, link.problem
    return OPEN, f"the link names {link.upstream}"


def nginx_down(now: Now, _to: str | None) -> Verdict:
    """nginx runs."""
    nginx = now.state.seen.nginx
    if nginx is None or stale(now.state.seen, now.state.at):
        return PENDING, "nginx has not been looked at lately"
    if nginx.state == "down":
        return CLOSED, nginx.detail or "nginx is not running"
    return OPEN, "nginx is running"


def nginx_upgrading(now: Now, _to: str | None) -> Verdict:
    """No old binary runs beside the new one."""
    nginx = now.state.seen.nginx
    if nginx is not None and nginx.state == "upgrading":
        return CLOSED, nginx.detail or "an old nginx binary still runs beside the new one"
    return OPEN, "no binary upgrade under way"


def active_unknown(now: Now, _to: str | None) -> Verdict:
    """Link and workers agree."""
    if now.active is not None:
        return OPEN, f"{now.active} ({now.how})"
    return (PENDING if now.state.seen.link is None else CLOSED), now.problem


def lost(now: Now, _to: str | None) -> Verdict:
    """No undo has failed."""
    if now.state.memory.lost:
        return CLOSED, now.state.memory.lost
    return OPEN, "no failed undo"


def starting(now: Now, _to: str | None) -> Verdict:
    """What serves has a fresh verdict, and has been seen up in this boot or had its time for it."""
    state, here = now.state, now.serving
    if here is None or health_of(state, here) == UNKNOWN:
        return CLOSED, f"no fresh verdict on {here or 'the active upstream'} yet"
    left = state.memory.grace_from_ms + state.policy.rollback.start_grace_ms - state.at.boot_ms
    if here not in state.memory.seen_up and left > 0:
        why = f"{here} has not been seen up since this host booted; {seconds(left)} of grace"
        return CLOSED, why
    return OPEN, f"{here} has a fresh verdict"


def self_unhealthy(now: Now, to: str | None) -> Verdict:
    """This host's own word can be trusted."""
    if now.state.seen.doubt:
        return CLOSED, now.state.seen.doubt
    for name in (now.serving, to):
        found = now.state.upstreams.get(name) if name is not None else None
        for probe, tally in found.probes.items() if found is not None else ():
            last = blind(tally)
            if last is not None:
                why = f"{last.reason}{': ' + last.detail if last.detail else ''}"
                return CLOSED, f"{name} cannot be judged by {probe}, and that is our fault: {why}"
    return OPEN, "this host is trusted"


def switch_in_flight(now: Now, _to: str | None) -> Verdict:
    """No switch of this pool is under way."""
    attempt = now.state.memory.attempt
    if attempt is None:
        return OPEN, "none"
    if attempt.stage == SWITCHING:
        return CLOSED, f"a switch to {attempt.to} is under way"
    return CLOSED, f"a switch to {attempt.to} is not settled yet"


def no_target(now: Now, to: str | None) -> Verdict:
    """There is a place to go to."""
    if to is not None:
        return OPEN, f"the target is {to}"
    state, here, bake = now.state, now.serving, now.state.memory.bake
    if here is not None and bake is not None and bake.upstream == here:
        before = "it is not known what served before"
        if bake.origin is not None:
            before = f"came from {bake.origin}, which is not configured any more"
        return CLOSED, (
            f"{here} is in its bake and {before}: nothing to go back to before the bake has passed"
        )
    if state.policy.standby == "stopped":
        return CLOSED, "the standby is stopped by design: there is nothing to go back to"
    good = f"`healthguard good {state.policy.pool} UPSTREAM`"
    if here is not None and here == state.policy.stable:
        return CLOSED, f"{here} is `stable` and active, and nothing else is vouched for: {good}"
    return CLOSED, f"nothing is vouched for: set `stable`, or {good}"


def known_bad(now: Now, to: str | None) -> Verdict:
    """What the target runs was not left because it failed."""
    if to is None:
        return OPEN, "no target"
    bad = releases.known_bad(now.state, to)
    if bad is None:
        return OPEN, f"{to} carries no mark"
    ago = seconds(now.state.at.boot_ms - bad[0])
    return CLOSED, f"{to} was left {ago} ago: {bad[1]}"


def unproven(now: Now, to: str | None) -> Verdict:
    """What the target runs has passed a bake here, or is vouched for."""
    if to is None:
        return OPEN, "no target"
    why = releases.unproven(now, to)
    if not why:
        return OPEN, f"{to} is vouched for"
    return CLOSED, f"{why}; `healthguard good {now.state.policy.pool} {to}`"


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
        return CLOSED, f"{to} is up, but has not {needed} fresh passes in a row"
    limit = state.policy.health.window_fails
    worst = max((failed_in(tally.window) for tally in found.probes.values()), default=0)
    if limit and 2 * worst > limit:
        return CLOSED, f"{to} is up, but {worst} of its last checks failed: no better place"
    return OPEN, f"{to} is up with {needed} fresh passes"


def _last_reason(state: State, upstream: str) -> str:
    """`` (probe: reason)`` of the first failing probe of ``upstream``, or nothing."""
    found = state.upstreams.get(upstream)  # a reload may have removed it
    for name, tally in found.probes.items() if found is not None else ():
        if tally.recent and tally.recent[-1].reason:
            last = tally.recent[-1]
            return f" ({name}: {last.reason}{': ' + last.detail if last.detail else ''})"
    return ""


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
        return OPEN, "no target to test"
    fact = usable_prepare(now.state, to, PREPARE_MS)
    if fact is None:
        return PENDING, f"the configuration with {to} has not been tested lately"
    ago = seconds(now.state.at.boot_ms - fact.at.boot_ms)
    return OPEN, f"`nginx -t` passed with {to} {ago} ago"


def min_down(now: Now, _to: str | None) -> Verdict:
    """The active upstream has been failing for long enough."""
    here, since = now.active, now.failing_since
    if here is None or since is None:
        return OPEN, "the active upstream is not failing"
    lasted, needed = now.state.at.boot_ms - since, min_down_ms(now.state, here)
    sentence = f"{here} has been failing for {seconds(lasted)}, {seconds(needed)} are needed"
    return (CLOSED if lasted < needed else OPEN), sentence


def cooldown(now: Now, _to: str | None) -> Verdict:
    """The last automatic switch is long enough ago."""
    until = charged_until(now)
    if until is None:
        return OPEN, "no automatic switch lately"
    left = until - now.state.at.boot_ms
    if left <= 0:
        return OPEN, "over"
    undone = now.state.memory.undo_stamp  # "": nobody has looked at the files since
    if undone and now.state.seen.stamp not in ("", undone):
        return OPEN, "the last one was undone, and a file has changed since"
    return CLOSED, f"{seconds(left)} left after the last automatic switch"


def latched(now: Now, _to: str | None) -> Verdict:
    """The budget of automatic switches is not spent, and was acknowledged where it was."""
    memory = now.state.memory
    shadow = now.mode == OBSERVE and memory.shadow.latched_ms is not None
    if memory.charges.latched_ms is not None or shadow:
        pool = now.state.policy.pool
        return CLOSED, f"latched since the budget was spent; `healthguard ack {pool}`"
    why = spent(now)
    return (CLOSED, why) if why else (OPEN, "budget left")


def forced(now: Now, _to: str | None) -> Verdict:
    """Nothing acts by itself after a forced order until that upstream was up once."""
    memory = now.state.memory
    if memory.forced is not None:
        return CLOSED, f"{memory.forced} was forced and has not been up since"
    if memory.bake is not None and memory.bake.forced:
        return CLOSED, f"{memory.bake.upstream} was forced: nothing acts by itself in its bake"
    return OPEN, "no forced order"


def paused(now: Now, _to: str | None) -> Verdict:
    """No pause, and none that has ended with the active upstream down."""
    pause = now.state.memory.pause
    if pause is not None:
        left = seconds(max(0, pause.until_ms - now.state.at.boot_ms))
        return CLOSED, f"by {pause.by}, {left} left: {pause.reason}"
    if now.state.memory.down_at_pause_end:
        why = "the pause ended with the active upstream down: `resume`, or it comes up once"
        return CLOSED, why
    return OPEN, "not paused"


def mode(now: Now, _to: str | None) -> Verdict:
    """The mode lets the guard act."""
    return (OPEN if now.mode == AUTO else CLOSED), f"mode is {now.mode}"
