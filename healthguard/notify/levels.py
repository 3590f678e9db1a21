"""The levels a notifier can ask for."""

FAILING, SWITCH, HOLD, LATCH, NOT_READY, RESOLVED = LEVELS = (
    "failing",
    "switch",
    "hold",
    "latch",
    "not_ready",
    "resolved",
)
PAGED = (SWITCH, HOLD, LATCH, RESOLVED)  # what a pager gets where nothing else is said
