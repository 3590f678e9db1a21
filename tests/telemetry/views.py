"""Pools as status shows them, made by hand."""

from collections.abc import Iterator
from typing import Any

GATES = """
disabled link_unmanaged nginx_down nginx_upgrading active_unknown lost starting self_unhealthy
switch_in_flight no_target known_bad unproven standby_not_up dependency_down
switcher_unavailable config_invalid min_down cooldown latched forced paused mode
"""


def upstream(health: str = "up", fails: int = 0) -> dict[str, Any]:
    probe = {"health": health, "passes": 3, "fails": fails, "last": None}
    return {"health": health, "probes": {"health": probe}, "last_probe_wall_ms": 1_700_000_000_500}


def view(name: str = "threader", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "pool": name,
        "active": "blue",
        "active_since": "2023-11-14T22:13:20.000Z",
        "phase": "steady",
        "hold": None,
        "mode": "auto",
        "rollback_ready": True,
        "upstreams": {"blue": upstream(), "green": upstream()},
        "gates": [
            {"gate": g, "closed": False, "pending": False, "evidence": ""} for g in GATES.split()
        ],
        "paused": None,
        "proposal": None,
        "latched": False,
        "bake": None,
        "nginx": {"state": "running", "config_valid": True, "shutting_down": 0},
    }
    return {**made, **changes}


def views(number: int) -> Iterator[dict[str, Any]]:
    return (view(f"pool{i}") for i in range(number))
