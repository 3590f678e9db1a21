"""YAML text to a tree of nodes that know their lines. Nothing of the product's words here.

PyYAML's event stream is read (by its C parser where there is one) instead of its loader: it
gives lines, sees duplicate keys, cannot construct objects, and its depth and size can be
bounded while reading. Plain scalars follow YAML 1.2, as editors do: ``no`` and ``1:30`` are text.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from healthguard.config.problems import Report

DEEPEST = 20
MOST_NODES = 300_000  # with every alias expanded; a thousand pools need a tenth of it

Scalar = str | int | float | bool | None

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}
_PLAIN_KEY = re.compile(r"[^\s.\[\]:\x00-\x1f\x7f]{1,64}")


@dataclass(slots=True)
class Node:
    """One value of the file. ``size`` counts it and all below it, aliases expanded."""

    line: int
    value: "Scalar | list[Node] | dict[str, Entry]"
    size: int = 1


@dataclass(slots=True)
class Entry:
    """One key of a mapping: the line of the key, and its value."""

    line: int
    node: Node


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end is not read yet."""

    node: Node
    path: str
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: str | None = None
    key_line: int = 0


def join(path: str, key: str) -> str:
    """The path of ``key`` below ``path``. A key that would be misread is shown quoted."""
    shown = key if _PLAIN_KEY.fullmatch(key) else repr(key if len(key) < 64 else key[:60] + "...")
    return f"{path}.{shown}" if path else shown


def node_of(raw: object) -> Node:
    """The node that the text of ``raw`` would give: for defaults, which stand on no line."""
    if isinstance(raw, dict):
        return Node(0, {str(key): Entry(0, node_of(value)) for key, value in raw.items()})
    if isinstance(raw, (list, tuple)):
        return Node(0, [node_of(value) for value in raw])
    assert raw is None or isinstance(raw, (str, int, float, bool))
    return Node(0, raw)


def read(text: str, report: Report) -> Node:
    """The document's tree. Raises GiveUp after reporting why there is none."""
    try:
        return _Reader(report).read(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise report.end(_explain(error, text, line), line) from error
    except yaml.reader.ReaderError as error:
        raise report.end(f"is not valid YAML: {error.reason}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise report.end(f"is not valid YAML: {error}") from error


def _explain(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return "is indented with a tab: use spaces"
    return f"is not valid YAML: {error.problem or error.context}"


class _Reader:
    """Builds the tree from events, with a stack of its own: depth is ours to bound."""

    def __init__(self, report: Report):
        self._report = report
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None

    def read(self, events: Iterator[Any]) -> Node:
        for event in events:
            self._take(event)
        if self._root is None or self._root.value is None:
            raise self._report.end("is empty: it needs at least pools", 1)
        return self._root

    def _take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                self._refuse_tag(event, line)
                self._place_scalar(event, line)
            case yaml.AliasEvent():
                self._place(self._anchor(event.anchor, line), line)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._refuse_tag(event, line)
                self._open(event, line)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case yaml.DocumentStartEvent() if self._root is not None:
                raise self._report.end("has more than one YAML document", line)

    def _refuse_tag(self, event: Any, line: int) -> None:
        if event.tag is not None and event.tag != "!":
            raise self._report.end("YAML tags (!...) are not supported", line)

    def _anchor(self, name: str | None, line: int) -> Node:
        if name is not None and name in self._anchors:
            return self._anchors[name]
        if any(part.anchor == name for part in self._stack):
            raise self._report.end(f"the alias *{str(name)[:64]} contains itself", line)
        raise self._report.end(f"the alias *{str(name)[:64]} has no anchor before it", line)

    def _open(self, event: Any, line: int) -> None:
        if len(self._stack) >= DEEPEST:
            raise self._report.end(f"is nested more than {DEEPEST} levels deep", line)
        top = self._stack[-1] if self._stack else None
        if top and self._wants_key(top):
            raise self._report.end("a key must be a word, not a list or a mapping", line)
        sequence = isinstance(event, yaml.SequenceStartEvent)
        node = Node(line, [] if sequence else {})
        self._stack.append(_Open(node, self._next_path(), event.anchor))

    def _close(self) -> None:
        top = self._stack.pop()
        if isinstance(top.node.value, list):
            top.node.value = top.items
        else:
            top.node.value = top.entries
        if top.anchor:
            self._anchors[top.anchor] = top.node
        self._place(top.node, top.node.line)

    def _place_scalar(self, event: Any, line: int) -> None:
        top = self._stack[-1] if self._stack else None
        if top and self._wants_key(top):
            top.key, top.key_line = event.value, line
            return
        node = Node(line, _resolve(event.value) if event.implicit[0] else event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._place(node, line)

    def _place(self, node: Node, line: int) -> None:
        """Put a finished value where it belongs. ``line``: where it, or its alias, stands."""
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.node.size += node.size
        if top.node.size > MOST_NODES:
            raise self._report.end(f"has more than {MOST_NODES} values", line)
        if isinstance(top.node.value, list):
            top.items.append(node)
            return
        if top.key is None:
            raise self._report.end("a key must be a word, not an alias", line)
        self._enter(top, top.key, node)
        top.key = None

    def _enter(self, top: _Open, key: str, node: Node) -> None:
        first = top.entries.get(key)
        if first is None:
            top.entries[key] = Entry(top.key_line, node)
            return
        message = f"is set twice: remove this one or the one on line {first.line}"
        self._report.add(join(top.path, key), message, top.key_line)

    @staticmethod
    def _wants_key(top: _Open) -> bool:
        return isinstance(top.node.value, dict) and top.key is None

    def _next_path(self) -> str:
        if not self._stack:
            return ""
        top = self._stack[-1]
        if top.key is not None:
            return join(top.path, top.key)
        return f"{top.path}[{len(top.items)}]"


def _resolve(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
