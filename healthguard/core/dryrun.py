"""Orders that only want to know: answered by a prepare of their own, nothing is moved."""

from collections.abc import Mapping
from dataclasses import replace

from healthguard.core.codes import Code
from healthguard.core.draft import Draft
from healthguard.core.gates import GATES, Binds, binding_for, evaluate, first_closed
from healthguard.core.model import Outcome
from healthguard.core.now import Finding
from healthguard.core.state import TICKET_MS, DryRun, usable_prepare
from healthguard.core.switching import ask_prepare


def answer_dry_runs(draft: Draft) -> None:
    """Answer those for whom a prepare has ended since; ask for one for the others."""
    waiting = []
    for dry in draft.doing.dry_runs:
        fact = usable_prepare(draft.now.state, dry.to, TICKET_MS)
        order_id = dry.order.order_id
        if dry.to not in draft.policy.upstreams:
            message = f"a reload removed {dry.to} from the configuration"
            draft.reply((order_id,), Outcome(Code.USAGE, "unknown_upstream", message))
        elif fact is not None and fact.at.boot_ms >= dry.since_ms:
            draft.reply((order_id,), _dry_outcome(draft, dry))
        else:
            waiting.append(dry)
            ask_prepare(draft, dry.to, urgent=True)
    if len(waiting) != len(draft.doing.dry_runs):
        draft.doing = replace(draft.doing, dry_runs=tuple(waiting))


def _dry_outcome(draft: Draft, dry: DryRun) -> Outcome:
    now = draft.now
    findings = evaluate(now, dry.to)
    closed = first_closed(findings, binding_for(dry.order))
    data: Mapping[str, object] = {
        "dry_run": True,
        "from": now.active,
        "to": dry.to,
        "gates": [gate_row(finding) for finding in findings],
        "prepare_ms": draft.seen.prepares[dry.to].took_ms,
    }
    if now.active == dry.to:
        return Outcome(Code.OK, "", f"{dry.to} is already active: nothing would be done", data)
    if closed is not None:
        return Outcome(Code.REFUSED, closed.name, closed.evidence, data)
    return Outcome(Code.OK, "", f"would switch to {dry.to}; the prepare passed", data)


def gate_row(finding: Finding) -> dict[str, object]:
    """One gate as it stands in JSON."""
    return {
        "gate": finding.name,
        "closed": finding.closed,
        "pending": finding.pending,
        "evidence": finding.evidence,
        "never_forced": GATES[finding.name].binds == Binds.FORCED,
    }
