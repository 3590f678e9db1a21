"""How long it takes at worst from a fault to the decision. Arithmetic on timers, nothing else.

Starts keep their phase and jitter lies on top of it, so between two starts there are at most
interval x (1 + 2 x jitter): one early, the next one late. One probe never overlaps itself: one
that hangs is repeated as soon as its timeout is over, or at the next interval if that is later.
"""

from dataclasses import dataclass

from healthguard.config import PoolConfig
from healthguard.core.durations import shown, written
from healthguard.probes.schedule import GRID_MS


@dataclass(frozen=True, slots=True)
class Worst:
    """Milliseconds from fault to decision.

    ``refused``: of an upstream that was killed or answers wrongly at once; ``hangs``: of one that
    takes connections and stays silent.
    """

    refused: int
    hangs: int


def worst(pool: PoolConfig, *, bake: bool = False) -> Worst:
    """The worst case of one pool, in steady state or in a bake. The switch itself is not in it."""
    health, timeout = pool.policy.health, longest_timeout(pool)
    rules = pool.policy.bake if bake else pool.policy.rollback
    more = (pool.policy.bake.fall if bake else health.fall) - 1
    interval = health.fast_interval_ms if bake else health.interval_ms
    first = interval * (1 + 2 * pool.jitter) + GRID_MS  # at the latest the first fail begins
    again = _repetition(health.fast_interval_ms, timeout, pool.jitter)
    return Worst(
        round(first + max(more * health.fast_interval_ms, rules.min_down_ms)),
        round(first + timeout + max(more * again, rules.min_down_ms)),
    )


def _repetition(fast: int, timeout: int, jitter: float) -> float:
    """Time between starts of a probe that hangs."""
    if timeout <= fast * (1 - 2 * jitter):
        return fast
    # It misses its turn. The next is at once, or, to keep the phase, half an interval later.
    return max(timeout + GRID_MS, fast * (1.5 + jitter))


def longest_timeout(pool: PoolConfig) -> int:
    """Milliseconds; of all probes of the pool."""
    return max(spec.timeout_ms for specs in pool.probes.values() for spec in specs.values())


def sentence(pool: PoolConfig) -> str:
    """The worst case and where it comes from, with the numbers of this pool."""
    steady, bake = worst(pool), worst(pool, bake=True)
    health, min_down = pool.policy.health, written(pool.policy.rollback.min_down_ms)
    interval, fast = written(health.interval_ms), written(health.fast_interval_ms)
    timeout = written(longest_timeout(pool))
    return (
        f"worst case from fault to decision: {shown(steady.refused)} if the upstream is killed "
        f"(interval {interval} with jitter {pool.jitter * 100:g}% both ways + the longer of "
        f"{health.fall - 1} x fast_interval {fast} and min_down {min_down}), "
        f"{shown(steady.hangs)} "
        f"if it hangs (+ timeout {timeout}, and each retry takes at least that long); in a bake "
        f"{shown(bake.refused)} and {shown(bake.hangs)}. The reload of nginx comes on top"
    )
