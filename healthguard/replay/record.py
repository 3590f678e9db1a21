"""A pool's inputs and the commands they led to, as lines of JSON, and back.

A segment is one header line and then one line per input, in the order ``step`` consumed them:

    {"record": 2, "version": ..., "pool": ..., "first": 1234, "reason": ..., "state": {...}}
    {"shape": {"Checked": {...}}}                 an event without its time and its own number
    [2003, 0, 0, 4211]                            ms later, change of wall - boot, shape, number
    [17, 0, {"Ordered": {...}}, 0, [{"Prepare": ...}, ...]]     an event in full, and its commands

Inputs are numbered from ``first`` on; ``POOL#NUMBER`` is the id of one. Nearly all of them repeat
an earlier one but for time and latency, so they are one short line. Nothing is rounded.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from operator import attrgetter
from typing import Any, get_args

from healthguard.core import events as ev
from healthguard.core.events import Checked, Command, DependencyChecked, Event, Observed
from healthguard.core.model import Answer, Instant
from healthguard.core.state import State
from healthguard.machine.codec import decode, encode
from healthguard.replay import old

FORMAT = 2  # 1 is of version 0.1: see old.py
_SHAPES = 4_096  # remembered per segment; what is new after that is written in full
_KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Event)}


@dataclass(frozen=True, slots=True)
class Header:
    """How a segment begins. ``reason``: start, restored, rolled or gap.

    Only a ``rolled`` segment goes on exactly where the one before it has ended.
    """

    version: str
    pool: str
    first: int
    reason: str
    state: State
    record: int = FORMAT


@dataclass(frozen=True, slots=True)
class Input:
    """One event as it was consumed. ``said``: the commands it led to, "" for none.

    ``exact``: recorded by the code that runs now. Another version has other words: then neither
    its sentences are compared nor the digest of what it saved.
    """

    seq: int
    event: Event
    said: str
    exact: bool = True

    def same(self, commands: tuple[Command, ...]) -> bool:
        """True if ``commands`` are what was recorded."""
        now = said_text(commands)
        return now == self.said or (not self.exact and _loose(now) == _loose(self.said))


def canonical(value: object) -> str:
    """``value`` as JSON, always the same text for the same value."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def said(commands: Iterable[Command]) -> list[Any]:
    """Commands as they are compared. Of a Save only a digest: memory is long, and it is state."""
    return [{type(each).__name__: _told(each)} for each in commands]


def said_text(commands: tuple[Command, ...]) -> str:
    """``said`` as canonical JSON; "" for none."""
    return canonical(said(commands)) if commands else ""


# With ``reason`` and ``evidence`` the fields in which the core makes sentences; everything else of
# an event or an answer is compared.
_SENTENCES = frozenset(("message", "failure", "detail", "warnings"))


def _loose(text: str) -> Any:
    """Recorded commands without what only one version says so."""
    return _without_sentences(json.loads(text)) if text else None


