"""What is spoken on the switcher's socket: one JSON object per line, both ways.

A request is ``{"do": VERB, ...}``; an answer has the verb's result and always ``config`` (what
the switcher goes by), or is ``{"error": {"code", "message"}}``.  Requests are read strictly,
answers leniently, so that a daemon and a switcher of neighbouring versions understand each other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from healthguard.core.events import Commit
from healthguard.machine import codec

MAX_LINE = 64 * 1024  # of a request; answers are made by root and may be longer
MAX_ANSWER = 1024 * 1024
MAX_ID = 200
T = TypeVar("T")


class WireError(ValueError):
    """The other side does not speak this protocol; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """Test everything a switch needs."""

    pool: str
    upstream: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """End what a crash left open."""


@dataclass(frozen=True, slots=True)
class ResultRequest:
    """How did this switch end?"""

    switch_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there, and with which configuration?"""


Request = PrepareRequest | Commit | Reconcile | ResultRequest | Ping

_VERBS: Mapping[str, type[Any]] = {
    "prepare": PrepareRequest,
    "commit": Commit,
    "reconcile": Reconcile,
    "result": ResultRequest,
    "ping": Ping,
}
_NAMES = {kind: verb for verb, kind in _VERBS.items()}


def encode(message: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def encode_request(request: Request) -> bytes:
    """One line asking for ``request``."""
    return encode({"do": _NAMES[type(request)], **codec.encode(request)})


def decode_request(line: bytes) -> Request:
    """Strictly: nothing missing, unknown or of a wrong type. WireError names a fault."""
    message = _object(line)
    verb = message.pop("do", None)
    if not isinstance(verb, str) or verb not in _VERBS:
        raise WireError(f'"do" must be one of: {", ".join(_VERBS)}')
    try:
        request: Request = codec.decode(_VERBS[verb], message, strict=True)
    except codec.Misfit as misfit:
        raise WireError(f"{verb}: {_fault(misfit)}") from None
    if isinstance(request, Commit | ResultRequest) and not 0 < len(request.switch_id) <= MAX_ID:
        raise WireError(f"{verb}: field 'switch_id' must have 1 to {MAX_ID} characters")
    return request


def _fault(misfit: codec.Misfit) -> str:
    _, _, field = misfit.place.partition(".")
    return f"field {field!r} has the wrong type" if field else misfit.problem


def decode_answer(line: bytes) -> dict[str, Any]:
    """Any JSON object. WireError for anything else."""
    return _object(line)


def load(kind: type[T], value: object) -> T:
    """What ``codec.encode`` made of a ``kind``, inside an answer; WireError."""
    try:
        return codec.decode(kind, value)
    except codec.Misfit as misfit:
        raise WireError(f"unexpected answer from the switcher: {misfit}") from None


def _object(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    if not isinstance(message, dict):
        raise WireError("not a JSON object")
    return message
