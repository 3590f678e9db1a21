"""What concerns all pools of a host: whose turn it is on nginx, and doubt that all share."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from healthguard.core.model import UP
from healthguard.core.now import now_of
from healthguard.core.state import State


@dataclass(frozen=True, slots=True)
class Turns:
    """``holder`` acts, ``waiting`` come after it. ``closed``: nobody gets a turn any more."""

    holder: str | None = None
    waiting: tuple[str, ...] = ()
    closed: bool = False


def ask(turns: Turns, pool: str) -> Turns:
    """``pool`` wants a turn; asking twice is asking once."""
    if pool == turns.holder or pool in turns.waiting:
        return turns
    return _next(replace(turns, waiting=(*turns.waiting, pool)))


def give_back(turns: Turns, pool: str) -> Turns:
    """``pool`` needs its turn no more, whether it has it or still waits."""
    waiting = tuple(name for name in turns.waiting if name != pool)
    holder = None if turns.holder == pool else turns.holder
    return _next(replace(turns, holder=holder, waiting=waiting))


def close(turns: Turns) -> Turns:
    """No new turns; who acts may end."""
    return replace(turns, waiting=(), closed=True)


def _next(turns: Turns) -> Turns:
    if turns.holder is not None or not turns.waiting or turns.closed:
        return turns
    return replace(turns, holder=turns.waiting[0], waiting=turns.waiting[1:])


def common_failure(pools: Iterable[State]) -> str:
    """Why the host itself is first taken to be at fault; "" if it is not.

    Every pool's active upstream began to fail within one interval, and no standby passes either:
    that is a network of ours that is down, a full table, a dead name service. One standby that
    passes, and it is not: a bad release may have gone out to every pool at once.
    """
    began, interval, count = [], 0, 0
    for state in pools:
        count += 1
        now = now_of(state)
        since, here = now.failing_since, now.active
        if since is None or any(
            upstream.health == UP and not upstream.changing()
            for name, upstream in state.upstreams.items()
            if name != here
        ):
            return ""
        began.append(since)
        interval = max(interval, state.policy.health.interval_ms)
    if count < 2 or max(began) - min(began) > interval:
        return ""
    which = "both pools" if count == 2 else f"all {count} pools"
    return f"{which} failed at once and no standby passes: probably this host, not the apps"


def any_passes(pools: Iterable[State], since_ms: int) -> bool:
    """True if any probe of any pool has passed after ``since_ms``: the host is not cut off."""
    return any(
        tally.last_pass_ms is not None and tally.last_pass_ms > since_ms
        for state in pools
        for upstream in state.upstreams.values()
        for tally in upstream.probes.values()
    )
