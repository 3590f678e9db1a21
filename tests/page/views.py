"""A daemon made by hand: what the page asks of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

from healthguard.telemetry.follow import Follower, Followers
from healthguard.views.documents import AboutView, ReleasesView, SwitcherView, WhyView
from tests.support.views import AT, about, pool, releases


class FakeGuard:
    """Fulfils ``snapshot.PageSource``."""

    def __init__(self, *pools: WhyView) -> None:
        self.views = {each.pool: each for each in pools or (pool(),)}
        self.past: list[dict[str, Any]] = []
        self.disabled: str | None = None
        self.reload_ok = True
        self.switcher: SwitcherView | None = None
        self.asked = 0
        self._followers = Followers()

    def about(self) -> AboutView:
        made = about(switcher=self.switcher, disabled=self.disabled)
        return replace(made, config=replace(made.config, last_reload_successful=self.reload_ok))

    def pools(self) -> Iterable[str]:
        self.asked += 1
        return list(self.views)

    def pool(self, name: str) -> WhyView:
        return self.views[name]

    def why(self, name: str) -> WhyView:
        return self.views[name]

    def releases(self, name: str) -> ReleasesView:
        return releases(name, configured=False)

    def events(self, since_wall_ms: int, pool: str | None = None) -> list[dict[str, Any]]:
        return list(self.past)

    def follow(self, pool: str | None = None) -> AsyncIterator[dict[str, Any]]:
        made: Follower = self._followers.add(pool)
        return made

    def happens(self, **event: Any) -> None:
        self._followers.feed({"ts": AT, "id": f"{id(event)}", "pool": "threader", **event})

    async def settle(self) -> None:
        await asyncio.sleep(0)
