"""Writing to the terminal: colours where they help, and no tracebacks from where it goes.

The exit code is the outcome of an order: a broken pipe or a full disk must not change it.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

_CODES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1", "": ""}


class Output:
    """Standard output and error. ``broken``: stdout cannot be written any more."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self.broken = False
        self.terminal = self._out.isatty()
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.colours = self.terminal and wanted

    def line(self, text: str = "") -> None:
        """One line (or more) on stdout. Nothing more once that has failed."""
        if self.broken:
            return
        try:
            self._out.write(_safe(text, self._out) + "\n")
            self._out.flush()
        except BrokenPipeError:
            self._silence()
        except OSError as trouble:
            self._silence()
            self.error(f"healthguard: stdout cannot be written: {trouble.strerror}")

    def json(self, value: object, *, compact: bool = False) -> None:
        """``value`` as JSON on stdout; ``compact``: on one line."""
        self.line(json.dumps(value, ensure_ascii=False, indent=None if compact else 2))

    def error(self, text: str) -> None:
        """One line (or more) on stderr."""
        try:
            self._err.write(_safe(text, self._err) + "\n")
            self._err.flush()
        except OSError:
            pass

    def paint(self, text: str, kind: str) -> str:
        """``text`` in a colour, if colours are wanted. Kinds: good bad warn dim bold."""
        if not self.colours or not kind:
            return text
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m"

    def _silence(self) -> None:
        """From now on nothing; the interpreter's last flush must not complain either."""
        self.broken = True
        if self._out is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def _safe(text: str, stream: TextIO) -> str:
    """What the terminal's encoding does not have is written as an escape."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


Cell = tuple[str, str]  # text and kind of colour


def table(output: Output, rows: Sequence[Sequence[Cell]], indent: str = "") -> list[str]:
    """Rows as lines with aligned columns; the last column is as wide as it likes."""
    if not rows:
        return []
    widths = [max(len(row[column][0]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            output.paint(text, kind) + " " * (width - len(text))
            for (text, kind), width in zip(row, widths, strict=True)
        ]
        lines.append(indent + "  ".join(cells).rstrip())
    return lines


def part(value: object, *names: str) -> object:
    """``value[a][b]``..., None as soon as something is missing."""
    found = value
    for name in names:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def text(value: object) -> str:
    """A value for people: ``-`` where there is none. Control characters do not get through."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    plain = str(value)
    return plain if plain.isprintable() else repr(plain)[1:-1]
