"""Reading nginx's configuration just far enough: which files it is made of, and what they name.

nginx itself stays the judge of it (``nginx -t``). This walk finds the files to watch, the pid
file, the names of upstreams, and where an include leads.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_DEPTH = 20
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      |(?P<mark>[{};])
      |(?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s;{}\\])+)""",
    re.VERBOSE | re.DOTALL,
)
_DUMP = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_SECRETS = ("ssl_certificate", "ssl_certificate_key")
_LOGS = ("access_log", "error_log")
_INTERESTING = ("include", "ssl_certificate", "access_log", "error_log", "pid", "upstream")


@dataclass(frozen=True, slots=True)
class Statement:
    """One directive: its words, the blocks around it, and where in the text it stands."""

    words: tuple[str, ...]
    inside: tuple[str, ...]
    start: int
    end: int

    @property
    def name(self) -> str:
        """The directive's name."""
        return self.words[0]


def statements(text: str) -> Iterator[Statement]:
    """The directives of one file, in order; a block's opening counts as a directive."""
    words: list[str] = []
    inside: list[str] = []
    start = position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:  # an unclosed quote or a lone backslash: nginx will say so
            position += 1
            continue
        position = match.end()
        kind, piece = match.lastgroup, match.group()
        if kind == "skip":
            continue
        if kind != "mark":
            start = match.start() if not words else start
            words.append(re.sub(r"\\(.)", r"\1", piece[1:-1]) if kind == "quoted" else piece)
            continue
        if words:
            yield Statement(tuple(words), tuple(inside), start, position)
        if piece == "{":
            name = words[0] if words else ""
            if name.endswith("_by_lua_block"):
                position = _after_block(text, position)
            else:
                inside.append(name)
        elif piece == "}" and inside:
            inside.pop()
        words = []


def _after_block(text: str, position: int) -> int:
    """Where a block of foreign code ends, by counting its braces."""
    depth = 1
    while depth and position < len(text):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position


@dataclass(frozen=True, slots=True)
class Listing:
    """What a configuration is made of.

    ``files``: every file, the main one first, links of pools not among them. ``patterns``:
    each include as (absolute pattern, names it found). ``secrets``: certificates and keys.
    ``logs``: log files. ``unreadable``: files we may not or cannot read.
    """

    files: tuple[Path, ...]
    patterns: tuple[tuple[str, tuple[str, ...]], ...]
    secrets: tuple[Path, ...]
    logs: tuple[Path, ...]
    unreadable: tuple[Path, ...]


@dataclass(slots=True)
class _Walk:
    folder: Path
    skip: frozenset[str]
    files: dict[Path, None] = field(default_factory=dict)
    patterns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: dict[Path, None] = field(default_factory=dict)
    logs: dict[Path, None] = field(default_factory=dict)
    unreadable: dict[Path, None] = field(default_factory=dict)

    def visit(self, path: Path, depth: int = 0) -> None:
        if path in self.files or depth > MAX_DEPTH:
            return
        self.files[path] = None
        text = read_text(path)
        if text is None:
            self.unreadable[path] = None
            return
        if not any(word in text for word in _INTERESTING):
            return  # a map of 60,000 lines is not worth reading word by word
        for each in statements(text):
            self._note(each, depth)

    def _note(self, each: Statement, depth: int) -> None:
        if len(each.words) < 2:
            return
        value = each.words[1]
        if each.name == "include":
            pattern = str(self.folder / value)
            found = tuple(expand(pattern))
            self.patterns[pattern] = found
            for name in found:
                if os.path.normpath(name) not in self.skip:
                    self.visit(Path(name), depth + 1)
        elif each.name in _SECRETS and "$" not in value and ":" not in value:
            self.secrets[self.folder / value] = None
        elif each.name in _LOGS and value.startswith("/") and "$" not in value:
            self.logs[Path(value)] = None


def walk(config: Path, links: Iterable[Path] = (), also: Iterable[Path] = ()) -> Listing:
    """Everything ``config`` is made of.

    ``links`` are not followed, so that moving one changes nothing here; ``also`` are read besides:
    the files the links may name. Relative includes and certificates count from the folder of
    ``config``, as in nginx.
    """
    found = _Walk(config.parent, frozenset(os.path.normpath(link) for link in links))
    for path in (config, *also):
        found.visit(path)
    return Listing(
        tuple(found.files),
        tuple(sorted(found.patterns.items())),
        tuple(found.secrets),
        tuple(found.logs),
        tuple(found.unreadable),
    )


def expand(pattern: str) -> list[str]:
    """The files an include names, sorted as nginx sorts them; a plain name stands for itself."""
    if not glob.has_magic(pattern):
        return [pattern]
    return sorted(glob.glob(pattern))  # noqa: PTH207 - as glob(3): names with a dot are left out


def read_text(path: Path) -> str | None:
    """The text of a regular file; None if it cannot be read. Never waits for a pipe's writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "rb") as file:
            if not os.path.isfile(f"/proc/self/fd/{descriptor}"):  # noqa: PTH113
                return None
            return file.read().decode(errors="replace")
    except OSError:
        return None


def upstream_names(file: Path) -> tuple[str, ...]:
    """Names of the ``upstream`` blocks a file defines, sorted. Blue's and green's must agree."""
    text = read_text(file) or ""
    return tuple(
        sorted(
            each.words[1] for each in statements(text) if each.name == "upstream" and each.words[1:]
        )
    )


def server_addresses(file: Path) -> tuple[str, ...]:
    """Addresses of the ``server`` lines in the ``upstream`` blocks of a file, in order."""
    text = read_text(file) or ""
    return tuple(
        each.words[1]
        for each in statements(text)
        if each.name == "server" and "upstream" in each.inside and each.words[1:]
    )


def included_files(dump: str) -> tuple[str, ...]:
    """The files ``nginx -T`` says it read, in order."""
    return tuple(dict.fromkeys(_DUMP.findall(dump)))


def includes_link(listing: Listing, link: Path) -> bool:
    """True if some include of the configuration leads to ``link``."""
    wanted = os.path.normpath(link)
    return any(os.path.normpath(name) == wanted for _, found in listing.patterns for name in found)


def pid_directive(config: Path, depth: int = 0, path: Path | None = None) -> str | None:
    """The value of ``pid`` in the main context, also out of files included there."""
    text = read_text(path or config)
    if text is None or depth > MAX_DEPTH:
        return None
    for each in statements(text):
        if each.inside or len(each.words) < 2:
            continue
        if each.name == "pid":
            return each.words[1]
        if each.name == "include":
            for name in expand(str(config.parent / each.words[1])):
                value = pid_directive(config, depth + 1, Path(name))
                if value is not None:
                    return value
    return None
