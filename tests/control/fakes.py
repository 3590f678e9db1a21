"""A guard by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from healthguard.core.model import Actor, Outcome

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


def pool_view(name: str) -> dict[str, Any]:
    """As the daemon shows a pool, with everything in it."""
    probe = {
        "health": "up",
        "passes": 120,
        "fails": 0,
        "last": {"result": "pass", "reason": "", "status": 200, "latency_ms": 3, "at": 1000},
    }
    failing = {
        "health": "down",
        "passes": 0,
        "fails": 3,
        "last": {
            "result": "fail",
            "reason": "status",
            "status": 503,
            "latency_ms": 4,
            "at": "2024-05-01T12:00:00.000Z",
            "detail": "expected 200-299",
            "excerpt": SECRET,
        },
    }
    return {
        "pool": name,
        "active": "blue",
        "active_since": "2024-05-01T11:00:00.000Z",
        "active_how": "marker",
        "link": "blue",
        "target": "green",
        "phase": "holding",
        "hold": "standby_not_up",
        "hold_evidence": "green has 0 of 2 needed passes",
        "mode": "auto",
        "rollback_ready": False,
        "ready_gate": "standby_not_up",
        "ready_message": "green has 0 of 2 needed passes",
        "upstreams": {
            "blue": {
                "health": "up",
                "since": "2024-05-01T11:00:00.000Z",
                "role": "active",
                "known_bad": None,
                "good": True,
                "stable": True,
                "probes": {"health": probe},
            },
            "green": {
                "health": "down",
                "since": "2024-05-01T12:00:00.000Z",
                "role": "standby",
                "known_bad": {"reason": "left automatically", "at": "2024-05-01T12:00:00.000Z"},
                "good": False,
                "stable": False,
                "probes": {"health": failing},
            },
        },
        "dependencies": {},
        "proposal": None,
        "bake": {"upstream": "blue", "origin": "green", "until": "x", "remaining_ms": 90_000},
        "paused": {"until": int(time.time() * 1000) + 600_500, "reason": "db work", "by": "alice"},
        "latched": True,
        "forced": None,
        "lost": None,
        "cooldown_until": None,
        "budget": {"used": 1, "of": 2, "per_ms": 600_000, "daily_used": 1, "daily_of": 4},
        "last_switch": {
            "ts": "2024-05-01T11:00:00.000Z",
            "event": "switch_completed",
            "from": "green",
            "to": "blue",
            "trigger": "manual",
            "reason": "release 41",
            "detection_ms": None,
            "timings_ms": {"total": 140},
            "actor": {"user": "alice", "uid": 1000, "pid": 7},
        },
        "gates": [
            {"gate": "disabled", "closed": False, "pending": False, "evidence": "no such file"},
            {
                "gate": "standby_not_up",
                "closed": True,
                "pending": False,
                "evidence": "green has 0 of 2 needed passes",
            },
            {"gate": "config_invalid", "closed": True, "pending": True, "evidence": "not tested"},
        ],
    }


def proposal_view(pool: str = "threader") -> dict[str, Any]:
    """An open proposal."""
    return {
        "id": "threader-k3-7",
        "pool": pool,
        "from": "blue",
        "to": "green",
        "opened": int(time.time() * 1000) - 300_500,
        "reason": "blue has been failing for 3.0 s: health failed 3 times in a row (refused)",
        "gates": ["known_bad", "mode"],
        "command": f"healthguard approve {pool} --id threader-k3-7",
        "evidence": [RESULT],
    }


def releases_view(pool: str = "threader") -> dict[str, Any]:
    """The ledger of a pool."""
    since = int(time.time() * 1000) - 7_200_500
    lines = [
        {"release": "1.4.0", "status": "good", "since": since, "reason": "passed its bake"},
        {"release": "1.5.0", "status": "bad", "since": since, "reason": "it failed"},
    ]
    return {
        "pool": pool,
        "configured": True,
        "upstreams": {
            "blue": {"running": "1.4.0", "releases": lines},
            "green": {"running": None, "releases": []},
        },
    }


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
        self.open: list[dict[str, Any]] = []  # proposals
        self.ledger: dict[str, Any] = releases_view()
        self.is_ready: dict[str, Any] = {"ready": True, "gate": None, "message": "green is up"}

    def tell(self, **event: Any) -> None:
        """An event happens."""
        self.kept.append(event)
        for queue in self.followers:
            queue.put_nowait(event)

    def pools(self) -> Iterable[str]:
        return self.names

    def status(self) -> Mapping[str, object]:
        if self.broken:
            raise RuntimeError("broken on purpose")
        if self.bare:
            return {"pools": {name: {} for name in self.names}}
        return {
            "version": "0.1.0",
            "host": "web1",
            "started": "2024-05-01T10:00:00.000Z",
            "config": {"path": "/etc/hg.yaml", "last_reload_successful": False},
            "switcher": {"config_differs": True, "message": "the switcher works with another one"},
            "disabled": None,
            "nginx": {"state": "running", "config_valid": False, "shutting_down": 3},
            "pools": {name: self.pool(name) for name in self.names},
        }

    def pool(self, name: str) -> Mapping[str, object]:
        if self.broken:
            raise RuntimeError("broken on purpose")
        if name not in self.names:
            raise KeyError(name)
        if self.bare:
            return {}
        phase = self.phases.pop(0) if self.phases else "holding"
        return {**pool_view(name), "phase": phase, **self.changes}

    def why(self, name: str) -> Mapping[str, object]:
        if self.bare:
            return {}
        return {
            **self.pool(name),
            "last_decision": {
                "at": "2024-05-01T12:00:01.000Z",
                "verdict": "hold",
                "fails": 3,
                "detection_ms": 2_100,
                "evidence": [RESULT],
            },
            "would_need": ["green must pass 2 more times"],
            "by_hand": [f"healthguard switch {name} green --force"],
            "first_fail": {"probe": "health", "reason": "status", "excerpt": SECRET},
        }

    def ready(self, name: str) -> Mapping[str, object]:
        return self.is_ready

    def releases(self, name: str) -> Mapping[str, object]:
        return self.ledger

    def proposals(self) -> list[Mapping[str, object]]:
        return list(self.open)

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
