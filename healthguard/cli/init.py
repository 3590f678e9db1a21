"""`healthguard init`: the first configuration of this host."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.core.codes import Code


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pool",
        action="append",
        default=[],
        metavar="NAME",
        help="only this nginx upstream (repeatable; default: all with two clear servers)",
    )
    parser.add_argument(
        "--upstream",
        action="append",
        default=[],
        metavar="COLOUR=ADDRESS",
        help="an address that is not in nginx's configuration, e.g. green=127.0.0.1:9010",
    )
    parser.add_argument(
        "--nginx",
        type=Path,
        default=Path("/etc/nginx/nginx.conf"),
        metavar="FILE",
        help="nginx's main configuration (default: /etc/nginx/nginx.conf)",
    )
    parser.add_argument(
        "--binary",
        type=Path,
        default=Path("/usr/sbin/nginx"),
        metavar="PATH",
        help="the nginx program (default: /usr/sbin/nginx)",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write it and test it with nginx -t; restore everything if that fails",
    )


def _run(args: argparse.Namespace, context: Context) -> int:
    from healthguard import init
    from healthguard.init.plan import COLOURS

    given = dict(each.partition("=")[::2] for each in args.upstream)
    if not all(name in COLOURS and address for name, address in given.items()):
        context.output.error("healthguard: --upstream takes blue=ADDRESS or green=ADDRESS")
        return Code.USAGE
    if given and len(args.pool) != 1:
        context.output.error("healthguard: --upstream needs exactly one --pool")
        return Code.USAGE
    wishes = init.Wishes(
        context.config_path(), args.nginx, args.binary, tuple(args.pool), given, args.write
    )
    return init.run(wishes)


VERBS: Mapping[str, Verb] = {
    "init": Verb(
        _arguments, _run, "healthguard init --pool threader --upstream green=127.0.0.1:9010"
    )
}
