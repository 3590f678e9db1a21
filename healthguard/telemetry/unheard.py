"""Which notifiers reach nobody, as far as is known: a guard that nobody hears should say so."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

LATELY_S = 86_400.0  # a failure that nothing came after is told for so long


@dataclass(frozen=True, slots=True)
class _Failure:
    problem: str
    given_up: bool
    at: float


class Unheard:
    """The last failure of each notifier, until it has sent something. ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, _Failure] = {}

    def keep(self, notifiers: Iterable[str]) -> None:
        """The notifiers there are now."""
        names = set(notifiers)
        self._failures = {name: each for name, each in self._failures.items() if name in names}

    def sent(self, notifier: str) -> None:
        """It works."""
        self._failures.pop(notifier, None)

    def failed(self, notifier: str, problem: str, *, given_up: bool) -> None:
        """A message has not arrived; ``given_up``: and is not tried again."""
        old = self._failures.get(notifier)
        given_up = given_up or (old is not None and old.given_up)
        self._failures[notifier] = _Failure(problem, given_up, self._clock())

    def sentences(self) -> list[str]:
        """One for each notifier that has failed lately."""
        old = self._clock() - LATELY_S
        return [_sentence(name, each) for name, each in self._failures.items() if each.at > old]


def _sentence(notifier: str, failure: _Failure) -> str:
    what = "and gave up" if failure.given_up else "and will retry"
    why = f": {failure.problem}" if failure.problem else ""
    test = f"To test it: `healthguard notify test {notifier}`"
    return f"notifier {notifier} could not deliver messages {what}{why}. {test}"
