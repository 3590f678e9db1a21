"""What was found, as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the summary: a target and what came out."""

    what: str
    found: str
    target: str
    met: bool | None  # None: for information


@dataclass(slots=True)
class Part:
    """One chapter: a table, its notes, and its lines in the summary."""

    title: str
    method: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(each) + " |" for each in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines) + "\n"


_WORD = {True: "yes", False: "**no**", None: ""}


def document(parts: Sequence[Part], command: str, where: str, calm: str) -> str:
    """The whole of docs/benchmarks.md."""
    summary = [
        (each.what, each.found, each.target, _WORD[each.met])
        for part in parts
        for each in part.findings
    ]
    text = [
        "# Benchmarks\n",
        f"`{command}` writes this file. {where}. {calm}\n",
        "Most lines are ratios of two things that were measured side by side in one run. Another "
        "machine has other figures but similar ratios. Nothing here fails a build.\n",
        table(("what", "found", "target", "met"), summary),
    ]
    for part in parts:
        text += [f"## {part.title}\n", part.method.strip() + "\n", table(part.header, part.rows)]
    return "\n".join(text)
