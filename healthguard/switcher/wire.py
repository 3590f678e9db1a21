"""What is spoken on the switcher's socket: one JSON object per line, both ways.

A request is ``{"do": VERB, ...}``; an answer has the verb's result and always ``config`` (what
the switcher goes by), or is ``{"error": {"code", "message"}}``.  Requests are read strictly,
answers leniently, so that a daemon and a switcher of neighbouring versions understand each other.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from healthguard.core.events import Commit
from healthguard.core.model import Done, Instant, PrepareFact
from healthguard.nginx.ports import Recovered

MAX_LINE = 64 * 1024  # of a request; answers are made by root and may be longer
MAX_ANSWER = 1024 * 1024
MAX_ID = 200


class WireError(ValueError):
    """The other side does not speak this protocol; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Test everything a switch needs."""

    pool: str
    upstream: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """End what a crash left open."""


@dataclass(frozen=True, slots=True)
class Result:
    """How did this switch end?"""

    switch_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there, and with which configuration?"""


Request = Prepare | Commit | Reconcile | Result | Ping

_VERBS: Mapping[str, type[Any]] = {
    "prepare": Prepare,
    "commit": Commit,
    "reconcile": Reconcile,
    "result": Result,
    "ping": Ping,
}
_NAMES = {kind: verb for verb, kind in _VERBS.items()}
_TEXT: tuple[type, ...] = (str,)
_OPTIONAL = frozenset({"force"})
_KINDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "prepare": {"pool": _TEXT, "upstream": _TEXT},
    "commit": {
        "switch_id": _TEXT,
        "pool": _TEXT,
        "ticket": _TEXT,
        "origin": (str, type(None)),
        "to": _TEXT,
        "undo_unclear": (bool,),
        "force": (bool,),
    },
    "reconcile": {},
    "result": {"switch_id": _TEXT},
    "ping": {},
}


def encode(message: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def encode_request(request: Request) -> bytes:
    """One line asking for ``request``."""
    return encode({"do": _NAMES[type(request)], **asdict(request)})


def decode_request(line: bytes) -> Request:
    """Strictly: nothing missing, unknown or of a wrong type. WireError names the first fault."""
    message = _object(line)
    verb = message.pop("do", None)
    if not isinstance(verb, str) or verb not in _VERBS:
        raise WireError(f'"do" must be one of: {", ".join(_VERBS)}')
    kinds = _KINDS[verb]
    unknown = sorted(set(message) - set(kinds))
    if unknown:
        raise WireError(f"{verb}: unknown field {unknown[0][:80]!r}")
    for name, kind in kinds.items():
        if name not in message and name in _OPTIONAL:
            continue
        if name not in message:
            raise WireError(f"{verb}: field {name!r} is missing")
        if not isinstance(message[name], kind):
            raise WireError(f"{verb}: field {name!r} has the wrong type")
        if name == "switch_id" and not 0 < len(message[name]) <= MAX_ID:
            raise WireError(f"{verb}: field {name!r} must have 1 to {MAX_ID} characters")
    request: Request = _VERBS[verb](**message)
    return request


def decode_answer(line: bytes) -> dict[str, Any]:
    """Any JSON object. WireError for anything else."""
    return _object(line)


def _object(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    if not isinstance(message, dict):
        raise WireError("not a JSON object")
    return message


# --------------------------------------------------------------- the values inside


def dump_test(fact: PrepareFact) -> dict[str, Any]:
    """JSON-ready."""
    return asdict(fact)


def load_test(value: object) -> PrepareFact:
    """The opposite of ``dump_test``; WireError."""
    item = _fields(value)
    try:
        at = item["at"]
        return PrepareFact(
            at=Instant(int(at["boot_ms"]), int(at["wall_ms"])),
            ticket=None if item["ticket"] is None else str(item["ticket"]),
            gate=str(item.get("gate", "")),
            message=str(item.get("message", "")),
            stamp=str(item.get("stamp", "")),
            took_ms=int(item.get("took_ms", 0)),
        )
    except (KeyError, TypeError, ValueError):
        raise WireError("not the result of a prepare") from None


def dump_done(done: Done) -> dict[str, Any]:
    """JSON-ready."""
    plain = {item.name: getattr(done, item.name) for item in fields(done)}
    return {**plain, "timings_ms": dict(done.timings_ms)}


def load_done(value: object) -> Done:
    """The opposite of ``dump_done``; WireError."""
    item = _fields(value)
    try:
        timings = {str(name): int(ms) for name, ms in dict(item.get("timings_ms", {})).items()}
        return Done(
            outcome=str(item["outcome"]),
            gate=str(item.get("gate", "")),
            message=str(item.get("message", "")),
            confirm=str(item.get("confirm", "")),
            timings_ms=timings,
            durable=bool(item.get("durable", True)),
            link=str(item.get("link", "")),
            master=str(item.get("master", "")),
            recovered=bool(item.get("recovered", False)),
        )
    except (KeyError, TypeError, ValueError):
        raise WireError("not the result of a commit") from None


def dump_recovered(item: Recovered) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "switch_id": item.switch_id,
        "pool": item.pool,
        "to": item.to,
        "done": dump_done(item.done),
    }


def load_recovered(value: object) -> Recovered:
    """The opposite of ``dump_recovered``; WireError."""
    item = _fields(value)
    try:
        names = (str(item["switch_id"]), str(item["pool"]), str(item["to"]))
    except KeyError:
        raise WireError("not a recovered switch") from None
    return Recovered(*names, done=load_done(item.get("done")))


def _fields(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WireError("not a JSON object")
    return value
