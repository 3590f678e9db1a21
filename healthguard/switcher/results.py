"""How the last switches ended: for a client whose answer got lost."""

from collections import OrderedDict
from dataclasses import replace

from healthguard.machine.codec import encode
from healthguard.machine.store import Store
from healthguard.nginx.ports import Recovered
from healthguard.switcher.wire import WireError, load

KEEP = 64
_NAME = "switches"


class Results:
    """The last ends by switch id, in memory and on disk.

    ``problem`` is why the disk does not have them, "" when it has.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: OrderedDict[str, Recovered] = OrderedDict()
        loaded = store.load(_NAME)
        self.problem = loaded.problem
        for item in (loaded.document or {}).get("ends", []):
            try:
                end = load(Recovered, item)
            except WireError:
                continue
            self._ends[end.switch_id] = end

    def get(self, switch_id: str) -> Recovered | None:
        """How it ended; None: not known."""
        return self._ends.get(switch_id)

    def latest(self) -> tuple[Recovered, ...]:
        """The last end of each pool, marked as recovered, the oldest first."""
        by_pool: dict[str, Recovered] = {}
        for end in self._ends.values():
            by_pool.pop(end.pool, None)
            by_pool[end.pool] = end
        return tuple(as_recovered(end) for end in by_pool.values())

    async def remember(self, end: Recovered) -> None:
        """Keep it; when this returns it is on disk, or ``problem`` says why not."""
        self._ends[end.switch_id] = end
        self._ends.move_to_end(end.switch_id)
        while len(self._ends) > KEEP:
            self._ends.popitem(last=False)
        document = {"ends": [encode(each) for each in self._ends.values()]}
        self.problem = (await self._store.save(_NAME, document)).problem


def as_recovered(end: Recovered) -> Recovered:
    """The same, marked as reported afterwards."""
    return replace(end, done=replace(end.done, recovered=True))