def _without_sentences(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_sentences(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: None if key == "Save" else _without_sentences(each)
        for key, each in value.items()
        if not _is_sentence(key, each, value)
    }


def _is_sentence(key: str, value: object, beside: Mapping[str, Any]) -> bool:
    """``beside``: the fields that ``key`` is one of."""
    if key == "reason":  # of a probe's result it is one of a few words
        return "probe" not in beside and "dependency" not in beside
    if key == "evidence":  # of a gate; an event has results there
        return isinstance(value, str)
    return key in _SENTENCES


def _told(command: Command) -> Any:
    if isinstance(command, ev.Save):
        text = canonical(_lean(command.memory))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
    return encode(command)


def _lean(value: Any) -> Any:
    """``value`` without what is as by default, so that a field added later changes nothing."""
    if isinstance(value, Mapping):
        return {key: _lean(each) for key, each in value.items()}
    if not is_dataclass(value):
        return encode(value)
    found = {}
    for item in fields(value):
        each, default = getattr(value, item.name), item.default
        if item.default_factory is not MISSING:
            default = item.default_factory()
        if each != default:
            found[item.name] = _lean(each)
    return found


# --------------------------------------------------------------- writing


def header_line(header: Header) -> str:
    """The first line of a segment. Order of keys is kept: the order of upstreams has meaning."""
    body = {
        "record": FORMAT,
        "version": header.version,
        "pool": header.pool,
        "first": header.first,
        "reason": header.reason,
        "state": encode(header.state),
    }
    return _line(body)


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _names(kind: Any, *without: str) -> list[str]:
    return [item.name for item in fields(kind) if item.name not in without]


def _answer_names() -> list[str]:
    return [f"answer.{name}" for name in _names(Answer, "latency_us")]


_REST: Mapping[type, Callable[[Any], Any]] = {
    Checked: attrgetter(*_names(Checked, "at", "answer"), *_answer_names()),
    DependencyChecked: attrgetter(*_names(DependencyChecked, "at", "answer"), *_answer_names()),
    Observed: attrgetter(*_names(Observed, "at", "looked_ms")),
    ev.Woke: lambda _event: (),
    ev.Turn: lambda _event: (),
}


class Encoder:
    """Inputs of one segment, in their order, to lines."""

    def __init__(self, at: Instant) -> None:
        """``at``: of the state in the header."""
        self._boot, self._offset = at.boot_ms, at.wall_ms - at.boot_ms
        self._shapes: dict[object, int] = {}

    def lines(self, event: Event, commands: tuple[Command, ...]) -> str:
        """``event`` and what it led to; two lines when it has a new shape."""
        kind, at = type(event), event.at
        boot, offset = at.boot_ms - self._boot, at.wall_ms - at.boot_ms
        shift, self._boot = offset - self._offset, at.boot_ms
        self._offset = offset
        before, shape = self._shape(kind, event)
        number = _number(event) if isinstance(shape, int) else 0
        if not commands and isinstance(shape, int):
            return f"{before}[{boot},{shift},{shape},{number}]\n"
        row: list[object] = [boot, shift, shape, number]
        if commands:
            row.append(said(commands))
        return before + _line(row)

    def _shape(self, kind: type, event: Event) -> tuple[str, object]:
        rest = _REST.get(kind)
        if rest is None:
            return "", _full(event)
        key = (kind, rest(event))
        known = self._shapes.get(key)
        if known is not None:
            return "", known
        if len(self._shapes) >= _SHAPES:
            return "", _full(event)
        self._shapes[key] = len(self._shapes)
        return _line({"shape": _full(event)}), self._shapes[key]


def _number(event: Event) -> int:
    if isinstance(event, Checked | DependencyChecked):
        return event.answer.latency_us
    return event.at.boot_ms - event.looked_ms if isinstance(event, Observed) else 0


def _full(event: Event) -> dict[str, Any]:
    body = encode(event)
    del body["at"]
    return {type(event).__name__: body}


# --------------------------------------------------------------- reading


def read_header(raw: Any) -> Header:
    """The header in a parsed line. ValueError if it is none, or of a format not known."""
    if not isinstance(raw, Mapping) or "record" not in raw:
        raise ValueError("this is not a healthguard record")
    if raw["record"] == 1:
        try:
            return decode(Header, {**raw, "state": old.state(raw["state"])})
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"not the header of a record: {problem!r}") from problem
    if raw["record"] != FORMAT:
        raise ValueError(f"record format {raw['record']!r}, this healthguard reads {FORMAT}, 1")
    return decode(Header, raw)


class Decoder:
    """Lines of one segment, after its header, to inputs. ``exact``: see Input."""

    def __init__(self, header: Header, *, exact: bool = True) -> None:
        self._old, self._pool = header.record == 1, header.pool
        self._exact = exact and not self._old
        at = header.state.at
        self._boot, self._offset = at.boot_ms, at.wall_ms - at.boot_ms
        self._seq = header.first
        self._shapes: list[Callable[[Instant, int], Event]] = []

    def read(self, raw: Any) -> Input | None:
        """The input in a parsed line; None if it only tells a shape. ValueError if damaged."""
        if isinstance(raw, dict):
            self._shapes.append(_maker(raw.get("shape"), self._old))
            return None
        try:
            boot, shift, shape, number, *more = raw
            self._boot += boot
            self._offset += shift
            at = Instant(self._boot, self._boot + self._offset)
            in_full = not isinstance(shape, int)
            make = _maker(shape, self._old, in_full=True) if in_full else self._shapes[shape]
            found = Input(self._seq, make(at, number), self._commands(more), self._exact)
        except (TypeError, IndexError) as problem:
            raise ValueError(f"not a line of a record: {problem}") from problem
        self._seq += 1
        return found

    def _commands(self, more: list[Any]) -> str:
        if not more:
            return ""
        return canonical(old.commands(more[0], self._pool) if self._old else more[0])


def _maker(raw: object, of_old: bool, *, in_full: bool = False) -> Callable[[Instant, int], Event]:
    """What makes the event again, from its time and its own number."""
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise ValueError("an event has one kind")
    name, body = next(iter(raw.items()))
    if of_old and isinstance(body, Mapping):
        try:
            name, body = old.event(name, body)
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"not an event of a record: {problem!r}") from problem
    if name not in _KINDS or not isinstance(body, Mapping):
        raise ValueError(f"there is no event {name!r}")
    template = decode(_KINDS[name], {**body, "at": {"boot_ms": 0, "wall_ms": 0}})
    kind: Any = type(template)
    values = {item.name: getattr(template, item.name) for item in fields(kind)}
    del values["at"]
    if in_full:
        return lambda at, _number: kind(at=at, **values)
    if kind in (Checked, DependencyChecked):
        answer = values.pop("answer")
        told = {name: getattr(answer, name) for name in _names(Answer, "latency_us")}
        return lambda at, number: kind(at=at, answer=Answer(latency_us=number, **told), **values)
    if kind is Observed:
        del values["looked_ms"]
        return lambda at, number: kind(at=at, looked_ms=at.boot_ms - number, **values)
    return lambda at, _number: kind(at=at, **values)
