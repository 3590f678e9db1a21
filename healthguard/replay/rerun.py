"""The past once more: recorded inputs through the real ``step``, decisions compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from healthguard.core.pool import step
from healthguard.core.state import State
from healthguard.replay.record import Input, said_text


@dataclass(frozen=True, slots=True)
class Difference:
    """One input that led to other commands than recorded; both as canonical JSON, "" for none."""

    input: Input
    recorded: str
    replayed: str


@dataclass(slots=True)
class Rerun:
    """What a segment came to. It ends at the first difference: later ones are consequences.

    ``inputs``: how many ran. ``commands``: how many of them led to commands. ``events``: names
    of the events said, and how often.
    """

    state: State
    inputs: int = 0
    commands: int = 0
    difference: Difference | None = None
    events: dict[str, int] = field(default_factory=dict)
    last: Input | None = None


def rerun(state: State, inputs: Iterable[Input]) -> Rerun:
    """Run ``inputs`` from ``state`` on, as the daemon did."""
    result = Rerun(state)
    for each in inputs:
        result.state, commands = step(result.state, each.event)
        result.inputs += 1
        result.last = each
        if not commands and not each.said:
            continue
        result.commands += 1
        if not each.same(commands):
            result.difference = Difference(each, each.said, said_text(commands))
            break
        for command in commands:
            name = getattr(command, "event", None)
            if name is not None:
                result.events[name] = result.events.get(name, 0) + 1
    return result
