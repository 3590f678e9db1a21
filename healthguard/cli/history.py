"""``history``: the event log for people."""

import argparse
from collections.abc import Mapping
from typing import Any

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.cli.output import part, text
from healthguard.cli.times import clock, length
from healthguard.core.codes import Code
from healthguard.views.events import colour

_DEFAULT_SINCE = "24h"

# In this order, what is there; what an event has beyond these is in --json.
_TOLD = (
    "verb",
    "upstream",
    "dependency",
    "probe",
    "release",
    "mark",
    "gate",
    "trigger",
    "outcome",
    "reason",
    "message",
    "evidence",
    "command",
)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", nargs="?", metavar="POOL")
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help=f"e.g. 2h or 2024-05-01T12:00:00Z (default {_DEFAULT_SINCE}; with --follow: now)",
    )
    parser.add_argument("--follow", action="store_true", help="keep running and print new events")


def _history(args: argparse.Namespace, context: Context) -> int:
    since = args.since or ("" if args.follow else _DEFAULT_SINCE)
    query = {"since": since, "follow": "1" if args.follow else "", "pool": args.pool or ""}
    lines = context.stream(
        "events", query={name: value for name, value in query.items() if value}, follow=args.follow
    )
    if isinstance(lines, int):
        return lines
    told = 0
    try:
        for event in lines:
            told += 1
            if "error" in event:  # the daemon's last word
                context.output.error(f"healthguard: {text(part(event, 'error', 'message'))}")
                return Code.NO_ACCESS
            if context.json:
                context.output.json(event, compact=True)
            else:
                context.output.line(event_line(context, event))
            if context.output.broken:
                return Code.OK
    except KeyboardInterrupt:
        return Code.OK
    if lines.trouble is not None:
        context.output.error(f"healthguard: {lines.trouble.message}")
        return Code.NO_ACCESS
    if args.follow:
        context.output.error("healthguard: the daemon has closed the event stream")
        return Code.NO_ACCESS
    if not told and not context.json:
        where = f" of {args.pool}" if args.pool else ""
        context.output.error(f"no events{where} since {since}; look further back with --since 7d")
    return Code.OK


def event_line(context: Context, event: Mapping[str, Any]) -> str:
    """One event on one line."""
    name = text(event.get("event"))
    words = [clock(event.get("ts")), f"{text(event.get('pool')):<12}"]
    words.append(context.output.paint(f"{name:<17}", colour(event)))
    words.append(details(event))
    return "  ".join(words).rstrip()


def details(event: Mapping[str, Any]) -> str:
    """What happened, in the event's own words."""
    told = []
    if event.get("from") or event.get("to"):
        told.append(f"{event.get('from') or ''} -> {text(event.get('to'))}".strip())
    for name in _TOLD:
        value = event.get(name)
        if isinstance(value, str | int) and value not in ("", False):
            told.append(text(value))
    if event.get("detection_ms") is not None:
        told.append(f"detected in {length(event['detection_ms'])}")
    if (total := part(event, "timings_ms", "total")) is not None:
        told.append(f"took {length(total)}")
    actor = event.get("actor")
    if actor:
        user = actor.get("user") if isinstance(actor, Mapping) else actor
        told.append(f"by {text(user)}")
    if event.get("durable") is False:
        told.append("NOT DURABLE: the record could not be written")
    if event.get("recovered"):
        told.append("(found after a crash)")
    return "; ".join(told)


VERBS: Mapping[str, Verb] = {
    "history": Verb(_arguments, _history, "healthguard history threader --since 2h --follow"),
}
