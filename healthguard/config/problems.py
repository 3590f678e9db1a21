"""What is wrong with a configuration: all of it at once, each with its place."""

from dataclasses import dataclass

MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to correct. ``line`` counts from 1; 0 when the file as a whole is meant."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(Exception):
    """A configuration that cannot be used; ``problems`` in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]):
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ValueRefused(Exception):
    """A single value does not fit; the text says what it must be."""


class GiveUp(Exception):
    """Reading on makes no sense; the report says why."""


class Report:
    """Collects problems of one file, and remembers on which line each path stands."""

    def __init__(self, file: str):
        self._file = file
        self._found: dict[Problem, None] = {}
        self._lines: dict[str, int] = {}

    def at(self, path: str, line: int) -> None:
        """Remember that ``path`` stands on ``line``."""
        self._lines.setdefault(path, line)

    def knows(self, path: str) -> bool:
        """True if ``path`` stands in the file."""
        return path in self._lines

    def add(self, path: str, message: str, line: int | None = None) -> None:
        """Note a problem. Without ``line``: where ``path``, or what it is part of, stands.

        Raises GiveUp when there are so many that nobody reads on.
        """
        line = self._line_of(path) if line is None else line
        self._found[Problem(self._file, line, path, message)] = None
        if len(self._found) >= MOST_PROBLEMS:
            raise GiveUp

    def end(self, message: str, line: int = 0) -> GiveUp:
        """Note a problem of the file as a whole, after which nothing else can be read."""
        self.add("", message, line)
        return GiveUp()

    def problems(self) -> tuple[Problem, ...]:
        """All of them, in the order of the file, each once."""
        return tuple(sorted(self._found))

    def _line_of(self, path: str) -> int:
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self._lines.get("", 1)
