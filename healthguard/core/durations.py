"""Times as people read them."""

from datetime import UTC, datetime


def seconds(ms: int) -> str:
    """A length of time for people: ``3.0 s``, ``4 m 10 s``, ``2 h 5 m``."""
    if ms < 120_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(ms // 1000, 60)
    if minutes < 120:
        return f"{minutes} m {rest} s" if rest else f"{minutes} m"
    return f"{minutes // 60} h {minutes % 60} m"


def iso(wall_ms: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds; None stays None."""
    if wall_ms is None:
        return None
    moment = datetime.fromtimestamp(wall_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
