"""A pool's memory as the document that is kept on disk, and back; older versions, too."""

from collections.abc import Mapping
from typing import Any

from healthguard.core.memory import SWITCHING, VERSION, Memory
from healthguard.machine.codec import decode, encode


def save_memory(memory: Memory) -> dict[str, Any]:
    """The document."""
    return {"version": VERSION, "memory": encode(memory)}


def load_memory(document: Mapping[str, Any]) -> Memory:
    """The memory in ``document``; ValueError if its version is not known, or if it is torn."""
    version, body = document.get("version"), document.get("memory")
    if version == 1:
        try:
            body = from_version_1(body)
        except (AttributeError, TypeError) as problem:
            raise ValueError(f"memory of version 1 is damaged: {problem}") from problem
    elif version != VERSION:
        raise ValueError(f"version {version!r}, this healthguard reads {VERSION} and older")
    return decode(Memory, body)


def from_version_1(body: Any) -> Any:
    """The fields of version 0.1, where marks stood with the charges, and the end of a switch was
    reported by a copy of the event that began it.
    """
    if not isinstance(body, Mapping):
        return body
    fresh = dict(body)
    ledger, shadow = fresh.pop("ledger", None), fresh.get("shadow")
    if ledger is not None and not isinstance(ledger, Mapping):
        raise ValueError("memory of version 1: ledger: expected an object")
    if isinstance(ledger, Mapping):
        fresh["charges"] = _charges(ledger)
        fresh["marks"] = ledger.get("marks", {})
    if isinstance(shadow, Mapping):
        fresh["shadow"] = _charges(shadow)
    if isinstance(fresh.get("attempt"), Mapping):
        fresh["attempt"] = _switch(fresh["attempt"])
    return fresh


def _charges(ledger: Mapping[str, Any]) -> dict[str, Any]:
    return {"at_ms": ledger.get("charges_ms", ()), "latched_ms": ledger.get("latched_ms")}


def _switch(attempt: Mapping[str, Any]) -> dict[str, Any]:
    fields = attempt.get("fields", {})
    timings = fields.get("timings_ms") or {}
    return {
        "to": attempt.get("to"),
        "order": {
            "verb": attempt.get("verb"),
            "actor": fields.get("actor"),
            "reason": fields.get("reason", ""),
            "trigger": attempt.get("trigger"),
            "force": attempt.get("forced"),
        },
        "stage": SWITCHING,
        "since_ms": 0,
        "begun": {
            "switch_id": attempt.get("switch_id"),
            "origin": attempt.get("origin"),
            "origin_failed": attempt.get("origin_failed"),
            "reason": fields.get("reason", ""),
            "release_from": fields.get("release_from"),
            "release_to": fields.get("release_to"),
            "detection_ms": fields.get("detection_ms"),
            "prepare_ms": timings.get("prepare", 0),
            "evidence": fields.get("evidence", ()),
            "warnings": fields.get("warnings", ()),
        },
    }
