"""What is called otherwise today than in the records of the version before, and what is compared.

The only place where a net may be widened; each line needs a reason.
"""

# Free text is compared, too. False once it was rewritten on purpose: then only that it is there.
SENTENCES = False
# Of a Save its digest of the whole memory, too; else only that there was one. It goes when the
# shape of the memory does, or its ``last_decision`` has other sentences.
DIGESTS = False
# Segments in which the moments of saving alone may differ: whether a pass is looked at closely is
# derived from the gates now, it was told by what had been said last. One pass is accounted for in
# the bake's seconds at once that was accounted for by the next timer.
SAVES_MAY_DIFFER = ("walks-1.jsonl.gz: walk 75 from 0",)
# The state in which a segment ends equals the one that the next one's header is read as.
STATES = False

# Old name of a command: new one.
COMMANDS: dict[str, str] = {
    "Test": "Prepare",
    "Queue": "AskTurn",
    "Release": "GiveBackTurn",
    "Switch": "Commit",
    "Record": "Say",
}
# (old name of a command, old name of its field): new one.
FIELDS: dict[tuple[str, str], str] = {}

# By event: fields that are sentences made by the core ("*": in any event).
EVENT_SENTENCES: dict[str, tuple[str, ...]] = {
    "*": ("warnings", "message"),
    "hold_entered": ("reason", "failure"),
    "latched": ("reason",),
    "link_changed": ("problem",),
    "order_refused": ("reason",),
    "proposal_closed": ("reason",),
    "proposal_opened": ("reason",),
    "readiness_changed": ("reason",),
    "release_marked": ("reason",),
    "resumed": ("reason",),
    "switch_completed": ("reason",),
    "switch_lost": ("reason",),
    "switch_started": ("reason",),
    "switch_undone": ("reason",),
    "would_switch": ("reason",),
}
# Of the answer to an order: fields of its outcome, and of each gate in a dry run's ``data``.
OUTCOME_SENTENCES = ("message",)
DATA_SENTENCES = ("warnings",)
GATE_SENTENCES = ("evidence",)
