"""Verbs that look at what waits for a person, and at what is known of releases."""

import argparse
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.cli.output import Cell, Output, table, text
from healthguard.cli.times import ago
from healthguard.core.codes import Code
from healthguard.views.documents import ProposalsView, ReleasesView, ReleaseView
from healthguard.views.model import ProposalView

STATUS = {"good": "good", "bad": "bad", "baking": "warn", "new": "warn"}
_NONE = ReleaseView("", "", None, "")  # where nothing is known of an upstream
_HEADER = ("UPSTREAM", "RELEASE", "STATUS", "RUNS NOW", "FOR", "WHY")
_NOT_CONFIGURED = (
    "no releases are known: set `release:` for this pool (docs/configuration.md). Until then good "
    "and bad are marks of upstreams"
)


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def _pool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL")


def _releases(args: argparse.Namespace, context: Context) -> int:
    view = context.document(ReleasesView, "pools", args.pool, "releases")
    if isinstance(view, int):
        return view
    for line in release_lines(context.output, view, datetime.now(UTC)):
        context.output.line(line)
    if view.pool and not view.configured:
        context.output.error(_NOT_CONFIGURED)
    return Code.OK


def release_lines(output: Output, view: ReleasesView, now: datetime) -> list[str]:
    """The ledger as a table: of each upstream the latest release first."""
    rows: list[list[Cell]] = [[(word, "dim") for word in _HEADER]]
    for name, each in view.upstreams.items():
        first = text(name)
        for line in reversed(each.releases or (_NONE,)):
            runs = bool(line.release) and line.release == each.running
            rows.append(
                [
                    (first, "bold"),
                    (text(line.release), ""),
                    (text(line.status), STATUS.get(line.status, "")),
                    ("yes" if runs else "", ""),
                    (ago(line.since, now), ""),
                    (text(line.reason), ""),
                ]
            )
            first = ""
    return table(output, rows)


def _proposals(_args: argparse.Namespace, context: Context) -> int:
    view = context.document(ProposalsView, "proposals")
    if isinstance(view, int):
        return view
    if not view.proposals:
        context.output.line("no proposal is open")
    for proposal in view.proposals:
        for line in proposal_lines(context.output, proposal, datetime.now(UTC)):
            context.output.line(line)
    return Code.OK


def proposal_lines(output: Output, proposal: ProposalView, now: datetime) -> Iterator[str]:
    """One open proposal: what, why, what was in the way, and how to say yes or no."""
    pool = text(proposal.pool)
    head = f"{text(proposal.from_)} -> {text(proposal.to)}"
    yield (
        f"{output.paint(pool, 'bold')}: {output.paint(head, 'warn')}, "
        f"open for {ago(proposal.opened, now)}, id {text(proposal.id)}"
    )
    yield f"  why      {text(proposal.reason)}"
    yield f"  held by  {', '.join(map(text, proposal.gates)) or '-'}"
    yield f"  approve  {text(proposal.command)}"
    yield f"  reject   healthguard reject {pool}"


VERBS: Mapping[str, Verb] = {
    "releases": Verb(_pool, _releases, "healthguard releases threader"),
    "proposals": Verb(_no_arguments, _proposals, "healthguard proposals --json"),
}
