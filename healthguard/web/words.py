"""Small pieces of the page: times, badges, commands."""

import re
from datetime import UTC

from healthguard.core import moments
from healthguard.web.tree import Child, Element, el


def text(value: object) -> str:
    """A value for people: ``-`` where there is none; control characters do not get through."""
    if value is None or value == "":
        return "-"
    plain = str(value)
    return plain if plain.isprintable() else repr(plain)[1:-1]


def moment(iso: object, show: str) -> Element:
    """A time. Its text is UTC and always true; with JavaScript it becomes, by ``show``:

    ``ago`` and ``for`` how long since, ``left`` how long until, ``clock`` the time in the
    reader's own zone.
    """
    found = moments.read(iso)
    if found is None:
        return el("span", "-")
    at = found.astimezone(UTC)
    words = at.strftime("%d %b %H:%M:%S UTC")
    if show in ("ago", "for"):
        words = f"since {words}"
    elif show == "left":
        words = f"until {words}"
    stamp = at.isoformat(timespec="milliseconds")
    return el("time", words, datetime=stamp, data_show=show, title=at.strftime("%F %T UTC"))


def badge(level: str, *words: Child, title: str | None = None) -> Element:
    """A word that must be seen. ``level``: good, warn, bad or plain."""
    return el("span", *words, class_=f"badge {level}", title=title)


def command(line: str) -> Element:
    """A command to copy: one click selects all of it."""
    return el("code", text(line), class_="command")


def marked(sentence: str) -> list[Child]:
    """A sentence in which `commands` are quoted by backticks."""
    pieces = re.split(r"`([^`]+)`", sentence)
    return [el("code", each) if number % 2 else each for number, each in enumerate(pieces)]
