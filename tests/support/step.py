"""One step of the core, as it can be judged from outside."""

from dataclasses import dataclass
from typing import Any

from healthguard.core import events as ev
from healthguard.core.memory import Memory
from healthguard.core.model import Answer, Outcome
from healthguard.core.state import State


@dataclass(slots=True)
class Step:
    """What went in, and what came out."""

    before: State
    event: ev.Event
    after: State
    commands: tuple[ev.Command, ...]

    def _all(self, kind: type) -> list[Any]:
        return [command for command in self.commands if isinstance(command, kind)]

    @property
    def switches(self) -> list[ev.Commit]:
        return self._all(ev.Commit)

    @property
    def records(self) -> list[ev.Say]:
        return self._all(ev.Say)

    @property
    def replies(self) -> list[tuple[str, Outcome]]:
        return [(reply.order_id, reply.outcome) for reply in self._all(ev.Reply)]

    @property
    def said(self) -> list[str]:
        """Names of the events of the event log."""
        return [record.event for record in self.records]

    @property
    def saved(self) -> Memory | None:
        """What is written before anything is done."""
        first = self.commands[0] if self.commands else None
        return first.memory if isinstance(first, ev.Save) else None

    @property
    def is_turn(self) -> bool:
        return isinstance(self.event, ev.Turn)

    @property
    def is_reload(self) -> bool:
        return isinstance(self.event, ev.Configured)

    @property
    def is_start(self) -> bool:
        return isinstance(self.event, ev.Restored)

    @property
    def restored(self) -> Memory | None:
        """The memory with which a start goes on."""
        return self.event.memory if isinstance(self.event, ev.Restored) else None

    @property
    def answer(self) -> tuple[str, Answer] | None:
        """(upstream, its answer)."""
        event = self.event
        return (event.upstream, event.answer) if isinstance(event, ev.Checked) else None

    @property
    def dependency(self) -> Answer | None:
        return self.event.answer if isinstance(self.event, ev.DependencyChecked) else None

    @property
    def doubt(self) -> str | None:
        """Why this host's own word is not to be trusted; None if the event is not about that."""
        return self.event.reason if isinstance(self.event, ev.HostDoubt) else None

    @property
    def outcome(self) -> str | None:
        """How a switch ended."""
        return self.event.done.outcome if isinstance(self.event, ev.SwitchFinished) else None
