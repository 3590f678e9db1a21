"""Python's cycle collector, kept from stopping the loop at a bad moment.

A full collection walks every object there is: 30 ms with one pool, more than 100 ms with 500. By
default one falls due every few seconds, because results of probes live long enough to count as
old. Here only the young objects are walked by themselves; the old ones every ten minutes, in a
calm moment. (Most memory is given back without any of this, by counting references.)
"""

import gc
from collections.abc import Callable

EVERY = 600.0  # seconds between two full collections
AT_LAST = 3600.0  # seconds after which no calm moment is waited for any more
# New objects until the youngest are walked, and how often they are until the next older are: a
# walk takes about a microsecond per object.
YOUNG, OLDER = 700, 3
_NEVER = 1_000_000_000


def tame() -> None:
    """From now on only young objects are walked by themselves."""
    gc.set_threshold(YOUNG, OLDER, _NEVER)


class Garbage:
    """``tick`` it every second or so."""

    def __init__(self, time: Callable[[], float], calm: Callable[[], bool]) -> None:
        """``time``: a clock in seconds. ``calm``: true when a pause of 0.1 s would harm nobody."""
        self._time = time
        self._calm = calm
        self._walked = time()

    def tick(self) -> None:
        """Walk everything if it is time for it."""
        age = self._time() - self._walked
        if age >= AT_LAST or (age >= EVERY and self._calm()):
            gc.collect()
            self._walked = self._time()
