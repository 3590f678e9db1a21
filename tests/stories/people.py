"""Orders as a story tells them: ``alice: switch green --force because "it is starting"``."""

import re
from dataclasses import dataclass, replace

from tests.stories.transcript import VERBS, StoryError, duration
from tests.support.pool import DANA, SIGNAL, Pool

_ORDER = re.compile(
    rf"(\w+): (?:(\w+): )?({'|'.join(VERBS)})((?: (?!because)[\w.-]+)*)(?: because \"(.*)\")?"
)


@dataclass(frozen=True)
class Person:
    """One order, and who gives it: a person, ``deploy`` (a script) or ``signal``."""

    who: str
    verb: str
    pool: str
    upstream: str | None = None
    reason: str = ""
    force: bool = False
    for_ms: int = 0

    def gives(self, pool: Pool, order_id: str) -> None:
        """Gives it to the guard."""
        trigger = self.who if self.who in ("signal", "deploy") else "manual"
        actor = SIGNAL if self.who == "signal" else replace(DANA, user=self.who)
        how = {"trigger": trigger, "force": self.force, "for_ms": self.for_ms}
        pool.ordered(order_id, self.verb, actor, self.upstream, self.reason, **how)


def person(what: str, pools: tuple[str, ...]) -> Person | None:
    """The order that ``what`` is, or None if it is something else."""
    found = _ORDER.fullmatch(what)
    if found is None:
        if re.match(rf"\w+: (\w+: )?({'|'.join(VERBS)})\b", what):
            raise StoryError(f"not an order: {what!r}")
        return None
    who, pool, verb, rest, reason = found.groups()
    words = rest.split()
    force = "--force" in words
    times = [word for word in words if re.fullmatch(r"[\d.]+(ms|s|m|h)", word)]
    names = [word for word in words if word != "--force" and word not in times]
    if len(names) > 1:
        raise StoryError(f"not an order: {what!r}")
    return Person(
        who,
        verb,
        pool or pools[0],
        names[0] if names else None,
        reason or "",
        force,
        duration(times[0]) if times else 0,
    )
