"""Durations and moments as people write them. Cheap to import: the command line uses it too."""

import re
from datetime import UTC, datetime

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d{1,12})(ms|s|m|h|d)", re.ASCII)
LONGEST_MS = 366 * 86_400_000


def duration_ms(value: object) -> int:
    """``"500ms"``, ``"5m"``, ``"1h30m"``, or a whole number of seconds, in milliseconds.

    ValueError, with one sentence for people, for anything else, for zero and for over a year.
    """
    total = _from_text(value) if isinstance(value, str) else _from_number(value)
    if not 0 < total <= LONGEST_MS:
        raise ValueError(f"{value!r}: a duration is more than 0 and at most 366d")
    return total


def _from_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a duration such as 30s, 5m or 1h")
    return value * 1_000


def _from_text(text: str) -> int:
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text[:40]!r} is not a duration; write it like 30s, 5m or 1h30m")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)


def since_wall_ms(text: str, now_wall_ms: int) -> int:
    """The moment ``text`` means, in Unix milliseconds: ``"1h"`` (ago), RFC 3339, or milliseconds.

    ValueError with one sentence otherwise. A moment without an offset is UTC.
    """
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    if _PART.match(text):
        return now_wall_ms - duration_ms(text)
    # In a query string a bare "+" of an offset arrives as a blank.
    moment = _rfc3339(text.replace(" ", "+")) or _rfc3339(text)
    if moment is None:
        raise ValueError(
            f"{text[:40]!r} is not a moment; write 1h, 2024-05-01T12:00:00Z or Unix milliseconds"
        )
    return int(moment.timestamp() * 1_000)


def _rfc3339(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def duration_text(milliseconds: int) -> str:
    """The reverse of ``duration_ms``, in the largest unit that loses nothing: ``90s``, ``5m``."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _UNITS_MS[unit] == 0:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return f"{milliseconds}ms"
