"""Every verb with its arguments, as data: what completions and manual pages are made of."""

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from healthguard.cli import entry


@dataclass(frozen=True, slots=True)
class Argument:
    """``flags`` is empty for a positional one. ``value``: its placeholder, "" if it takes none."""

    flags: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...] = ()

    @property
    def is_file(self) -> bool:
        """Its value is a path."""
        return self.value in ("FILE", "PATH")


@dataclass(frozen=True, slots=True)
class Entry:
    """One verb."""

    name: str
    summary: str
    usage: str
    example: str
    arguments: tuple[Argument, ...]

    @property
    def takes_pool(self) -> bool:
        """Its first positional argument is a pool."""
        places = [each for each in self.arguments if not each.flags]
        return bool(places) and places[0].value.strip(".[]").upper() == "POOL"


def entries() -> Iterator[Entry]:
    """All verbs, in the order of the help text."""
    for name, (module, summary) in entry.VERBS.items():
        verb = importlib.import_module(f"healthguard.cli.{module}").VERBS[name]
        parser = argparse.ArgumentParser(prog=f"healthguard {name}", add_help=False)
        verb.arguments(parser)
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        arguments = tuple(_argument(each) for each in parser._actions)
        yield Entry(name, summary, usage, verb.example, arguments)


def general() -> tuple[Argument, ...]:
    """The options that every verb takes."""
    parser = argparse.ArgumentParser(add_help=False)
    entry._add_general(parser)
    return tuple(_argument(each) for each in parser._actions)


def exit_codes() -> list[tuple[str, str]]:
    """Each exit code and what it means."""
    lines = entry._EXIT_CODES.splitlines()[1:]
    return [(number, text) for number, text in (line.split(maxsplit=1) for line in lines)]


def _argument(action: argparse.Action) -> Argument:
    takes = not action.option_strings or action.nargs != 0
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    choices = tuple(str(each) for each in action.choices or ())
    return Argument(
        tuple(action.option_strings), value if takes else "", action.help or "", choices
    )
