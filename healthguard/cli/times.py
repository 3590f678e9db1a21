"""Times for people."""

from datetime import datetime

from healthguard.core import moments
from healthguard.core.durations import shown


def clock(value: object) -> str:
    """Local time with its offset, to the second; ``-`` if there is none."""
    found = moments.read(value)
    return found.astimezone().isoformat(" ", "seconds") if found else "-"


def ago(value: object, now: datetime) -> str:
    """How long since then; ``-`` if that is not known."""
    found = moments.read(value)
    return length(int((now - found).total_seconds() * 1_000)) if found else "-"


def ahead(value: object, now: datetime) -> str:
    """How long until then; ``-`` if that is not known."""
    found = moments.read(value)
    return length(int((found - now).total_seconds() * 1_000)) if found else "-"


def length(milliseconds: object) -> str:
    """A length of time; ``-`` if there is none."""
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return "-"
    return shown(milliseconds)
