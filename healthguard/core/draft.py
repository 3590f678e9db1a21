"""The step in the making: a state that changes, and the commands said so far."""

from collections.abc import Mapping
from dataclasses import replace

from healthguard.core.events import Command, Reply, Say
from healthguard.core.happenings import HAPPENINGS
from healthguard.core.model import Actor, Instant, Outcome
from healthguard.core.now import Now, now_of
from healthguard.core.state import State


class Draft:
    """Lives for one step only; ``step`` stays pure.

    Its attributes are those of State, each replaced as a whole. ``now`` is what follows from
    them, made anew when one of them has changed.
    """

    __slots__ = (
        *(
            "_now",
            "at",
            "awaits_passes",
            "calm",
            "dependencies",
            "doing",
            "memory",
            "out",
            "policy",
            "seen",
            "told",
        ),
        "upstreams",
    )

    def __init__(self, state: State, at: Instant) -> None:
        self.policy, self.memory, self.at = state.policy, state.memory, at
        self.upstreams, self.dependencies = state.upstreams, state.dependencies
        self.seen, self.doing, self.told = state.seen, state.doing, state.told
        self.calm, self.awaits_passes = state.calm, state.awaits_passes
        self.out: list[Command] = []
        self._now: Now | None = None

    def state(self) -> State:
        """The state as it stands."""
        return State(
            self.policy,
            self.memory,
            self.at,
            self.upstreams,
            self.dependencies,
            self.seen,
            self.doing,
            self.told,
            self.calm,
            self.awaits_passes,
        )

    @property
    def now(self) -> Now:
        """What follows from the state as it stands. Nothing follows from what was told."""
        known = self._now
        if known is not None and self._same(known.state):
            return known
        self._now = now_of(self.state())
        return self._now

    def _same(self, state: State) -> bool:
        return (
            state.memory is self.memory
            and state.seen is self.seen
            and state.doing is self.doing
            and state.upstreams is self.upstreams
            and state.dependencies is self.dependencies
            and state.policy is self.policy
        )

    def next_id(self) -> str:
        """An id for an event, unique for this pool across restarts."""
        self.told = replace(self.told, seq=self.told.seq + 1)
        return f"{self.policy.pool}-{self.told.epoch}-{self.told.seq}"

    def say(self, event: str, level: str | None = None, /, **fields: object) -> None:
        """Say one event; ``level``: another than the usual one of this event.

        Exactly one place turns it into log, journal and metrics. A field whose name is a Python
        keyword is given with an underscore: ``from_``.
        """
        named = {name.rstrip("_"): value for name, value in fields.items()}
        self.say_as(self.next_id(), event, named, level)

    def say_as(
        self, event_id: str, event: str, fields: Mapping[str, object], level: str | None = None
    ) -> None:
        """Say one event under an id that is known already."""
        level = level or HAPPENINGS[event].level
        self.out.append(Say(event_id, event, self.policy.pool, level, fields))

    def decided(self, event: str, fields: Mapping[str, object]) -> None:
        """Remember what `why` shows as the last decision."""
        decision = {"at_wall_ms": self.at.wall_ms, "event": event, **fields}
        self.memory = replace(self.memory, last_decision=decision)

    def reply(self, orders: tuple[str, ...], outcome: Outcome) -> None:
        """Answer every order in ``orders``."""
        self.out.extend(Reply(order, outcome) for order in orders)


def actor_fields(actor: Actor | None) -> Mapping[str, object] | None:
    """``actor`` as it stands in events; None for healthguard itself."""
    if actor is None:
        return None
    return {"uid": actor.uid, "user": actor.user, "pid": actor.pid}
