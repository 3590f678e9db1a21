"""From the words on the command line to the verb that does it.

Only the module of the verb asked for is imported: the command line starts in well under 100 ms.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from healthguard.cli.context import Context
from healthguard.cli.output import Output
from healthguard.core.codes import Code
from healthguard.machine.names import closest

# verb -> (module of this package, what it does); in the order of the help text
VERBS: dict[str, tuple[str, str]] = {
    "status": ("reading", "all pools: active upstream, health, phase, hold, rollback readiness"),
    "why": ("reading", "one pool: last decision, every gate, what would have to change"),
    "ready": ("reading", "exit 0 if a rollback would succeed now, else 1 and the gate"),
    "history": ("history", "past and new events"),
    "releases": ("ledger", "each release and its status: new, baking, good or bad"),
    "proposals": ("ledger", "switches that wait for a person's approval"),
    "switch": ("orders", "make an upstream active"),
    "rollback": ("orders", "make the rollback target active"),
    "approve": ("orders", "carry out the open proposal, after checking every gate again"),
    "reject": ("orders", "close the open proposal; no new one before a recovery"),
    "pause": ("orders", "stop automatic switches for a while; keep observing"),
    "resume": ("orders", "end a pause"),
    "ack": ("orders", "acknowledge a latch or a lost state, which ends it"),
    "good": ("orders", "mark an upstream as good, a rollback target"),
    "clear": ("orders", "forget that an upstream is known bad"),
    "reload": ("orders", "read the configuration again"),
    "replay": ("replay", "replay the record, as it was or under another configuration"),
    "notify": ("local", "send a test message to a notifier"),
    "init": ("init", "draft a first configuration from this host's nginx; shows a diff"),
    "check": ("local", "validate the configuration and this host"),
    "run": ("local", "run the daemon"),
    "switcher": ("local", "run the root service that moves traffic"),
    "demo": ("local", "run a sandbox that shows a bad release being rolled back"),
}

_EXIT_CODES = """\
exit codes:
  0  done: what you requested is true now
  1  refused by a gate, or wrong state; stderr names the gate
  2  usage or configuration error
  3  the daemon cannot be reached, or no permission
  4  the switch was tried and undone
  5  the switch failed and could not be undone: a person must look
  6  timed out; the switch is still running, its id is printed"""


@dataclass(frozen=True, slots=True)
class Verb:
    """How one verb is parsed and done. ``arguments`` declares them; ``run`` gives the exit code."""

    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Context], int]
    example: str
    reads: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is the outcome."""
    output = Output()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words, output)
    except SystemExit as end:  # argparse: help or a usage error
        return end.code if isinstance(end.code, int) else Code.USAGE
    except BrokenPipeError:
        return Code.OK
    except KeyboardInterrupt:
        return Code.INTERRUPTED


def _run(words: list[str], output: Output) -> int:
    general = _parser("healthguard")
    _add_general(general)
    general.add_argument("-h", "--help", action="store_true")
    general.add_argument("--version", action="store_true")
    before, after = _split(words)
    given = general.parse_args(before)
    if getattr(given, "version", False):
        from healthguard import __version__

        output.line(f"healthguard {__version__}")
        return Code.OK
    if given.help or after == ["help"]:
        output.line(_help())
        return Code.OK
    if not after:
        output.error(_help())
        return Code.USAGE
    return _verb(after[0], after[1:], given, output)


def _verb(name: str, words: list[str], given: argparse.Namespace, output: Output) -> int:
    if name not in VERBS:
        output.error(_unknown(name))
        return Code.USAGE
    verb, args = parse(name, words, given)
    context = Context(
        output,
        config=getattr(args, "config", None),
        socket=getattr(args, "socket", None),
        json=getattr(args, "json", False),
    )
    return verb.run(args, context)


def parse(
    name: str, words: Sequence[str], given: argparse.Namespace | None = None
) -> tuple[Verb, argparse.Namespace]:
    """What ``words`` mean to the verb ``name``. SystemExit: a usage error, or help was shown."""
    module, summary = VERBS[name]
    verb: Verb = importlib.import_module(f"healthguard.cli.{module}").VERBS[name]
    parser = _parser(
        f"healthguard {name}",
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {verb.example}",
    )
    verb.arguments(parser)
    _add_general(parser)
    return verb, parser.parse_args(words, given)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The general options before the verb; the verb and what follows it."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in ("--config", "--socket") else 1
    return words[:at], words[at:]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Short: the usage line and what is wrong with it."""
        self.print_usage(sys.stderr)
        self.exit(Code.USAGE, f"{self.prog}: {message}\n")


def _parser(prog: str, description: str = "", epilog: str = "") -> argparse.ArgumentParser:
    return _Parser(
        prog=prog,
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        add_help=bool(description),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_general(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("general")
    missing = argparse.SUPPRESS  # so that what was said before the verb stays
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=missing,
        help="configuration file (default: HEALTHGUARD_CONFIG, else "
        "/etc/healthguard/healthguard.yaml)",
    )
    group.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        default=missing,
        help="the daemon's socket (default: from the configuration)",
    )
    group.add_argument("--json", action="store_true", default=missing, help="print JSON")


def _help() -> str:
    verbs = "\n".join(f"  {name:<9} {summary}" for name, (_, summary) in VERBS.items())
    return (
        "usage: healthguard [--config FILE] [--socket PATH] VERB ...\n\n"
        "Makes nginx use the other upstream when the active one is really down.\n\n"
        f"verbs:\n{verbs}\n\n"
        "`healthguard VERB --help` shows a verb's arguments and an example.\n\n"
        f"{_EXIT_CODES}"
    )


def _unknown(name: str) -> str:
    close = closest(name, VERBS)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"healthguard: unknown verb {name!r}.{hint}\nverbs: {' '.join(VERBS)}"
