"""Every event of a pool or of the daemon, by name: its usual level and the fields it may carry.

How each one reads for people stands in ``views/``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

INFO, WARNING, ERROR = "info", "warning", "error"


@dataclass(frozen=True, slots=True)
class Happening:
    """``level``: info, warning or error, unless one is given. ``fields``: all there may be."""

    level: str
    fields: frozenset[str]


def _row(level: str, fields: str) -> Happening:
    return Happening(level, frozenset(fields.split()))


_SWITCH = (
    "from to trigger reason actor release_from release_to detection_ms timings_ms durable evidence"
    " warnings"
)
_END = f"{_SWITCH} switch confirm message gate recovered hand"
_PROPOSAL = "proposal from to reason gates release_from release_to command"

HAPPENINGS: Mapping[str, Happening] = {
    "daemon_started": _row(INFO, "version config digest pools boot_id"),
    "daemon_stopping": _row(INFO, "reason"),
    "config_reloaded": _row(INFO, "digest pools actor"),
    "config_rejected": _row(ERROR, "problems actor"),
    "health_changed": _row(INFO, "upstream dependency probe from to reason status detail never_up"),
    "switch_started": _row(INFO, _SWITCH),
    "switch_completed": _row(INFO, _END),
    "switch_undone": _row(ERROR, _END),
    "switch_lost": _row(ERROR, _END),
    "hold_entered": _row(WARNING, "gate reason active target wanted both_down failure"),
    "hold_left": _row(INFO, "gate phase"),
    "would_switch": _row(
        WARNING, "from to trigger reason detection_ms evidence release_from release_to"
    ),
    "order_received": _row(INFO, "order verb to trigger reason force actor"),
    "order_refused": _row(WARNING, "order verb to actor gate reason"),
    "proposal_opened": _row(WARNING, f"{_PROPOSAL} evidence reminder"),
    "proposal_closed": _row(INFO, _PROPOSAL),
    "paused": _row(INFO, "reason for_ms until_wall_ms actor ends_in_ms reminder"),
    "resumed": _row(INFO, "reason actor active_down"),
    "latched": _row(ERROR, "reason shadow"),
    "acked": _row(INFO, "what reason actor"),
    "bake_started": _row(INFO, "upstream origin for_ms release"),
    "bake_passed": _row(INFO, "upstream release lasted_ms origin"),
    "bake_failed": _row(WARNING, "upstream origin"),
    "release_marked": _row(INFO, "upstream release mark reason actor"),
    "link_changed": _row(WARNING, "from to hand problem"),
    "readiness_changed": _row(INFO, "ready gate reason target"),
    "notification_failed": _row(ERROR, "notifier count reason"),
}
