"""Verbs that need no daemon: they are it, or they look at this host themselves."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb


def _nothing(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def _run(_args: argparse.Namespace, context: Context) -> int:
    from healthguard.daemon import main as daemon

    return int(daemon.run(context.config_path()))


def _switcher_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=Path,
        metavar="PATH",
        help="listen on this socket (default: the one from systemd)",
    )
    parser.add_argument(
        "--reconcile",
        action="store_true",
        help="only finish interrupted switches, then exit; for use before nginx starts",
    )


def _switcher(args: argparse.Namespace, context: Context) -> int:
    from healthguard.switcher import service as switcher

    if args.reconcile:
        return int(switcher.reconcile(context.config_path()))
    return int(switcher.run(context.config_path(), args.listen))


def _notify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["test"], help="what to do")
    parser.add_argument("name", metavar="NAME", help="the notifier's name in the configuration")


def _notify(args: argparse.Namespace, context: Context) -> int:
    from healthguard.check import notifier

    return int(notifier.run(context.config_path(), args.name, context.json))


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--offline", action="store_true", help="check only the file, not nginx or this host"
    )


def _check(args: argparse.Namespace, context: Context) -> int:
    from healthguard import check

    return int(check.run(context.config_path(), args.offline, context.json))


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stay", action="store_true", help="keep it running at the end and print its addresses"
    )


def _demo(args: argparse.Namespace, _context: Context) -> int:
    from healthguard import demo

    return int(demo.run(args.stay))


VERBS: Mapping[str, Verb] = {
    "run": Verb(_nothing, _run, "healthguard run --config /etc/healthguard/healthguard.yaml"),
    "switcher": Verb(
        _switcher_arguments, _switcher, "healthguard switcher --listen /run/healthguard/switch.sock"
    ),
    "notify": Verb(_notify_arguments, _notify, "healthguard notify test ops"),
    "check": Verb(_check_arguments, _check, "healthguard check --offline"),
    "demo": Verb(_demo_arguments, _demo, "healthguard demo --stay"),
}
