"""A switch that is wanted but waits for a person: opened, reminded of, approved, closed."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.memory import Proposal
from healthguard.core.model import OBSERVE, UP
from healthguard.core.now import Finding
from healthguard.core.releases import release_of
from healthguard.core.state import State, health_of

REMIND_MS = 300_000  # the first reminder; each next one waits three times as long
REMIND_MOST_MS = 21_600_000


def propose(draft: Draft, to: str, closed: list[Finding]) -> None:
    """Open a proposal, or keep the one that is open; a newer target replaces it."""
    here, gates = draft.now.active, tuple(finding.name for finding in closed)
    old = draft.memory.proposal
    if draft.memory.rejected or here is None:
        return
    if old is not None and (old.to, old.origin) == (to, here):
        if old.gates != gates:
            draft.memory = replace(draft.memory, proposal=replace(old, gates=gates))
        return
    if old is not None:
        close(draft, "replaced by a newer proposal")
    state = draft.now.state
    proposal_id, now = draft.next_id(), draft.at.boot_ms
    reason = failure_sentence(state, here)
    opened = Proposal(proposal_id, to, here, now, reason, gates, now + REMIND_MS)
    fields = {**_fields(state, opened), "evidence": evidence(state, here)}
    draft.memory = replace(draft.memory, proposal=opened)
    draft.decided("proposal_opened", fields)
    draft.say_as(proposal_id, "proposal_opened", fields)


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
    now = draft.now
    if draft.memory.rejected and health_of(now.state, now.active) == UP:
        draft.memory = replace(draft.memory, rejected=False)
    proposal = draft.memory.proposal
    if proposal is None:
        return
    if now.active is not None and now.active != proposal.origin:
        close(draft, f"{now.active} is active now")
    elif health_of(now.state, now.active) == UP:
        close(draft, f"{proposal.origin} has recovered")
    elif now.active is not None and now.target != proposal.to:
        close(draft, f"{proposal.to} is no longer the target")
    elif now.mode == OBSERVE and "known_bad" not in proposal.gates:
        close(draft, "the mode is observe now")
    elif draft.at.boot_ms >= proposal.remind_ms:
        _remind(draft, proposal)


def _remind(draft: Draft, proposal: Proposal) -> None:
    wait = min(REMIND_MS * 3**proposal.told, REMIND_MOST_MS)
    again = replace(proposal, told=proposal.told + 1, remind_ms=draft.at.boot_ms + wait)
    draft.memory = replace(draft.memory, proposal=again)
    fields = {**_fields(draft.now.state, again), "reminder": proposal.told}
    draft.say_as(draft.next_id(), "proposal_opened", fields)


def close(draft: Draft, reason: str) -> None:
    """The open proposal ends."""
    proposal = draft.memory.proposal
    if proposal is None:
        return
    draft.memory = replace(draft.memory, proposal=None)
    fields = {**_fields(draft.now.state, proposal), "reason": reason}
    draft.say_as(draft.next_id(), "proposal_closed", fields)
