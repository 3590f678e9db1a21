"""Verbs that only look: status, why, ready."""

import argparse
import time
from collections.abc import Mapping

from healthguard.cli import render_status, render_why
from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.cli.output import text
from healthguard.cli.remedies import remedy
from healthguard.core.codes import Code
from healthguard.views.documents import ReadyView, StatusView, WhyView
from healthguard.views.model import PoolView

_REDRAW_S = 1.0


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", nargs="?", metavar="POOL")
    parser.add_argument("--watch", action="store_true", help="refresh every second until Ctrl-C")


def _status(args: argparse.Namespace, context: Context) -> int:
    if not args.watch:
        return _status_once(args.pool, context)
    try:
        return _watch(args.pool, context)
    except KeyboardInterrupt:
        context.output.line()
        return Code.OK


def _watch(pool: str | None, context: Context) -> int:
    """Until Ctrl-C or a broken pipe. A daemon that goes away may come back."""
    while not context.output.broken:
        if context.output.terminal and not context.json:
            context.output.line("\x1b[H\x1b[2J" + time.strftime("%H:%M:%S") + "  (Ctrl-C ends)")
        _status_once(pool, context)
        time.sleep(_REDRAW_S)
    return Code.OK


def _status_once(pool: str | None, context: Context) -> int:
    if pool:
        view = context.document(PoolView, "pools", pool)
        if isinstance(view, int):
            return view
        lines = render_status.pool_lines(context.output, {pool: view}, details=True)
    else:
        status = context.document(StatusView, "status")
        if isinstance(status, int):
            return status
        lines = render_status.lines(context.output, status)
    for line in lines:
        context.output.line(line)
    return Code.OK


def _pool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL")


def _why(args: argparse.Namespace, context: Context) -> int:
    view = context.document(WhyView, "pools", args.pool, "why")
    if isinstance(view, int):
        return view
    for line in render_why.lines(context.output, args.pool, view):
        context.output.line(line)
    return Code.OK


def _ready(args: argparse.Namespace, context: Context) -> int:
    reply = context.read("pools", args.pool, "ready")
    if isinstance(reply, int):
        return reply
    view = context.understood(ReadyView, reply)
    if isinstance(view, int):
        return view
    gate, message = text(view.gate), text(view.message)
    if context.json:
        context.output.json(reply.body)
    elif view.ready:
        context.output.line(f"ready: {message}" if view.message else "ready")
    if view.ready:
        return Code.OK
    context.output.error(f"not ready: {gate}: {message}")
    if help_line := remedy(gate, args.pool, view.target or ""):
        context.output.error(f"  what to do: {help_line}")
    return Code.REFUSED


VERBS: Mapping[str, Verb] = {
    "status": Verb(_status_arguments, _status, "healthguard status --watch"),
    "why": Verb(_pool, _why, "healthguard why threader"),
    "ready": Verb(_pool, _ready, "healthguard ready threader && deploy-green.sh"),
}
