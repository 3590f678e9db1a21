"""The schema of the control API.

``PYTHONPATH=packaging .venv/bin/python -m makers.api_schema > docs/api.schema.json``

The documents are the dataclasses of ``healthguard.views``; answers to orders and errors, which
are no documents of their own, are written here by hand.
"""

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from healthguard.machine.codec import keys_and_types
from healthguard.views import documents, model

VERSION = 1  # of the API, as in its paths: new fields do not change it
SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
DOCUMENTS: Mapping[str, type] = {
    "GET /v1/status": documents.StatusView,
    "GET /v1/proposals": documents.ProposalsView,
    "GET /v1/pools/POOL": model.PoolView,
    "GET /v1/pools/POOL/why": documents.WhyView,
    "GET /v1/pools/POOL/ready": documents.ReadyView,
    "GET /v1/pools/POOL/releases": documents.ReleasesView,
}
OTHERS: Mapping[str, Any] = {
    "Event": {
        "description": "A line of GET /v1/events. What else it has is in docs/events.md.",
        "type": "object",
        "required": ["ts", "id", "event", "pool"],
        "properties": {key: {"type": "string"} for key in ("ts", "id", "event", "pool")},
    },
    "Outcome": {
        "description": "The answer to an order; data of the outcome stands beside these fields.",
        "type": "object",
        "required": ["outcome", "exit_code", "message"],
        "properties": {
            "outcome": {
                "enum": ["done", "waiting", "refused", "invalid", "forbidden", "undone", "lost"]
            },
            "exit_code": {"type": "integer", "minimum": 0, "maximum": 6},
            "message": {"type": "string"},
            "error": {"$ref": "#/$defs/Problem"},
            "gates": {"type": "array", "items": {"$ref": "#/$defs/GateView"}},
        },
    },
    "Error": {
        "description": "Every answer that is an error, of an order or of the API itself.",
        "type": "object",
        "required": ["error", "exit_code"],
        "properties": {
            "error": {"$ref": "#/$defs/Problem"},
            "exit_code": {"type": "integer", "minimum": 1, "maximum": 6},
            "known": {"type": "array", "items": {"type": "string"}},
        },
    },
    "Problem": {
        "description": "One word for programs, one sentence for people.",
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    },
}


def schema() -> dict[str, Any]:
    """The whole schema. ``answers``: which definition the answer to a request fits, or an error."""
    found: dict[str, Any] = {}
    answers = {request: _reference(kind, found) for request, kind in DOCUMENTS.items()}
    answers["GET /v1/events"] = {"$ref": "#/$defs/Event"}
    answers["POST"] = {"$ref": "#/$defs/Outcome"}
    answers["error"] = {"$ref": "#/$defs/Error"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "healthguard control API",
        "version": VERSION,
        "answers": answers,
        "$defs": dict(sorted({**found, **OTHERS}.items())),
    }


def _reference(kind: type, found: dict[str, Any]) -> dict[str, Any]:
    """A reference to the definition of a dataclass, which is put into ``found``."""
    if kind.__name__ not in found:
        fields = keys_and_types(kind)
        found[kind.__name__] = {
            "description": " ".join((kind.__doc__ or "").replace("``", "`").split()),
            "type": "object",
            "required": list(fields),
            "properties": {name: _value(each, found) for name, each in fields.items()},
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _value(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if kind in SCALARS:
        return {"type": SCALARS[kind]}
    if origin is UnionType:
        several = [_value(each, found) for each in inner]
        plain = all(set(each) == {"type"} for each in several)
        return {"type": [each["type"] for each in several]} if plain else {"anyOf": several}
    if is_dataclass(kind) and isinstance(kind, type):
        return _reference(kind, found)
    if origin is tuple:
        return {"type": "array", "items": _value(inner[0], found)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _value(inner[1], found)}
    if kind is object:
        return {}
    raise TypeError(f"no schema for {kind}")


def written() -> str:
    """The text of docs/api.schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(written(), end="")
