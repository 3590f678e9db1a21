"""Mode observe: where an automatic switch stops short."""

from dataclasses import replace

from healthguard.core.charges import charge_shadow
from healthguard.core.draft import Draft
from healthguard.core.evidence import evidence, failure_sentence
from healthguard.core.model import AUTOMATIC
from healthguard.core.releases import release_of


def would_switch(draft: Draft, to: str) -> None:
    """Say what would have been done, once per failure, and charge the shadow."""
    if draft.doing.would:
        return
    now, here, since = draft.now, draft.now.active, draft.now.failing_since
    fields: dict[str, object] = {
        "from": here,
        "to": to,
        "trigger": AUTOMATIC,
        "reason": failure_sentence(now.state, here),
        "detection_ms": draft.at.boot_ms - since if since is not None else None,
        "evidence": evidence(now.state, here),
        "release_from": release_of(draft, here),
        "release_to": release_of(draft, to),
    }
    draft.doing = replace(draft.doing, would=True)
    charge_shadow(draft)
    draft.decided("would_switch", fields)
    draft.say_as(draft.next_id(), "would_switch", fields)
