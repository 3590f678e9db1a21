"""Frozen data to JSON-ready values and back, by the types themselves. Nothing is lost."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def encode(value: object) -> Any:
    """``value`` as dicts, lists and scalars."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return value


def decode(kind: type[T], raw: object) -> T:
    """The ``kind`` that ``raw`` was encoded from. Missing fields take their defaults.

    Raises ValueError, naming the place, for anything that does not fit.
    """
    value: T = _decode(kind, raw, kind.__name__)
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(kind: Any, raw: Any, place: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if raw is None and NoneType in get_args(kind):
            return None
        return _decode(next(k for k in get_args(kind) if k is not NoneType), raw, place)
    if is_dataclass(kind):
        return _object(kind, raw, place)
    if origin is tuple:
        return _tuple(get_args(kind), raw, place)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(raw, Mapping):
            raise ValueError(f"{place}: expected an object")
        inner = get_args(kind)[1]
        return {key: _decode(inner, each, f"{place}.{key}") for key, each in raw.items()}
    if kind is object or kind is Any:
        return raw
    if not isinstance(raw, kind) or (kind is int and isinstance(raw, bool)):
        raise ValueError(f"{place}: expected {kind.__name__}, found {type(raw).__name__}")
    return raw


def _object(kind: Any, raw: Any, place: str) -> Any:
    if not isinstance(raw, Mapping):
        raise ValueError(f"{place}: expected an object")
    hints = _hints(kind)
    known = {name: each for name, each in raw.items() if name in hints}
    try:
        return kind(
            **{name: _decode(hints[name], each, f"{place}.{name}") for name, each in known.items()}
        )
    except TypeError as problem:
        raise ValueError(f"{place}: {problem}") from problem


def _tuple(inner: tuple[Any, ...], raw: Any, place: str) -> Any:
    if not isinstance(raw, list | tuple):
        raise ValueError(f"{place}: expected a list")
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_decode(inner[0], each, f"{place}[{n}]") for n, each in enumerate(raw))
    if len(inner) != len(raw):
        raise ValueError(f"{place}: expected {len(inner)} items, found {len(raw)}")
    return tuple(_decode(kind, each, place) for kind, each in zip(inner, raw, strict=True))
