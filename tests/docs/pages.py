"""The pages of the documentation as data: blocks, words in code, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))((?: {4}.*\n|\n(?= {4}))+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code. ``language``: that of its fence, "" if it has none.

    ``file``: the path that stands alone on the line above it, as in README.md, "" if there is none.
    """

    page: str
    language: str
    text: str
    file: str = ""


@dataclass(frozen=True)
class Page:
    """One page; ``name`` is its path in the repository."""

    name: str
    text: str

    @property
    def blocks(self) -> Iterator[Block]:
        """Fenced and indented ones."""
        for language, text in _FENCE.findall(self.text):
            yield Block(self.name, language, text)
        unfenced = _FENCE.sub("", self.text)
        for found in _INDENTED.finditer(unfenced):
            above = unfenced[: found.start()].rstrip().rpartition("\n")[2]
            named = re.fullmatch(r"`(/[^`]+)`(?: \(.*| *)?", above)
            text = re.sub(r"^ {4}", "", found[1], flags=re.MULTILINE)
            yield Block(self.name, "", text, named[1] if named else "")

    @property
    def prose(self) -> str:
        """Without the blocks."""
        return _INDENTED.sub("", _FENCE.sub("", self.text))

    @property
    def spans(self) -> list[str]:
        """What stands `in code` in the prose."""
        return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", self.prose)]

    @property
    def anchors(self) -> set[str]:
        """What a link may name after the #, as GitHub makes it of the headings."""
        heads = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}

    @property
    def links(self) -> list[str]:
        """The targets of links and pictures."""
        return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", self.prose))


@cache
def pages() -> tuple[Page, ...]:
    """Every page that people read."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("nginx/*.md")]
    files += ROOT.glob("tests/*/*.md")
    return tuple(Page(str(each.relative_to(ROOT)), each.read_text()) for each in sorted(files))


def page(name: str) -> Page:
    """One of them."""
    return next(each for each in pages() if each.name == name)
