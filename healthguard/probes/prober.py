"""What every probe offers to the one who runs it."""

from collections.abc import Callable
from typing import Protocol

from healthguard.core.model import Answer

Done = Callable[[Answer], None]


class Prober(Protocol):
    """One probe. Callbacks instead of coroutines: no task per probe on the hot path."""

    def start(self, done: Done) -> None:
        """Begin one check; ``done`` gets its Answer exactly once, never from inside start().

        Must run in the event loop's thread. RuntimeError if the previous check is still running.
        """

    def cancel(self) -> None:
        """Drop the running check, if any: all is closed and ``done`` is not called any more."""
