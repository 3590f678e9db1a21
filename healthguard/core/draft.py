"""The step in the making: a state that is replaced, and the commands said so far."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from healthguard.core.events import Command, Record, Reply
from healthguard.core.memory import Memory
from healthguard.core.model import Actor, Instant, Outcome
from healthguard.core.state import State

_NAMES = frozenset(item.name for item in fields(State))


class Draft:
    """Lives for one step only; ``step`` stays pure."""

    __slots__ = ("at", "out", "s")

    def __init__(self, state: State, at: Instant) -> None:
        self.s = state
        self.at = at
        self.out: list[Command] = []

    def set(self, **changes: Any) -> None:
        """Replace fields of the state. (dataclasses.replace takes ten times as long.)"""
        assert changes.keys() <= _NAMES, changes.keys() - _NAMES
        fresh = object.__new__(State)
        fresh.__dict__.update(self.s.__dict__, **changes)
        self.s = fresh

    @property
    def memory(self) -> Memory:
        """The part that survives."""
        return self.s.memory

    def remember(self, **changes: Any) -> None:
        """Replace fields of the memory; the step then begins with a Save."""
        self.set(memory=replace(self.s.memory, **changes))

    def next_id(self) -> str:
        """An id for an event, unique for this pool across restarts."""
        self.set(seq=self.s.seq + 1)
        return f"{self.s.policy.pool}-{self.s.epoch}-{self.s.seq}"

    def record(self, event: str, level: str = "info", /, **fields: object) -> None:
        """Say one event. Exactly one place turns it into log, journal and metrics.

        A field whose name is a Python keyword is given with an underscore: ``from_``.
        """
        said = {name.rstrip("_"): value for name, value in fields.items()}
        self.record_as(self.next_id(), event, level, said)

    def record_as(
        self, event_id: str, event: str, level: str, fields: Mapping[str, object]
    ) -> None:
        """Say one event under an id that is known already."""
        self.out.append(Record(event_id, event, self.s.policy.pool, level, fields))

    def reply(self, orders: tuple[str, ...], outcome: Outcome) -> None:
        """Answer every order in ``orders``."""
        self.out.extend(Reply(order, outcome) for order in orders)


def actor_fields(actor: Actor | None) -> Mapping[str, object] | None:
    """``actor`` as it stands in events; None for healthguard itself."""
    if actor is None:
        return None
    return {"uid": actor.uid, "user": actor.user, "pid": actor.pid}
