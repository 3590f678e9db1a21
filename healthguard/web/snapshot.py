"""The whole page as parts, made at most once a second however many look."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple, Protocol

from healthguard.machine.slices import in_slices
from healthguard.views.documents import AboutView, ReleasesView, WhyView
from healthguard.views.model import PoolView
from healthguard.web import pool, top
from healthguard.web.events import RecentEvents, Source, listed
from healthguard.web.judging import GOOD, level
from healthguard.web.tree import Element, plain

FRESH = 1.0  # seconds
SHARE = 0.05  # of one processor, at most, for making snapshots
CARDS = 24  # with more pools than this, those that are well are one line each


class PageSource(Source, Protocol):
    """What the page needs of the daemon."""

    def about(self) -> AboutView:
        """The daemon's own part of status."""

    def pools(self) -> Iterable[str]:
        """Names, in the order of the configuration."""

    def pool(self, name: str) -> PoolView:
        """One pool's part of status. KeyError: no such pool."""

    def why(self, name: str) -> WhyView:
        """The same with evidence, results and commands."""

    def releases(self, name: str) -> ReleasesView:
        """The ledger of one pool."""


class Snapshot(NamedTuple):
    """What everybody sees now. ``parts``: by the id of the element; ``data``: the same as JSON."""

    at_ms: int  # wall clock
    title: str
    level: str  # good, warn, bad
    pools: tuple[str, ...]  # ids of the cards, in order
    parts: dict[str, Element]
    data: dict[str, str]


class Snapshots:
    """Makes snapshots when somebody asks."""

    def __init__(self, seen: PageSource, troubles: Callable[[], Iterable[str]]):
        """``troubles``: sentences about what the guard cannot tell anybody."""
        self.events = RecentEvents(seen)
        self._seen = seen
        self._troubles = troubles
        self._last: Snapshot | None = None
        self._good_until = 0.0
        self._making: asyncio.Task[Snapshot] | None = None

    async def now(self) -> Snapshot:
        """A snapshot: a second old at most, or older where making one takes long."""
        if self._last is not None and time.monotonic() < self._good_until:
            return self._last
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make(), name="page snapshot")
        return await asyncio.shield(self._making)

    async def close(self) -> None:
        """Stop what runs."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        await self.events.close()

    async def _make(self) -> Snapshot:
        began, spent = time.monotonic(), time.process_time()
        views: list[PoolView] = []
        cards: dict[str, Element] = {}
        data: dict[str, str] = {}
        async for view, card in self._cards():
            views.append(view)
            name = card.attributes["id"]
            cards[name], data[name] = card, _json(card)
        about = self._seen.about()
        nginx = next((view.nginx for view in views), None)
        told = top.notes(about, nginx, self._troubles())
        worst = top.overall(views, told)
        others = {
            "whose": top.head(about),
            "now": top.banner(views, told),
            "events": listed(await self.events.latest()),
            "foot": top.foot(about, nginx),
        }
        data.update((name, _json(part)) for name, part in others.items())
        self._last = Snapshot(
            time.time_ns() // 1_000_000,
            top.title(about, worst, views),
            worst,
            tuple(cards),
            {**others, **cards},
            data,
        )
        cost = time.process_time() - spent  # with that of others in between: the careful side
        self._good_until = began + max(FRESH, cost / SHARE)
        return self._last

    async def _cards(self) -> AsyncIterator[tuple[PoolView, Element]]:
        names = list(self._seen.pools())
        async for name in in_slices(names):
            try:
                view = self._seen.pool(name)
                if len(names) > CARDS and level(view) == GOOD:
                    yield view, pool.row(view)
                else:
                    yield view, pool.card(self._seen.why(name), self._releases(name))
            except KeyError:  # gone by a reload in between
                continue

    def _releases(self, name: str) -> ReleasesView | None:
        ledger = self._seen.releases(name)
        return ledger if ledger.configured else None


def _json(part: Element) -> str:
    return json.dumps(plain(part), separators=(",", ":"))
