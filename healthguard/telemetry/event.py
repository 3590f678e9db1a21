"""A Say of the core as the event that people and scripts read."""

import re
from collections.abc import Mapping

from healthguard.core.events import Say
from healthguard.core.model import Instant
from healthguard.core.moments import iso
from healthguard.machine.secrets import HEADERS

Event = dict[str, object]

_CUT = "[cut]"
_BODIES = ("answer", "excerpt")
# Probes cut these out of what they keep. Here is the last place before the disk.
_SECRETS = (
    re.compile(rf"(?i)\b({'|'.join(sorted(HEADERS))})(\"?\s*[:=]\s*)[^\r\n]+"),
    re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)([a-z][a-z0-9+.-]*://)([^\s/@:]*:)[^\s/@]+(?=@)"),
)


def build(record: Say, at: Instant) -> Event:
    """``ts``, ``id``, ``event``, ``pool`` and then the record's own fields, in their order."""
    event: Event = {
        "ts": iso(at.wall_ms),
        "id": record.event_id,
        "event": record.event,
        "pool": record.pool,
    }
    for key, value in record.fields.items():
        event.setdefault(key, scrub(value))
    if record.event.startswith("switch_"):
        event.setdefault("durable", True)
    return event


def scrub(value: object) -> object:
    """``value`` without credentials, deeply."""
    if isinstance(value, str):
        for pattern in _SECRETS:
            value = pattern.sub(rf"\1\2{_CUT}", value)
        return value
    if isinstance(value, Mapping):
        return {str(key): scrub(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(each) for each in value]
    return value


def without_bodies(value: object) -> object:
    """``value`` for a log line: what an upstream answered stays in the event log."""
    if isinstance(value, Mapping):
        return {k: without_bodies(each) for k, each in value.items() if k not in _BODIES}
    if isinstance(value, list | tuple):
        return [without_bodies(each) for each in value]
    return value
