"""``replay``: the past again, as it was or under another configuration."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.core.codes import Code


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="a segment, a pool's folder or a whole record (default: the daemon's)",
    )
    parser.add_argument(
        "--with",
        dest="candidate",
        type=Path,
        metavar="CANDIDATE.yaml",
        help="show what this configuration would have done",
    )
    parser.add_argument(
        "--since", default="", metavar="WHEN", help="e.g. 7d or 2024-05-01T12:00:00Z (default: all)"
    )


def _replay(args: argparse.Namespace, context: Context) -> int:
    from healthguard.config import ConfigError, load
    from healthguard.core.moments import since_wall_ms
    from healthguard.replay import run as replay

    try:
        since = since_wall_ms(args.since, int(time.time() * 1_000)) if args.since else 0
        candidate = load(args.candidate) if args.candidate else None
        record = args.file or load(context.config_path()).daemon.state_dir / "record"
        view = replay.replay(record, candidate, since)
    except ConfigError as problem:
        context.output.error("\n".join(str(each) for each in problem.problems))
        return Code.USAGE
    except replay.ForbiddenRecord as problem:
        context.output.error(f"not permitted: {problem}")
        return Code.NO_ACCESS
    except (ValueError, replay.UnreadableRecord) as problem:
        context.output.error(f"healthguard: {problem}")
        return Code.USAGE
    if context.json:
        context.output.json(view)
    else:
        for line in replay.lines(view):
            context.output.line(line)
    return Code.OK if view["same"] else Code.REFUSED


VERBS: Mapping[str, Verb] = {
    "replay": Verb(_arguments, _replay, "healthguard replay --with candidate.yaml --since 30d"),
}
