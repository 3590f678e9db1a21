"""Times for people."""

from datetime import UTC, datetime


def moment(value: object) -> datetime | None:
    """A time of the API: RFC 3339 text or Unix milliseconds. None if it is neither."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1_000, UTC)
        if isinstance(value, str) and value:
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def clock(value: object) -> str:
    """Local time with its offset, to the second; ``-`` if there is none."""
    found = moment(value)
    return found.astimezone().isoformat(" ", "seconds") if found else "-"


def ago(value: object, now: datetime) -> str:
    """How long since then; ``-`` if that is not known."""
    found = moment(value)
    return length(int((now - found).total_seconds() * 1_000)) if found else "-"


def ahead(value: object, now: datetime) -> str:
    """How long until then; ``-`` if that is not known."""
    found = moment(value)
    return length(int((found - now).total_seconds() * 1_000)) if found else "-"


def length(milliseconds: object) -> str:
    """A length of time in its two largest units."""
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return "-"
    seconds = max(0, int(milliseconds)) // 1_000
    if 0 < milliseconds < 1_000:
        return f"{int(milliseconds)}ms"
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append((count, unit))
    shown = [f"{count}{unit}" for count, unit in parts[:2] if count]
    return " ".join(shown) or "0s"
