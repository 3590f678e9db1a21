"""What `healthguard check` found, as data, as text and as an exit code."""

import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from healthguard.core.codes import Code

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at. ``pool`` is None for what concerns the whole host.

    ``what`` is one bounded word for machines, ``remedy`` what to do ("" when nothing).
    """

    level: str  # OK | WARNING | ERROR
    pool: str | None
    what: str
    message: str
    remedy: str = ""


def render(findings: Iterable[CheckResult], width: int = 100) -> str:
    """For people: a line or a few for each finding, and a summary."""
    findings = list(findings)
    lines = [line for finding in findings for line in _lines(finding, width)]
    errors, warnings = _count(findings, ERROR), _count(findings, WARNING)
    summary = f"{_many(errors, 'error')}, {_many(warnings, 'warning')}"
    return "\n".join([*lines, summary if errors or warnings else "no problems found"])


def as_json(findings: Iterable[CheckResult]) -> dict[str, object]:
    """For machines: ``{"ok": bool, "findings": [...]}``."""
    findings = list(findings)
    return {"ok": exit_code(findings) == 0, "findings": [asdict(each) for each in findings]}


def exit_code(findings: Iterable[CheckResult]) -> int:
    """0 without errors, else 1 (a configuration that cannot be read at all is a 2)."""
    return Code.REFUSED if _count(findings, ERROR) else Code.OK


def _lines(finding: CheckResult, width: int) -> list[str]:
    place = f"{finding.pool}: " if finding.pool else ""
    head = f"{finding.level:<8} {place}{finding.message}"
    lines = textwrap.wrap(head, width, subsequent_indent=" " * 9, break_long_words=False)
    if finding.remedy:
        text = f"{' ' * 9}-> {finding.remedy}"
        lines += textwrap.wrap(text, width, subsequent_indent=" " * 12, break_long_words=False)
    return lines


def _count(findings: Iterable[CheckResult], level: str) -> int:
    return sum(finding.level == level for finding in findings)


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
