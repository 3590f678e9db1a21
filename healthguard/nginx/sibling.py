"""The candidate test without the right to mount: a copy of the configuration next to it.

Relative includes count from the folder of the main file, so the copy lies in that folder, under a
name with a dot that no include pattern loads. Only files on the way to the link are copied.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from healthguard.nginx import conf

_MINE = re.compile(r"\.hg-test-(\d+)-[0-9a-f]{12}\.conf")


class CannotCopy(Exception):
    """Why no copy could be made: a sentence with a remedy."""


@dataclass(slots=True)
class Copies:
    """Rewritten files of one test. ``main`` is what ``nginx -t -c`` is to read."""

    folder: Path
    replaced: Mapping[Path, Path]
    made: list[Path] = field(default_factory=list)

    def main(self, config: Path) -> Path:
        """Write the copies; CannotCopy if that cannot be done or nothing leads to the link."""
        copy = self._copy(config, 0)
        if copy is None:
            names = ", ".join(map(str, self.replaced))
            raise CannotCopy(
                f"nothing in {config} includes {names}, so a switch would have no effect"
            )
        return copy

    def remove(self) -> None:
        """Remove what was written."""
        for path in self.made:
            path.unlink(missing_ok=True)

    def _copy(self, path: Path, depth: int) -> Path | None:
        """A rewritten copy of ``path``, or None if nothing in it leads to the link."""
        text = conf.read_text(path)
        if text is None or depth > conf.MAX_DEPTH:
            return None
        changes: list[tuple[int, int, str]] = []
        for each in conf.statements(text):
            if each.name == "include" and len(each.words) == 2:
                new = self._include(each.words[1], depth)
                if new is not None:
                    changes.append((each.start, each.end, new))
        if not changes:
            return None
        for start, end, new in reversed(changes):
            text = text[:start] + new + text[end:]
        return self._write(text)

    def _include(self, value: str, depth: int) -> str | None:
        """The same include with the candidate instead of the link; None if it needs no change."""
        names, changed = [], False
        for name in conf.expand(str(self.folder / value)):
            candidate = self.replaced.get(Path(os.path.normpath(name)))
            if candidate is None:
                candidate = self._copy(Path(name), depth + 1)
            changed = changed or candidate is not None
            names.append(candidate or Path(name))
        return " ".join(f"include {_quoted(name)};" for name in names) if changed else None

    def _write(self, text: str) -> Path:
        path = self.folder / f".hg-test-{os.getpid()}-{secrets.token_hex(6)}.conf"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o600)
            self.made.append(path)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
        except OSError as error:
            raise CannotCopy(
                f"the new configuration cannot be tested: {self.folder} is not writable "
                f"({error.strerror}) and no private mount namespace can be made. Run the switcher "
                f"as root or give it CAP_SYS_ADMIN"
            ) from error
        return path


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def clean_leftovers(folder: Path) -> tuple[Path, ...]:
    """Remove copies whose maker has died."""
    removed = []
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return ()
    for name in names:
        match = _MINE.fullmatch(name)
        if match is None or Path(f"/proc/{match.group(1)}").exists():
            continue
        try:
            (folder / name).unlink()
            removed.append(folder / name)
        except OSError:
            continue
    return tuple(removed)
