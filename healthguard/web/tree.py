"""Elements as plain data: written as HTML once, sent as JSON afterwards.

Text is always text: there is no way to put markup into it.
"""

import html as entities
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Union

Child = Union["Element", str, None, Iterable["Child"]]
_VOID = ("br", "hr", "link", "meta")


class Element(NamedTuple):
    """A tag with its attributes and children. Neighbouring texts are one, as in a browser."""

    tag: str
    attributes: dict[str, str]
    children: tuple["Element | str", ...]


def el(tag: str, *children: Child, **attributes: str | None) -> Element:
    """An element. ``class_`` is class, ``data_x`` is data-x; None leaves an attribute out."""
    named = {
        name.rstrip("_").replace("_", "-"): value
        for name, value in attributes.items()
        if value is not None
    }
    return Element(tag, named, tuple(_joined(_flat(children))))


def _flat(children: Iterable[Child]) -> Iterator[Element | str]:
    for child in children:
        if isinstance(child, Element | str):
            yield child
        elif child is not None:
            yield from _flat(child)


def _joined(children: Iterable[Element | str]) -> Iterator[Element | str]:
    """No empty texts and never two in a row: HTML could not tell them apart."""
    text = ""
    for child in children:
        if isinstance(child, str):
            text += child
            continue
        if text:
            yield text
            text = ""
        yield child
    if text:
        yield text


def html(node: Element | str) -> str:
    """As HTML."""
    parts: list[str] = []
    _write(node, parts)
    return "".join(parts)


def _write(node: Element | str, parts: list[str]) -> None:
    if isinstance(node, str):
        parts.append(entities.escape(node))
        return
    pairs = (f' {name}="{entities.escape(value)}"' for name, value in node.attributes.items())
    parts.append(f"<{node.tag}{''.join(pairs)}>")
    if node.tag in _VOID:
        return
    for child in node.children:
        _write(child, parts)
    parts.append(f"</{node.tag}>")


def plain(node: Element | str) -> object:
    """As JSON: a text, or ``[tag, {attributes}, [children]]``."""
    if isinstance(node, str):
        return node
    return [node.tag, node.attributes, [plain(child) for child in node.children]]
