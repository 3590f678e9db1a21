"""Rise, fall and window counted in the most stupid way: the whole past is read at every answer."""

from dataclasses import dataclass, field


@dataclass
class DumbProbe:
    """``results``: every conclusive result (time, passed) since verdicts were thrown away."""

    rise: int
    window_fails: int = 0
    window_of: int = 0
    results: list[tuple[int, bool, int]] = field(default_factory=list)

    def copy(self) -> "DumbProbe":
        return DumbProbe(self.rise, self.window_fails, self.window_of, list(self.results))

    def add(self, at: int, passed: bool, fall: int) -> None:
        self.results.append((at, passed, fall))

    @property
    def health(self) -> str:
        return self.read()[0]

    def read(self) -> tuple[str, int | None]:
        """(health, when the present run of fails began), told from the beginning."""
        health, began = "unknown", None
        for n, (at, passed, fall) in enumerate(self.results, 1):
            past = self.results[:n]
            if passed:
                began = began if health == "down" else None
                if health != "up" and self._last(self.results[:n], True) >= self.rise:
                    health, began = "up", None
                continue
            began = at if began is None else began
            last = past[-self.window_of :] if self.window_of else []
            bad = [when for when, good, _ in last if not good]
            if health == "down":
                continue
            if self.window_of and len(bad) >= self.window_fails:
                health, began = "down", min(bad[0], began)
            elif self._last(self.results[:n], False) >= fall:
                health = "down"
        return health, began

    @staticmethod
    def _last(results: list[tuple[int, bool, int]], passed: bool) -> int:
        count = 0
        for _, good, _ in reversed(results):
            if good is not passed:
                break
            count += 1
        return count

    def passes(self) -> int:
        return self._last(self.results, True)
