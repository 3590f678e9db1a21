"""The one clock tick of the daemon: whatever has to be looked at again and again, in one wake-up.

A wake-up costs more than what is done in it. Once a second it measures how late the loop is,
doubts the host where need be, and glances at every pool; many pools are spread over the tick.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

TICK = 1.0  # seconds: every pool is glanced at once in it
AT_ONCE = 25  # pools in one wake-up: some 20 us each must not delay a probe


class Pool(Protocol):
    """What the pulse does with a pool."""

    def glance(self) -> None:
        """Look properly if something seems to have changed, or if it is time."""


class Pulse:
    """Beats for ever. ``late`` gets, at each beat, how many seconds it came too late."""

    def __init__(
        self,
        time: Callable[[], float],
        pools: Callable[[], Iterable[Pool]],
        late: Callable[[float], None],
    ) -> None:
        self._time = time
        self._pools = pools
        self._late = late

    async def beat(self) -> None:
        """For ever."""
        while True:
            pools = list(self._pools())
            parts = max(1, -(-len(pools) // AT_ONCE))
            for part in range(parts):
                due = self._time() + TICK / parts
                await asyncio.sleep(TICK / parts)
                self._late(self._time() - due)
                for pool in islice(pools, part * AT_ONCE, (part + 1) * AT_ONCE):
                    pool.glance()
