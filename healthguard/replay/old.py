"""Records of version 0.1 as this version reads them: plain JSON in, plain JSON out.

Its state was flat, a switch on its way and one that had begun had two shapes, and some events
and commands had other names.
"""

from collections.abc import Mapping
from typing import Any

from healthguard.core.memory import INTERRUPTED, SWITCHING
from healthguard.machine.memory import from_version_1

Raw = Mapping[str, Any]

_EVENTS = {"Tested": "Prepared"}
_COMMANDS = {
    "Test": "Prepare",
    "Queue": "AskTurn",
    "Release": "GiveBackTurn",
    "Switch": "Commit",
    "Record": "Say",
}
_SEEN = ("link", "nginx", "marker", "marker_problem", "disabled", "stamp", "looked_ms", "doubt")
_DOING = ("settled_ms", "unsettled", "retry_ms", "held_ms", "veto_ms", "would", "wake_ms")
_ORDER = ("verb", "actor", "upstream", "reason", "trigger", "force", "dry_run", "for_ms",
          "proposal", "order_id")  # fmt: skip


def state(raw: Raw) -> dict[str, Any]:
    """The state in the header of a segment."""
    work, memory = raw.get("work"), from_version_1(raw["memory"])
    if memory.get("attempt") is not None:
        memory["attempt"] = {**memory["attempt"], **_begun(work)}
    waits = work is not None and work["stage"] != SWITCHING
    return {
        "policy": raw["policy"],
        "memory": memory,
        "at": raw["at"],
        "upstreams": raw["upstreams"],
        "dependencies": raw.get("dependencies", {}),
        "seen": {
            **{name: raw[name] for name in _SEEN if name in raw},
            "prepares": raw.get("tests", {}),
            "dependencies_up": raw.get("dependencies_seen", ()),
        },
        "doing": {
            **{name: raw[name] for name in _DOING if name in raw},
            "switch": _waiting(work) if work is not None and waits else None,
            "waiting": work["orders"] if work is not None else (),
            "dry_runs": [_dry_run(each) for each in raw.get("dry_runs", ())],
            "preparing": raw.get("testing"),
            "preparing_stamp": raw.get("testing_stamp", ""),
        },
        "told": {
            "epoch": raw.get("epoch", ""),
            "seq": raw.get("seq", 0),
            **{
                name: raw[f"told_{name}"]
                for name in ("phase", "hold", "down", "ready")
                if f"told_{name}" in raw
            },
        },
        "calm": raw.get("told_phase") in ("steady", "baking"),
        "awaits_passes": (raw.get("told_ready") or (True, ""))[1] == "standby_not_up",
    }


def _begun(work: Raw | None) -> dict[str, Any]:
    """What only the switch under way knew of the one that was remembered."""
    if work is None or work["stage"] != SWITCHING:
        return {"stage": INTERRUPTED}
    return {"stage": SWITCHING, "tries": work["tries"], "waived": work["waived"]}


def _waiting(work: Raw) -> dict[str, Any]:
    order_id = work["orders"][0] if work["orders"] else ""
    order = {name: work[name] for name in ("verb", "actor", "reason", "trigger", "force")}
    return {
        "to": work["to"],
        "order": {**order, "order_id": order_id},
        **{name: work[name] for name in ("stage", "since_ms", "tries", "waived")},
    }


def _dry_run(raw: Raw) -> dict[str, Any]:
    order = {name: raw[name] for name in ("verb", "trigger", "force", "order_id")}
    return {"order": {**order, "dry_run": True}, "to": raw["to"], "since_ms": raw["since_ms"]}


def event(name: str, body: Raw) -> tuple[str, Raw]:
    """(name, fields) of one input."""
    if name == "Ordered":
        return name, {"order": {key: body[key] for key in _ORDER if key in body}}
    if name == "Restored" and body.get("memory") is not None:
        return name, {**body, "memory": from_version_1(body["memory"])}
    return _EVENTS.get(name, name), body


def commands(said: list[Raw], pool: str) -> list[dict[str, Any]]:
    """The commands that one input led to."""
    return [_command(name, body, pool) for each in said for name, body in each.items()]


def _command(name: str, body: Any, pool: str) -> dict[str, Any]:
    if name == "Switch":
        body = {**body, "pool": pool}
    return {_COMMANDS.get(name, name): body}
