"""Stories as plain text: what happened, and what the right answer is. See README.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
VERBS = ("switch", "rollback", "approve", "reject", "pause", "resume", "ack", "good", "clear")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_WHEN = r"-?[\d.]+(?:ms|s|m|h)(?:\d+s)?"
_LINE = re.compile(rf"({_WHEN})(\.\.)?({_WHEN})?\s\s+(\S.*)")
FOREVER = 10**12


class StoryError(Exception):
    """A line that does not say anything known; names story and line."""


def duration(text: str) -> int:
    """``1m30s`` in milliseconds; a minus sign is before the story began."""
    body = text.strip().lstrip("+-")
    parts = _TIME.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise StoryError(f"not a time: {text!r}")
    total = sum(round(float(number) * _UNITS[unit]) for number, unit in parts)
    return -total if text.strip().startswith("-") else total


@dataclass(frozen=True)
class Condition:
    """Something that is so from ``start`` to ``end`` (milliseconds). ``what`` in plain words."""

    start: int
    end: int
    what: str


@dataclass(frozen=True)
class Happening:
    """Something that happens at one moment."""

    at: int
    what: str


@dataclass(frozen=True, eq=False)
class Story:
    """One transcript. ``right``: (pool or "", sentence) of the right answer, in order."""

    name: str
    title: str
    prose: str
    because: str
    setup: Mapping[str, str]
    sentences: tuple[str, ...]  # of the setup, without a key
    conditions: tuple[Condition, ...]
    happenings: tuple[Happening, ...]
    right: tuple[tuple[str, str], ...]
    end: int
    pools: tuple[str, ...] = field(default=("app",))

    @property
    def modelled_on(self) -> str:
        """The public incident that it is modelled on; "" for most."""
        found = re.search(r"Modelled on (.*)", self.prose, re.S)
        return " ".join(found[1].split()) if found else ""


def every_story() -> list[Story]:
    """The whole corpus, by name."""
    return [read(path) for path in sorted(CORPUS.glob("*.story"))]


def read(path: Path) -> Story:
    """The story in ``path``. StoryError: it cannot be understood."""
    try:
        return parse(path.stem, path.read_text())
    except StoryError as problem:
        raise StoryError(f"{path.name}: {problem}") from None


def parse(name: str, text: str) -> Story:
    """The story that ``text`` tells."""
    title, _, rest = text.partition("\n")
    rest, _, because = rest.partition("\nBecause ")
    parts = re.split(r"^(Setup|Timeline|Right answer)$", rest, flags=re.M)
    rooms = {parts[n]: parts[n + 1].strip("\n") for n in range(1, len(parts), 2)}
    for needed in ("Timeline", "Right answer"):
        if needed not in rooms:
            raise StoryError(f"has no {needed!r}")
    if not because:
        raise StoryError("does not say why ('Because ...')")
    setup, sentences = _setup(rooms.get("Setup", ""))
    conditions, happenings, end = _timeline(rooms["Timeline"])
    pools = tuple(_names(setup.get("pools", "app")))
    right = tuple(_right(line.strip(), pools) for line in _lines(rooms["Right answer"]))
    return Story(
        name,
        title.strip(),
        parts[0].strip(),
        f"Because {because.strip()}",
        setup,
        sentences,
        conditions,
        happenings,
        right,
        end,
        pools,
    )


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _setup(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    keys: dict[str, str] = {}
    sentences = []
    for line in _lines(text):
        key, colon, value = line.strip().partition(":")
        if colon:
            keys[key] = value.strip()
        else:
            sentences.append(line.strip())
    return keys, tuple(sentences)


def _timeline(text: str) -> tuple[tuple[Condition, ...], tuple[Happening, ...], int]:
    conditions, happenings, end = [], [], None
    for line in _lines(text):
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise StoryError(f"not a line of a timeline: {line.strip()!r}")
        start, dots, until, what = found.groups()
        if dots:
            conditions.append(
                Condition(duration(start), duration(until) if until else FOREVER, what)
            )
        elif what == "end":
            end = duration(start)
        else:
            happenings.append(Happening(duration(start), what))
    if end is None:
        raise StoryError("the timeline has no end")
    return tuple(conditions), tuple(happenings), end


def _right(line: str, pools: tuple[str, ...]) -> tuple[str, str]:
    first, _, rest = line.partition(": ")
    if first in pools:
        return first, rest
    if len(pools) > 1:
        raise StoryError(f"which pool? {line!r}")
    return pools[0], line
