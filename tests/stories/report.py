"""Compares healthguard's decisions with those of the common simple rules: ``make stories``.

``python -m tests.stories.report`` writes the tables into docs/incidents.md; with ``--check`` it
only says whether they are current.
"""

import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.stories import rules
from tests.stories.sim import Simulation
from tests.stories.transcript import Story, every_story
from tests.stories.verdict import Actual, Expected, actual_switches, expected_switches

DOCUMENT = Path(__file__).parents[2] / "docs" / "incidents.md"
BEGIN, END = "<!-- tables: make stories -->", "<!-- end of tables -->"
OURS = "healthguard"
_PERSONS = re.compile(r"\w+: (\w+: )?(pause|approve|reject)\b|the DISABLE file")


@dataclass
class Score:
    """How one guard did in one story."""

    false: int = 0
    missed: int = 0
    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        words = []
        if self.false:
            words.append(f"{self.false} false")
        if self.missed:
            words.append(f"{self.missed} missed")
        words += [f"{each:.1f} s" for each in self.seconds]
        return ", ".join(words) or "right"


def compared(story: Story) -> bool:
    """False for a story about what a person decides. The simple rules have no such thing, and it
    would be unfair to count that against them.
    """
    told = any(_PERSONS.match(each.what) for each in story.happenings)
    return not told and "mode" not in story.setup


def score(expected: Sequence[Expected], actual: Sequence[Actual]) -> Score:
    """False: not in the right answer. Missed: wanted and never made. A late one is not false."""
    found, left = Score(), [each for each in actual if each.trigger == "automatic"]
    for want in expected:
        if want.trigger != "automatic":
            continue
        since = want.right_from if want.right_from is not None else want.after
        match = next(
            (
                each
                for each in left
                if (each.pool, each.origin, each.to) == (want.pool, want.origin, want.to)
                and each.at >= since
            ),
            None,
        )
        if match is not None:
            left.remove(match)
            if want.right_from is not None:
                found.seconds.append((match.at - since) / 1_000)
        elif want.right_from is not None and not _there_already(want, since, actual):
            found.missed += 1
    found.false = len(left)
    return found


def _there_already(want: Expected, since: int, actual: Sequence[Actual]) -> bool:
    """True if a switch that came too early has led there: false once, but not missed as well."""
    before = [each for each in actual if each.pool == want.pool and each.at < since]
    return bool(before) and before[-1].to == want.to and before[-1].trigger == "automatic"


def ours(story: Story) -> list[Actual]:
    """What healthguard does."""
    return actual_switches(Simulation(story, 0).run())


def scores(story: Story) -> dict[str, Score]:
    """Of healthguard and of each rule."""
    expected = expected_switches(story)
    found = {OURS: score(expected, ours(story))}
    for name, rule in rules.RULES.items():
        found[name] = score(expected, rules.run(story, rule))
    return found


def tables(stories: Sequence[Story]) -> str:
    """The two tables, in Markdown."""
    rows = {story: scores(story) for story in stories if compared(story)}
    names = [OURS, *rules.RULES]
    wanted = sum(
        each.right_from is not None and each.trigger == "automatic"
        for story in rows
        for each in expected_switches(story)
    )
    lines = [
        f"{len(rows)} of the {len(stories)} stories can be compared; in them {wanted} switches are "
        "right.",
        "",
        "| | false switches | in stories | missed | seconds to decide (median) |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in names:
        mine = [row[name] for row in rows.values()]
        seconds = [each for one in mine for each in one.seconds]
        median = f"{statistics.median(seconds):.1f}" if seconds else "-"
        lines.append(
            f"| {name} | {sum(one.false for one in mine)} | {sum(bool(one.false) for one in mine)} "
            f"| {sum(one.missed for one in mine)} | {median} |"
        )
    lines += ["", f"| story | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for story, row in rows.items():
        cells = " | ".join(str(row[name]) for name in names)
        lines.append(f"| [{story.title}](../tests/stories/corpus/{story.name}.story) | {cells} |")
    left_out = ", ".join(
        f"[{story.title}](../tests/stories/corpus/{story.name}.story)"
        for story in stories
        if not compared(story)
    )
    lines += ["", f"Not compared, because a person decides in these stories: {left_out}."]
    return "\n".join(lines)


def document(old: str, stories: Sequence[Story]) -> str:
    """``old`` with the tables as they are now."""
    head, _, rest = old.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{tables(stories)}\n\n{END}{tail}"


def main() -> int:
    """Write the tables, or check them."""
    old = DOCUMENT.read_text()
    new = document(old, every_story())
    if "--check" in sys.argv:
        return int(old != new)
    DOCUMENT.write_text(new)
    print(tables(every_story()).partition("| story |")[0])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
