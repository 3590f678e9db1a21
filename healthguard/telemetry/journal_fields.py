"""An event, or any log line, as journald's fields: names, message id, priority."""

import uuid
from collections.abc import Iterator, Mapping

from healthguard.telemetry.eventlog import encode

_IDS = uuid.UUID("c35bd8a4-3b1e-4d0c-9d0e-7f3a5b1c2e64")
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3}


def message_id(event: str) -> str:
    """The MESSAGE_ID of an event: the same for ever; systemd/healthguard.catalog explains it."""
    return uuid.uuid5(_IDS, event).hex


def priority(level: str, event: str = "") -> int:
    """The syslog priority: 2 a person must look now, 3 error, 4 warning, 5 notice, 6 info.

    An event is more than a line: somebody acted, or something changed that people look for.
    """
    if event == "switch_lost":
        return 2
    return 5 if event and level == "info" else _PRIORITY[level]


def fields(of: Mapping[str, object]) -> dict[str, str]:
    """HEALTHGUARD_* of an event or of a line's own fields; the time is journald's own."""
    found = {
        f"HEALTHGUARD_{name.upper()}": value
        for name, value in _flat(of)
        if name != "ts" and value != ""
    }
    event = of.get("event")
    if isinstance(event, str):
        found["MESSAGE_ID"] = message_id(event)
    return found


def _flat(of: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    """``timings_ms: {total: 131}`` is TIMINGS_MS_TOTAL; lists are JSON."""
    for name, value in of.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}_")
        elif value is not None:
            yield f"{above}{name}", value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return encode({"": value})[4:-2].decode()
