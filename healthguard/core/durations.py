"""Lengths of time as people write and read them: one syntax, in the file and at every door."""

import re

LONGEST_MS = 366 * 86_400_000
SYNTAX = "([0-9]{1,12}(ms|s|m|h|d))+"  # also the JSON Schema's
WORDS = "a duration such as 500ms, 90s, 5m or 1h30m"

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile("([0-9]{1,12})(ms|s|m|h|d)")


def parse(value: object, least_ms: int = 1, most_ms: int = LONGEST_MS) -> int:
    """``500ms``, ``90s``, ``1h30m`` or ``1d``, in milliseconds.

    ValueError, with what it must be, for anything else and beyond the bounds.
    """
    if not isinstance(value, str) or not re.fullmatch(SYNTAX, value):
        raise ValueError(f"must be {WORDS}")
    total = sum(int(count) * _UNITS_MS[unit] for count, unit in _PART.findall(value))
    if total < least_ms:
        raise ValueError(f"must be at least {written(least_ms)}")
    if total > most_ms:
        raise ValueError(f"must be at most {written(most_ms)}")
    return total


def written(ms: int) -> str:
    """The reverse of ``parse``, in the largest unit that loses nothing: ``90s``, ``5m``."""
    for unit, size in _UNITS_MS.items():
        if ms and ms % size == 0:
            return f"{ms // size}{unit}"
    return "0s"


def shown(ms: float) -> str:
    """For people, in the two largest units: ``131ms``, ``3.1s``, ``4m 10s``, ``1h 30m``."""
    if ms < 1_000:
        return f"{_tenths(max(0, ms))}ms"
    if ms < 60_000:
        return f"{_tenths(ms / 1_000)}s"
    rest, parts = int(ms), list[str]()
    for unit, size in _UNITS_MS.items():
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def _tenths(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
