"""What came of a story."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healthguard.core.model import Outcome
from healthguard.core.now import Finding
from healthguard.core.state import State
from tests.stories.transcript import Story
from tests.support.pool import active


@dataclass(frozen=True)
class Said:
    """One event of the event log. ``at``: milliseconds since the story began."""

    at: int
    pool: str
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """One pool at one moment."""

    state: State
    gates: tuple[Finding, ...]


@dataclass
class Run:
    """What came of it."""

    story: Story
    seed: int
    said: list[Said] = field(default_factory=list)
    replies: dict[int, Outcome] = field(default_factory=dict)
    snapshots: dict[tuple[str, int], Snapshot] = field(default_factory=dict)


def active_of(snapshot: Snapshot) -> str | None:
    """What the guard takes to be active."""
    return active(snapshot.state)
