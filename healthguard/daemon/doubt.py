"""Doubting ourselves: a process that was stopped, starved or suspended must not judge others.

A process that was frozen sees every deadline late at once. That is this host's fault, so verdicts
are thrown away, nothing acts meanwhile, and fresh ones are needed afterwards.
"""

from collections.abc import Callable, Iterable

from healthguard.core.host import any_passes, common_failure
from healthguard.core.state import State
from healthguard.machine import clock

LATE = 0.5  # the loop was late by more than this: doubt
CALM = 1.0  # ends once it has been on time for so long
SLEPT_MS = 500  # boot time ran ahead of monotonic time: the host was suspended


class SelfDoubt:
    """Watches the loop and calls ``tell(reason)``; ``tell("")`` when all is well again.

    ``pools``: the state of every pool, for a failure that all of them share.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        time: Callable[[], float],
        pools: Callable[[], Iterable[State]] = tuple,
    ) -> None:
        self._tell = tell
        self._pools = pools
        self._common_ms: int | None = None  # since when all pools fail together
        self._time = time
        self._slept = clock.suspended_ms()
        self._until = 0.0
        self._reason = ""

    def note(self, late: float) -> None:
        """One tick of the pulse came ``late`` seconds after its time."""
        now, slept = self._time(), clock.suspended_ms()
        asleep, self._slept = slept - self._slept, slept
        if asleep > SLEPT_MS:
            self._begin(now, f"this host was suspended for {asleep / 1000:.1f} s")
        elif late > LATE:
            self._begin(now, f"healthguard was stopped or starved of CPU for {late:.1f} s")
        elif self._common_ms is not None:
            if any_passes(self._pools(), self._common_ms):
                self._common_ms = None
                self._end()
        elif self._reason and now >= self._until:
            self._end()
        elif not self._reason and (common := common_failure(self._pools())):
            self._common_ms = clock.now().boot_ms
            self._begin(now, common)

    def _end(self) -> None:
        self._reason = ""
        self._tell("")

    def _begin(self, now: float, reason: str) -> None:
        self._until = now + CALM
        self._reason = reason
        self._tell(reason)
