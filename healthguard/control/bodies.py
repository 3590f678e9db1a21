"""Reading the body of an order, strictly."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from healthguard.control.errors import ApiError
from healthguard.core import durations

LONGEST_REASON = 500


def _name(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 200 or not value.isprintable():
        raise ValueError("must be a name")
    return value


def _reason(value: object) -> str:
    # Printable: it goes into logs, terminals and notifications as one line.
    if not isinstance(value, str) or len(value) > LONGEST_REASON or not value.isprintable():
        raise ValueError(f"must be one line of text, at most {LONGEST_REASON} characters")
    return value.strip()


def _given_reason(value: object) -> str:
    reason = _reason(value)
    if not reason:
        raise ValueError("must not be empty")
    return reason


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _length(value: object) -> int:
    whole_seconds = isinstance(value, int) and not isinstance(value, bool)
    return durations.parse(f"{value}s" if whole_seconds else value)


@dataclass(frozen=True, slots=True)
class _Field:
    argument: str  # of Guard.order
    read: Callable[[object], object]
    required: bool = False


VERBS: Mapping[str, Mapping[str, _Field]] = {
    "switch": {
        "to": _Field("upstream", _name, required=True),
        "reason": _Field("reason", _reason),
        "force": _Field("force", _flag),
        "dry_run": _Field("dry_run", _flag),
    },
    "rollback": {"reason": _Field("reason", _reason)},
    "pause": {
        "for": _Field("for_ms", _length, required=True),
        "reason": _Field("reason", _given_reason, required=True),
    },
    "resume": {},
    "ack": {},
    "good": {"upstream": _Field("upstream", _name, required=True)},
    "clear": {"upstream": _Field("upstream", _name, required=True)},
    "approve": {"id": _Field("proposal", _name), "reason": _Field("reason", _reason)},
    "reject": {"reason": _Field("reason", _reason)},
}


def arguments(verb: str, raw: bytes) -> dict[str, object]:
    """The keyword arguments of ``Guard.order`` that ``raw`` asks for. ApiError 400 otherwise."""
    allowed = VERBS[verb]
    given = _object(raw)
    problems = [
        f"{name[:80]!r}: unknown (known: {', '.join(allowed) or 'none'})"
        for name in given
        if name not in allowed
    ]
    found: dict[str, object] = {}
    for name, field in allowed.items():
        if name not in given:
            if field.required:
                problems.append(f"{name!r}: is missing")
            continue
        try:
            found[field.argument] = field.read(given[name])
        except ValueError as error:
            problems.append(f"{name!r}: {error}")
    if problems:
        raise ApiError(400, "bad_request", "; ".join(problems))
    return found


def nothing(raw: bytes) -> None:
    """The order takes no fields: ApiError 400 if there are some."""
    if _object(raw):
        raise ApiError(400, "bad_request", "this order takes no fields")


def _object(raw: bytes) -> dict[str, object]:
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except RecursionError:
        raise ApiError(400, "bad_json", "the body is nested too deeply") from None
    except ValueError as error:  # includes bytes that are not UTF-8
        raise ApiError(400, "bad_json", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", "the body must be a JSON object")
    return value


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
