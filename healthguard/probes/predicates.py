"""What an answer must contain, beyond its status: one verdict each for header, body, json."""

import json
import re
from collections.abc import Callable

from healthguard.probes.reply import BODY_LIMIT, HttpReply
from healthguard.probes.spec import HttpSpec

RELEASE_LIMIT = 128  # characters

Predicate = Callable[[HttpReply], tuple[str, bool]]


def predicates(spec: HttpSpec) -> tuple[Predicate, ...]:
    """Those that ``spec`` asks for, compiled. ``re.error`` if the pattern is none."""
    found: list[Predicate] = []
    if spec.header_fields:
        found.append(_headers(spec.header_fields))
    if spec.body_text is not None or spec.body_regex is not None:
        found.append(_body(spec.body_text, spec.body_regex))
    if spec.json_fields:
        found.append(_json(spec.json_fields))
    return tuple(found)


def body_of(reply: HttpReply) -> bytes:
    """At most 64 KiB of the body."""
    return b"".join(reply.body)[:BODY_LIMIT]


def _headers(wanted: tuple[tuple[str, str], ...]) -> Predicate:
    fields = [(name.lower().encode("latin-1"), value.encode("utf-8")) for name, value in wanted]

    def check(reply: HttpReply) -> tuple[str, bool]:
        seen = {(name.lower(), value.strip()) for name, value in reply.headers}
        return "header", all(field in seen for field in fields)

    return check


def _body(text: str | None, regex: str | None) -> Predicate:
    needle = None if text is None else text.encode()
    pattern = None if regex is None else re.compile(regex)

    def check(reply: HttpReply) -> tuple[str, bool]:
        body = body_of(reply)
        if needle is not None and needle not in body:
            return "body", False
        if pattern is None:
            return "body", True
        return "body", pattern.search(body.decode("utf-8", "replace")) is not None

    return check


def _json(wanted: tuple[tuple[str, object], ...]) -> Predicate:
    paths = [(path.split("."), value) for path, value in wanted]

    def check(reply: HttpReply) -> tuple[str, bool]:
        try:
            document = json.loads(body_of(reply))
        except (ValueError, RecursionError):
            return "json", False
        return "json", all(_same(_at(document, path), value) for path, value in paths)

    return check


def release(spec: HttpSpec) -> Callable[[HttpReply], str | None] | None:
    """How the running release is read from an answer; None where nobody asked for it."""
    if spec.release_header is not None:
        wanted = spec.release_header.lower().encode("latin-1")
        return lambda reply: _named(
            next((value for name, value in reply.headers if name.lower() == wanted), None)
        )
    if spec.release_json is not None:
        path = spec.release_json.split(".")
        return lambda reply: _in_json(reply, path)
    return None


def _in_json(reply: HttpReply, path: list[str]) -> str | None:
    try:
        found = _at(json.loads(body_of(reply)), path)
    except (ValueError, RecursionError):
        return None
    return _named(str(found).encode()) if isinstance(found, str | int | float) else None


def _named(raw: bytes | None) -> str | None:
    """A release as it is shown: one short printable word or line."""
    if raw is None:
        return None
    text = "".join(c if c.isprintable() else "?" for c in raw.decode("utf-8", "replace").strip())
    return text[:RELEASE_LIMIT] or None


_MISSING = object()


def _at(document: object, path: list[str]) -> object:
    """The value at a path; a number steps into a list."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step, _MISSING)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return _MISSING
    return document


def _same(found: object, wanted: object) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, list) and isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[k], wanted[k]) for k in wanted)
    return found == wanted
