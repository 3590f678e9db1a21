"""The kinds that are made of others: sections of named keys, lists, mappings, alternatives."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healthguard.config.document import Entry, Node, join, node_of
from healthguard.config.kinds import BAD, Kind, ScalarKind, Schema, Text
from healthguard.config.problems import Report
from healthguard.machine.names import closest


class _Mark:
    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return self._name


REQUIRED = _Mark("required")
ABSENT = _Mark("absent")  # may be left out, and nothing stands for it


@dataclass(frozen=True, slots=True)
class Field:
    """One key: the same row makes the parser, the schema and the reference.

    ``default`` is a value, as ``kind`` reads it. ``doc`` is one or two plain sentences.
    """

    key: str
    kind: Kind
    doc: str
    default: Any = ABSENT


class Section(Kind):
    """A mapping with known keys. Reading gives a dict of the keys that are there.

    ``data``: the dataclass that ``make`` makes of it. It has the defaults, and one field for each
    key: ``interval_ms`` for ``interval``, ``budget_per_ms`` for ``per`` in ``budget``.
    """

    words = "a mapping"

    def __init__(self, *fields: Field, later: Sequence[str] = (), data: type[Any] | None = None):
        self._data, self.later = data, later
        ours = {each.name: each.default for each in dataclasses.fields(data)} if data else {}
        self._names = frozenset(ours)
        self.fields = {field.key: _with_default(field, ours) for field in fields}

    def make(self, values: Mapping[str, Any]) -> Any:
        """The dataclass, from what ``fill`` gives. Keys that it has no field for are left out."""
        assert self._data is not None
        return self._data(**dict(self._arguments(values, "", self._names)))

    def _arguments(
        self, values: Mapping[str, Any], prefix: str, names: frozenset[str]
    ) -> Iterator[tuple[str, Any]]:
        for key, field in self.fields.items():
            name, value = f"{prefix}{key}", values[key]
            if isinstance(field.kind, Section):
                if value is not None:
                    yield from field.kind._arguments(value, f"{name}_", names)
            elif f"{name}_us" in names:
                yield f"{name}_us", None if value is None else value * 1_000
            elif name in names or f"{name}_ms" in names:
                yield name if name in names else f"{name}_ms", value

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind. A key whose value was refused stands in the dict as BAD."""
        if not isinstance(node.value, dict):
            empty = node.value is None
            report.add(path, "is empty: remove it or write {}" if empty else "must be a mapping")
            return BAD
        values: dict[str, Any] = {}
        for key, entry in node.value.items():
            below = join(path, key)
            report.at(below, entry.line)
            if key in self.fields:
                values[key] = self.fields[key].kind.read(entry.node, below, report)
            else:
                report.add(below, self._unknown(key), entry.line)
        for field in self.fields.values():
            if field.default is REQUIRED and field.key not in values:
                report.add(join(path, field.key), "is missing")
                values[field.key] = BAD
        return values

    def fill(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` with the default of every key that is not there (None: no default)."""
        return {key: self._filled(field, values) for key, field in self.fields.items()}

    def _filled(self, field: Field, values: Mapping[str, Any]) -> Any:
        given = values.get(field.key, ABSENT)
        if isinstance(field.kind, Section) and (given is not ABSENT or field.default == {}):
            return BAD if given is BAD else field.kind.fill({} if given is ABSENT else given)
        if given is not ABSENT:
            return given
        return None if field.default in (ABSENT, REQUIRED) else field.default

    def _unknown(self, key: str) -> str:
        if key in self.later:
            return "is not supported by this version"
        if key == "<<":
            return "merge keys are not supported: use defaults: or an alias of a whole value"
        close = closest(key, self.fields)
        return f"is not a known key; did you mean {close}?" if close else "is not a known key"

    def schema(self) -> Schema:
        """See Kind."""
        schema: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {key: _described(field) for key, field in self.fields.items()},
        }
        required = [key for key, field in self.fields.items() if field.default is REQUIRED]
        return schema | ({"required": required} if required else {})


def default_of(data: type[Any], name: str) -> Any:
    """The default of one field of a dataclass."""
    return next(each.default for each in dataclasses.fields(data) if each.name == name)


def _with_default(field: Field, ours: Mapping[str, Any], prefix: str = "") -> Field:
    """``field`` with the default that the dataclass has for it, unless it has one of its own."""
    name = f"{prefix}{field.key}"
    if isinstance(field.kind, Section) and ours:
        below = (_with_default(each, ours, f"{name}_") for each in field.kind.fields.values())
        return dataclasses.replace(field, kind=Section(*below, later=field.kind.later))
    found = [ours[f"{name}{unit}"] for unit in ("", "_ms") if f"{name}{unit}" in ours]
    if field.default is not ABSENT or found in ([], [None], [dataclasses.MISSING]):
        return field
    return dataclasses.replace(field, default=found[0])


def _described(field: Field) -> Schema:
    schema = {"description": field.doc} | field.kind.schema()
    if field.default in (ABSENT, REQUIRED):
        return schema
    return schema | {"default": field.kind.write(field.default)}


class ListOf(Kind):
    """A list of one kind; its value is a tuple."""

    def __init__(self, item: Kind, least: int = 1, most: int = 64):
        self.item, self._least, self._most = item, least, most
        self.words = f"a list, each {item.words}"

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind."""
        if not isinstance(node.value, list):
            report.add(path, "must be a list")
            return BAD
        if not self._least <= len(node.value) <= self._most:
            bound = f"at least {self._least}" if node.value == [] else f"at most {self._most}"
            report.add(path, f"must have {bound} {'entry' if bound[-2:] == ' 1' else 'entries'}")
            return BAD
        for number, item in enumerate(node.value):
            report.at(f"{path}[{number}]", item.line)
        read = [
            self.item.read(item, f"{path}[{number}]", report)
            for number, item in enumerate(node.value)
        ]
        return BAD if BAD in read else tuple(read)

    def write(self, value: Sequence[Any]) -> list[Any]:
        """See Kind."""
        return [self.item.write(each) for each in value]

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "array", "items": self.item.schema(), "minItems": self._least}


class Command(ListOf):
    """A program and its arguments, run without a shell."""

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind."""
        argv = super().read(node, path, report)
        if argv is not BAD and not argv[0].startswith("/"):
            report.add(f"{path}[0]", "must be the absolute path of a program")
            return BAD
        return argv


class MapOf(Kind):
    """A mapping with names of the operator's choice; its value is a dict, BAD where refused."""

    words = "a mapping"

    def __init__(self, name: Text, item: Kind, least: int = 1, few: str = "", most: int = 10_000):
        self.name, self.item, self._least, self._most = name, item, least, most
        self._few = few or f"must have at least {least} entries"

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind."""
        if not isinstance(node.value, dict):
            report.add(path, "must be a mapping")
            return BAD
        if len(node.value) < self._least:
            report.add(path, self._few)
        if len(node.value) > self._most:
            report.add(path, f"must have at most {self._most} entries")
        return {key: self._entry(key, entry, path, report) for key, entry in node.value.items()}

    def _entry(self, key: str, entry: Entry, path: str, report: Report) -> Any:
        below = join(path, key)
        report.at(below, entry.line)
        name = self.name.read(node_of(key), below, _Named(report))
        value = self.item.read(entry.node, below, report)  # whatever the name is
        return BAD if name is BAD else value

    def schema(self) -> Schema:
        """See Kind."""
        return {
            "type": "object",
            "minProperties": self._least,
            "propertyNames": self.name.schema(),
            "additionalProperties": self.item.schema(),
        }


class _Named(Report):
    """Passes problems of a key on, saying that the name is meant."""

    def __init__(self, report: Report):
        self._report = report

    def add(self, path: str, message: str, line: int | None = None) -> None:
        self._report.add(path, f"the name {message}", line)


class Either(Kind):
    """A scalar, or something longer."""

    def __init__(self, short: ScalarKind, long: Kind):
        self.short, self.long = short, long
        self.words = f"{short.words}, or {long.words}"

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind."""
        long = list if isinstance(self.long, ListOf) else dict
        return (self.long if isinstance(node.value, long) else self.short).read(node, path, report)

    def write(self, value: Any) -> Any:
        """See Kind. ``value`` is one that the scalar gives."""
        return self.short.write(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"anyOf": [self.short.schema(), self.long.schema()]}


class Nullable(ScalarKind):
    """A scalar, or null to turn it off."""

    def __init__(self, kind: ScalarKind):
        self.kind = kind
        self.words = f"{kind.words}, or null"

    def convert(self, raw: Any) -> Any:
        """See ScalarKind."""
        return None if raw is None else self.kind.convert(raw)

    def write(self, value: Any) -> Any:
        """See Kind."""
        return None if value is None else self.kind.write(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"anyOf": [self.kind.schema(), {"type": "null"}]}


class OneOf(Kind):
    """A section that is known by which one of a few keys it has."""

    words = "a mapping"

    def __init__(self, **sections: Section):
        self.sections = sections

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind."""
        if not isinstance(node.value, dict):
            report.add(path, "must be a mapping")
            return BAD
        present = [key for key in self.sections if key in node.value]
        if len(present) != 1:
            count = "only one" if present else "one"
            report.add(path, f"must have {count} of {', '.join(self.sections)}")
            return BAD
        return self.sections[present[0]].read(node, path, report)

    def schema(self) -> Schema:
        """See Kind."""
        return {"oneOf": [section.schema() for section in self.sections.values()]}
