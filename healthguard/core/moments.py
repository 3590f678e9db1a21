"""Moments of wall time as people and documents write them."""

import re
from datetime import UTC, datetime
from typing import overload

from healthguard.core import durations


@overload
def iso(wall_ms: int) -> str: ...
@overload
def iso(wall_ms: None) -> None: ...
def iso(wall_ms: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds; None stays None."""
    if wall_ms is None:
        return None
    moment = datetime.fromtimestamp(wall_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(value: object) -> datetime | None:
    """RFC 3339 text (UTC if it names no offset) or Unix milliseconds. None if it is neither."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1_000, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def since_wall_ms(text: str, now_wall_ms: int) -> int:
    """The moment ``text`` means, in Unix milliseconds: ``1h`` (ago), RFC 3339, or milliseconds.

    ValueError with one sentence otherwise.
    """
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    if re.fullmatch(durations.SYNTAX, text):
        return now_wall_ms - durations.parse(text)
    # In a query string a bare "+" of an offset arrives as a blank.
    found = read(text.replace(" ", "+")) or read(text)
    if found is None:
        raise ValueError(
            f"{text[:40]!r} is not a moment; write 1h, 2024-05-01T12:00:00Z or Unix milliseconds"
        )
    return int(found.timestamp() * 1_000)
