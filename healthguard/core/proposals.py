"""A switch that is wanted but waits for a person: opened, reminded of, approved, closed."""

from dataclasses import replace

from healthguard.core.dependencies import veto_is_over
from healthguard.core.draft import Draft
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.gates import Gate
from healthguard.core.memory import Proposal
from healthguard.core.model import DOWN, OBSERVE, PROPOSE
from healthguard.core.releases import release_of
from healthguard.core.state import State, active, health_of, mode, target

REMIND_MS = 300_000  # the first reminder; each next one waits three times as long
REMIND_MOST_MS = 21_600_000


def waivable(state: State, closed: list[Gate]) -> bool:
    """True if a person may pass every one of the ``closed`` gates: then one is asked."""
    names = {gate.name for gate in closed}
    if not names or (mode(state) == OBSERVE and "known_bad" not in names):
        return False
    return all(_may_waive(state, name, names) for name in names)


def _may_waive(state: State, name: str, names: set[str]) -> bool:
    match name:
        case "mode":
            return mode(state) == PROPOSE or "known_bad" in names
        case "known_bad":
            return True
        case "dependency_down":
            return veto_is_over(state)
        case "paused":
            return state.memory.pause is None  # it has ended while the active one was down
        case "forced":
            return True  # after a forced order nothing acts by itself, but a person is asked
    return False


def propose(draft: Draft, to: str, closed: list[Gate]) -> None:
    """Open a proposal, or keep the one that is open; a newer target replaces it."""
    here, gates = active(draft.s), tuple(gate.name for gate in closed)
    old = draft.memory.proposal
    if draft.memory.rejected or here is None:
        return
    if old is not None and (old.to, old.origin) == (to, here):
        if old.gates != gates:
            draft.remember(proposal=replace(old, gates=gates))
        return
    if old is not None:
        close(draft, "a newer one takes its place")
    reason = failure_sentence(draft.s, here)
    proposal_id = draft.next_id()
    remind = draft.at.boot_ms + REMIND_MS
    opened = Proposal(proposal_id, to, here, draft.at.boot_ms, reason, gates, remind)
    fields = {**_fields(draft.s, opened), "evidence": evidence(draft.s, here)}
    decision = {"at_wall_ms": draft.at.wall_ms, "event": "proposal_opened", **fields}
    draft.remember(proposal=opened, last_decision=decision)
    draft.record_as(proposal_id, "proposal_opened", "warning", fields)


def _fields(state: State, proposal: Proposal) -> dict[str, object]:
    return {
        "proposal": proposal.proposal_id,
        "from": proposal.origin,
        "to": proposal.to,
        "reason": proposal.reason,
        "gates": list(proposal.gates),
        "release_from": release_of(state, proposal.origin),
        "release_to": release_of(state, proposal.to),
        "command": command(state, proposal),
    }


def command(state: State, proposal: Proposal) -> str:
    """What a person types to approve it."""
    return f"healthguard approve {state.policy.pool} --id {proposal.proposal_id}"


def tend(draft: Draft) -> None:
    """Close a proposal whose condition has ended, remind of one that is still open."""
    here = active(draft.s)
    if draft.memory.rejected and health_of(draft.s, here) not in (DOWN, "unknown"):
        draft.remember(rejected=False)
    proposal = draft.memory.proposal
    if proposal is None:
        return
    if here is not None and here != proposal.origin:
        close(draft, f"{here} is active now")
    elif health_of(draft.s, here) == "up":
        close(draft, f"{proposal.origin} has recovered")
    elif here is not None and target(draft.s) != proposal.to:
        close(draft, f"{proposal.to} is not the target any more")
    elif mode(draft.s) == OBSERVE and "known_bad" not in proposal.gates:
        close(draft, "in mode observe nobody is asked")
    elif draft.at.boot_ms >= proposal.remind_ms:
        wait = min(REMIND_MS * 3**proposal.told, REMIND_MOST_MS)
        again = replace(proposal, told=proposal.told + 1, remind_ms=draft.at.boot_ms + wait)
        draft.remember(proposal=again)
        fields = {**_fields(draft.s, again), "reminder": proposal.told}
        draft.record_as(draft.next_id(), "proposal_opened", "warning", fields)


def close(draft: Draft, reason: str) -> None:
    """The open proposal ends."""
    proposal = draft.memory.proposal
    if proposal is None:
        return
    draft.remember(proposal=None)
    fields = {**_fields(draft.s, proposal), "reason": reason}
    draft.record_as(draft.next_id(), "proposal_closed", "info", fields)
