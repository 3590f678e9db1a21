"""Frozen data to JSON-ready values and back, by the types themselves. Nothing is lost.

A field ``from_`` is ``from`` in JSON: Python keeps that word for itself.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Misfit(ValueError):
    """A value that is not what was encoded. ``place``: where in it; ``problem``: what is wrong."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


def encode(value: object) -> Any:
    """``value`` as dicts, lists and scalars. Fields keep their order."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: encode(each) for key, each in shallow(value).items()}
    if isinstance(value, Mapping):
        return {str(key): encode(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return value


def shallow(value: Any) -> Mapping[str, Any]:
    """The fields of a dataclass as they are, for json.dumps: it asks again for those in them."""
    if _is_its_json(value.__class__):
        found: Mapping[str, Any] = value.__dict__  # no copy: a status has many of them
        return found
    return {key: getattr(value, name) for name, key in _keys(value.__class__).items()}


def decode(kind: type[T], raw: object, *, strict: bool = False) -> T:
    """The ``kind`` that ``raw`` was encoded from. Missing fields take their defaults.

    Unknown fields, of a newer version perhaps, are passed over; ``strict`` refuses them.
    Raises Misfit for anything that does not fit.
    """
    value: T = _decode(kind, raw, kind.__name__, strict)
    return value


def keys_and_types(kind: type) -> dict[str, Any]:
    """What the JSON of a dataclass has: the type of each key, in order."""
    return {key: _hints(kind)[name] for name, key in _keys(kind).items()}


@cache
def _keys(kind: type) -> dict[str, str]:
    """The key of each field, in order."""
    return {item.name: item.name.removesuffix("_") for item in fields(kind)}


@cache
def _is_its_json(kind: type) -> bool:
    """Its own dictionary has the keys of its JSON: no slots, and no field ``from_``."""
    return not hasattr(kind, "__slots__") and all(name == key for name, key in _keys(kind).items())


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(kind: Any, raw: Any, place: str, strict: bool) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if raw is None and NoneType in get_args(kind):
            return None
        return _decode(next(k for k in get_args(kind) if k is not NoneType), raw, place, strict)
    if is_dataclass(kind):
        return _object(kind, raw, place, strict)
    if origin is tuple:
        return _tuple(get_args(kind), raw, place, strict)
    if origin is list:
        return list(_tuple((get_args(kind)[0], ...), raw, place, strict))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(raw, Mapping):
            raise Misfit(place, "expected an object")
        inner = get_args(kind)[1]
        return {key: _decode(inner, each, f"{place}.{key}", strict) for key, each in raw.items()}
    if kind is object or kind is Any:
        return raw
    if not isinstance(raw, kind) or (kind is int and isinstance(raw, bool)):
        raise Misfit(place, f"expected {kind.__name__}, found {type(raw).__name__}")
    return raw


def _object(kind: Any, raw: Any, place: str, strict: bool) -> Any:
    if not isinstance(raw, Mapping):
        raise Misfit(place, "expected an object")
    hints, keys = _hints(kind), _keys(kind)
    known = {name: raw[key] for name, key in keys.items() if key in raw}
    if strict and len(known) < len(raw):
        raise Misfit(place, f"unknown field {min(raw.keys() - set(keys.values()))[:80]!r}")
    found = {n: _decode(hints[n], each, f"{place}.{n}", strict) for n, each in known.items()}
    try:
        return kind(**found)
    except TypeError:
        raise Misfit(place, f"field {_missing(kind, found)!r} is missing") from None


def _missing(kind: Any, found: Mapping[str, Any]) -> str:
    """The first field that has no default and was not given."""
    needed = (f for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return next(item.name for item in needed if item.name not in found)


def _tuple(inner: tuple[Any, ...], raw: Any, place: str, strict: bool) -> Any:
    if not isinstance(raw, list | tuple):
        raise Misfit(place, "expected a list")
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_decode(inner[0], e, f"{place}[{n}]", strict) for n, e in enumerate(raw))
    if len(inner) != len(raw):
        raise Misfit(place, f"expected {len(inner)} items, found {len(raw)}")
    return tuple(_decode(kind, e, place, strict) for kind, e in zip(inner, raw, strict=True))
