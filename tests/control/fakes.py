"""A guard by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Any

from healthguard.core.model import Actor, Outcome
from healthguard.core.moments import iso
from healthguard.views.documents import (
    ConfigView,
    ProposalsView,
    ReleasesView,
    StatusView,
    SwitcherView,
    WhyView,
)
from healthguard.views.model import (
    BakeView,
    BudgetView,
    KnownBadView,
    NginxView,
    PauseView,
    PoolView,
    ProbeView,
    ProposalView,
)
from tests.support import views as made

SECRET = "the body of the failing answer"
RESULT = {
    "probe": "health",
    "at": "2024-05-01T12:00:00.000Z",
    "result": "fail",
    "reason": "status",
    "status": 503,
    "latency_ms": 0.8,
    "detail": "expected 200-299",
    "answer": SECRET,
}


def ago(seconds: float) -> str:
    """So long before now, as views say it."""
    return iso(int((time.time() - seconds) * 1000)) or ""


def pool_view(name: str) -> WhyView:
    """As the daemon shows a pool, with everything in it."""
    failed = made.last("fail", "status", status=503, latency_ms=4.0, detail="expected 200-299")
    bad = KnownBadView("left automatically", "2024-05-01T12:00:00.000Z")
    passing = ProbeView("up", 120, 0, made.last(latency_ms=3.0))
    return made.pool(
        name,
        active_since="2024-05-01T11:00:00.000Z",
        phase="holding",
        hold="standby_not_up",
        hold_evidence="green has 0 of 2 needed passes",
        rollback_ready=False,
        ready_gate="standby_not_up",
        ready_message="green has 0 of 2 needed passes",
        upstreams={
            "blue": made.upstream(
                role="active", good=True, stable=True, probes={"health": passing}
            ),
            "green": made.upstream(
                "down", known_bad=bad, probes={"health": ProbeView("down", 0, 3, failed)}
            ),
        },
        bake=BakeView("blue", "green", "x", 90_000, failed=False, forced=False),
        paused=PauseView(ago(-600.5), "db work", "alice"),
        latched=True,
        budget=BudgetView(used=1, of=2, per_ms=600_000, daily_used=1, daily_of=4),
        gates=(
            made.gate("disabled", evidence="no such file"),
            made.gate("standby_not_up", closed=True, evidence="green has 0 of 2 needed passes"),
            made.gate("config_invalid", closed=True, pending=True, evidence="not tested"),
        ),
        last_decision={
            "at": "2024-05-01T12:00:01.000Z",
            "verdict": "hold",
            "fails": 3,
            "detection_ms": 2_100,
            "evidence": [RESULT],
        },
        would_need=("green must pass 2 more times",),
        by_hand=(f"healthguard switch {name} green --force",),
        first_fail={"probe": "health", "reason": "status", "excerpt": SECRET},
    )


def proposal_view(pool: str = "threader") -> ProposalView:
    """An open proposal."""
    return made.proposal(pool, opened=ago(2 * 3_600 + 5), evidence=(RESULT,))


def releases_view(pool: str = "threader") -> ReleasesView:
    """The ledger of a pool."""
    return made.releases(pool, since=ago(7_200.5))


class FakeGuard:
    """Answers as it is told; remembers what was asked of it."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("threader", "billing")
        self.orders: list[dict[str, Any]] = []
        self.outcome = Outcome(code=0, message="green is active")
        self.outcomes: dict[str, Outcome] = {}  # by pool, before ``outcome``
        self.broken = False  # raise in everything
        self.bare = False  # views without any of their keys
        self.held: asyncio.Event | None = None  # orders wait for it
        self.finished = 0
        self.kept: list[dict[str, Any]] = []
        self.followers: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self.phases: list[str] = []
        self.changes: dict[str, Any] = {}  # of every pool's view
        self.open: list[Any] = []  # proposals
        self.ledger: Any = releases_view()
        self.is_ready: dict[str, Any] = {"ready": True, "gate": None, "message": "green is up"}

    def tell(self, **event: Any) -> None:
        """An event happens."""
        self.kept.append(event)
        for queue in self.followers:
            queue.put_nowait(event)

    def pools(self) -> Iterable[str]:
        return self.names

    def status(self) -> StatusView | Mapping[str, object]:
        if self.broken:
            raise RuntimeError("broken on purpose")
        if self.bare:
            return {"pools": {name: {} for name in self.names}}
        return StatusView(
            version="0.1.0",
            host="web1",
            started="2024-05-01T10:00:00.000Z",
            config=ConfigView(
                "/etc/hg.yaml", "abcdef", last_reload_successful=False, last_reload=""
            ),
            switcher=SwitcherView(None, None, True, "the switcher works with another one"),
            disabled=None,
            nginx=NginxView("running", "", config_valid=False, shutting_down=3),
            pools={name: self.pool(name) for name in self.names},  # type: ignore[misc]
        )

    def pool(self, name: str) -> PoolView | Mapping[str, object]:
        why = self.why(name)
        return made.status_of(why) if isinstance(why, WhyView) else why

    def why(self, name: str) -> WhyView | Mapping[str, object]:
        if self.broken:
            raise RuntimeError("broken on purpose")
        if name not in self.names:
            raise KeyError(name)
        if self.bare:
            return {}
        phase = self.phases.pop(0) if self.phases else "holding"
        return replace(pool_view(name), phase=phase, **self.changes)

    def ready(self, name: str) -> object:
        return self.is_ready

    def releases(self, name: str) -> object:
        return self.ledger

    def proposals(self) -> ProposalsView:
        return ProposalsView(tuple(self.open))

    async def order(self, pool: str, verb: str, actor: Actor, **more: Any) -> Outcome:
        if self.broken:
            raise RuntimeError("broken on purpose")
        self.orders.append({"pool": pool, "verb": verb, "actor": actor, **more})
        if self.held is not None:
            await self.held.wait()
        self.finished += 1
        return self.outcomes.get(pool, self.outcome)

    async def reload(self, actor: Actor) -> Outcome:
        self.orders.append({"verb": "reload", "actor": actor})
        return self.outcome

    def events(self, since_wall_ms: int, pool: str | None = None) -> list[Mapping[str, object]]:
        return [
            event
            for event in self.kept
            if event.get("at_ms", since_wall_ms) >= since_wall_ms
            and (pool is None or event.get("pool") == pool)
        ]

    async def follow(self, pool: str | None = None) -> AsyncIterator[Mapping[str, object]]:
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.followers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                if pool is None or event.get("pool") == pool:
                    yield event
        finally:
            self.followers.discard(queue)
