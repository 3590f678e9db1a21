"""A document as another version of the daemon may have sent it, back as its dataclass."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from healthguard.machine.codec import decode, keys_and_types

T = TypeVar("T")


def received(kind: type[T], raw: object) -> T:
    """The ``kind`` in ``raw``. What is missing is empty, what is unknown is passed over.

    So the command line shows what there is when it is newer or older than the daemon. ValueError,
    naming the place, for anything that is of another type.
    """
    return decode(kind, _whole(kind, raw))


def _whole(kind: Any, raw: Any) -> Any:
    """``raw`` with all that ``kind`` has; what is of another type stays, for `decode` to refuse."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if raw is None else _whole(inner[0], raw)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(raw, Mapping | None):
        given = raw or {}
        return {key: _whole(each, given.get(key)) for key, each in keys_and_types(kind).items()}
    if origin is Mapping and isinstance(raw, Mapping | None):
        return {key: _whole(inner[1], each) for key, each in (raw or {}).items()}
    if origin is tuple and isinstance(raw, list | None):
        return [_whole(inner[0], each) for each in raw or ()]
    if raw is None and isinstance(kind, type):
        return kind()
    return raw
