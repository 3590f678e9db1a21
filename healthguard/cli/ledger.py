"""Verbs that look at what waits for a person, and at what is known of releases."""

import argparse
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.cli.output import Cell, Output, table, text
from healthguard.cli.times import ago
from healthguard.core.codes import Code

View = Mapping[str, Any]

STATUS = {"good": "good", "bad": "bad", "baking": "warn", "new": "warn"}
_HEADER = ("UPSTREAM", "RELEASE", "STATUS", "RUNS NOW", "FOR", "WHY")
_NOT_CONFIGURED = (
    "no probe answer names a release: set `release:` for this pool (docs/configuration.md); "
    "until then upstreams themselves are good or bad"
)


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def _pool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL")


def _releases(args: argparse.Namespace, context: Context) -> int:
    reply = context.read("pools", args.pool, "releases")
    if isinstance(reply, int):
        return reply
    if context.json:
        context.output.json(reply.body)
        return Code.OK
    for line in release_lines(context.output, reply.body, datetime.now(UTC)):
        context.output.line(line)
    if reply.body.get("configured") is False:
        context.output.error(_NOT_CONFIGURED)
    return Code.OK


def release_lines(output: Output, view: View, now: datetime) -> list[str]:
    """The ledger as a table: of each upstream the latest release first."""
    rows: list[list[Cell]] = [[(word, "dim") for word in _HEADER]]
    for name, each in (view.get("upstreams") or {}).items():
        first = text(name)
        for line in reversed(each.get("releases") or [{}]):
            release, status = line.get("release"), text(line.get("status"))
            runs = release is not None and release == each.get("running")
            rows.append(
                [
                    (first, "bold"),
                    (text(release), ""),
                    (status, STATUS.get(status, "")),
                    ("yes" if runs else "", ""),
                    (ago(line.get("since"), now), ""),
                    (text(line.get("reason")), ""),
                ]
            )
            first = ""
    return table(output, rows)


def _proposals(_args: argparse.Namespace, context: Context) -> int:
    reply = context.read("proposals")
    if isinstance(reply, int):
        return reply
    if context.json:
        context.output.json(reply.body)
        return Code.OK
    found = reply.body.get("proposals")
    proposals = found if isinstance(found, list) else []
    if not proposals:
        context.output.line("no proposal is open")
    for proposal in proposals:
        for line in proposal_lines(context.output, proposal, datetime.now(UTC)):
            context.output.line(line)
    return Code.OK


def proposal_lines(output: Output, proposal: View, now: datetime) -> Iterator[str]:
    """One open proposal: what, why, what was in the way, and how to say yes or no."""
    pool = text(proposal.get("pool"))
    head = f"{text(proposal.get('from'))} -> {text(proposal.get('to'))}"
    yield (
        f"{output.paint(pool, 'bold')}: {output.paint(head, 'warn')}, "
        f"open for {ago(proposal.get('opened'), now)}, id {text(proposal.get('id'))}"
    )
    yield f"  why      {text(proposal.get('reason'))}"
    gates = proposal.get("gates") or []
    yield f"  held by  {', '.join(map(text, gates)) or '-'}"
    yield f"  approve  {text(proposal.get('command'))}"
    yield f"  reject   healthguard reject {pool}"


VERBS: Mapping[str, Verb] = {
    "releases": Verb(_pool, _releases, "healthguard releases threader"),
    "proposals": Verb(_no_arguments, _proposals, "healthguard proposals --json"),
}
