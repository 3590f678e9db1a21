"""What the demo prints: plain lines, coloured on a terminal unless NO_COLOR is set."""

import os
import sys
import time

STYLES = {"blue": "34;1", "green": "32;1", "red": "31;1", "bold": "1", "dim": "2"}


class Screen:
    """A timeline that starts when the screen is made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, text: str, style: str) -> str:
        """``text`` in one of STYLES."""
        return f"\033[{STYLES[style]}m{text}\033[0m" if self._colored else text

    def title(self, text: str) -> None:
        """A heading."""
        self.line()
        self.line(self.paint(text, "bold"))

    def fact(self, name: str, text: str) -> None:
        """Something to know: a name and what it is."""
        self.line(f"  {self.paint(f'{name:<10}', 'dim')} {text}")

    def restart(self) -> None:
        """The story begins now: t=0."""
        self._start = time.monotonic()

    def at(self, text: str, when: float | None = None) -> None:
        """One line of the timeline; ``when`` in time.monotonic(), now if not given."""
        seconds = (time.monotonic() if when is None else when) - self._start
        stamp = self.paint(f"t={seconds:5.1f} s", "dim")
        self.line(f"  {stamp}  {text}")

    def line(self, text: str = "") -> None:
        """A line as it stands."""
        print(text, flush=True)
