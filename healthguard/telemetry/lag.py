"""How late the event loop is: the largest delay of the last 15 to 30 seconds."""

from collections.abc import Callable

WINDOW = 15.0  # seconds


class LoopLag:
    """Keeps the maximum over two windows, so that every scraper sees each stall."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._since = clock()
        self._now = self._before = 0.0

    def now(self) -> float:
        """Seconds of the clock that the lag is measured with."""
        return self._clock()

    def note(self, seconds: float) -> None:
        """Some timer came this much too late."""
        self._roll()
        self._now = max(self._now, seconds)

    def worst(self) -> float:
        """Seconds."""
        self._roll()
        return max(self._now, self._before)

    def _roll(self) -> None:
        age = self._clock() - self._since
        if age >= WINDOW:
            self._before = self._now if age < 2 * WINDOW else 0.0
            self._now = 0.0
            self._since += age
