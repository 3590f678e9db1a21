"""A daemon made by hand: what the page asks of it, and views as the core makes them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from healthguard.telemetry.follow import Follower, Followers

AT = "2026-03-01T03:00:00.000Z"
GATES = ("disabled", "no_target", "standby_not_up", "min_down", "cooldown", "latched", "mode")


def result(word: str = "pass", reason: str = "", took: float = 1.5) -> dict[str, Any]:
    return {"result": word, "reason": reason, "latency_ms": took, "at": AT}


def upstream(health: str = "up", role: str = "standby", **changes: Any) -> dict[str, Any]:
    last = {**result(), "status": 200, "detail": ""}
    fails = 0
    if health == "down":
        last = {**result("fail", "status"), "status": 503, "detail": "expected 200-299"}
        fails = 7
    probe = {"health": health, "passes": 3, "fails": fails, "last": last}
    made: dict[str, Any] = {
        "health": health,
        "since": AT,
        "role": role,
        "release": None,
        "release_status": None,
        "known_bad": None,
        "good": False,
        "stable": False,
        "baking": False,
        "last_probe_wall_ms": 1,
        "probes": {"health": probe},
    }
    return {**made, **changes}


def pool(name: str = "threader", **changes: Any) -> dict[str, Any]:
    """A pool that is well, as `why` shows it."""
    made: dict[str, Any] = {
        "pool": name,
        "active": "blue",
        "active_since": AT,
        "active_how": "marker",
        "active_problem": "",
        "link": "blue",
        "target": "green",
        "phase": "steady",
        "hold": None,
        "hold_evidence": "",
        "mode": "auto",
        "standby": "warm",
        "rollback_ready": True,
        "ready_gate": None,
        "ready_message": "a rollback would succeed now",
        "upstreams": {"blue": upstream(role="active"), "green": upstream()},
        "dependencies": {},
        "proposal": None,
        "bake": None,
        "paused": None,
        "latched": False,
        "forced": None,
        "lost": None,
        "cooldown_until": None,
        "budget": {"used": 0, "of": 2, "per_ms": 600_000, "daily_used": 0, "daily_of": 4},
        "nginx": {"state": "running", "detail": "", "config_valid": True, "shutting_down": 0},
        "gates": [
            {"gate": gate, "closed": False, "pending": False, "evidence": "fine"} for gate in GATES
        ],
        "failure": "",
        "remedies": {},
        "by_hand": [f"healthguard switch {name} green --reason TEXT"],
        "results": {
            "upstreams": {c: {"health": [result()] * 10} for c in ("blue", "green")},
            "dependencies": {},
        },
    }
    return {**made, **changes}


class FakeGuard:
    """Fulfils ``snapshot.PageSource``."""

    def __init__(self, *pools: dict[str, Any]) -> None:
        self.views = {each["pool"]: each for each in pools or (pool(),)}
        self.past: list[dict[str, Any]] = []
        self.disabled: str | None = None
        self.reload_ok = True
        self.switcher: dict[str, Any] | None = None
        self.asked = 0
        self._followers = Followers()

    def about(self) -> dict[str, Any]:
        config = {
            "path": "/etc/healthguard/healthguard.yaml",
            "digest": "abcdef0123456789",
            "last_reload_successful": self.reload_ok,
            "last_reload": AT,
        }
        return {
            "version": "0.1.0",
            "host": "web1",
            "started": AT,
            "config": config,
            "switcher": self.switcher,
            "disabled": self.disabled,
        }

    def pools(self) -> Iterable[str]:
        self.asked += 1
        return list(self.views)

    def pool(self, name: str) -> dict[str, Any]:
        return self.views[name]

    def why(self, name: str) -> dict[str, Any]:
        return self.views[name]

    def releases(self, name: str) -> dict[str, Any]:
        return {"pool": name, "configured": False, "upstreams": {}}

    def events(self, since_wall_ms: int, pool: str | None = None) -> list[dict[str, Any]]:
        return list(self.past)

    def follow(self, pool: str | None = None) -> AsyncIterator[dict[str, Any]]:
        made: Follower = self._followers.add(pool)
        return made

    def happens(self, **event: Any) -> None:
        self._followers.feed({"ts": AT, "id": f"{id(event)}", "pool": "threader", **event})

    async def settle(self) -> None:
        await asyncio.sleep(0)
