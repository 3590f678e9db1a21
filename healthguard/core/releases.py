"""The ledger of releases: new, good or bad, per upstream and release.

Where answers name no release, an upstream itself is what is vouched for or marked. A release is
on probation (``baking``) while the bake of its upstream lasts; that is derived, not stored.
"""

from collections.abc import Mapping
from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.happenings import WARNING
from healthguard.core.memory import Mark, Note
from healthguard.core.now import Now
from healthguard.core.state import State

NEW, GOOD, BAD, BAKING = "new", "good", "bad", "baking"
KEPT = 20  # releases per upstream


def release_of(state: State | Draft, upstream: str | None) -> str | None:
    """The release that ``upstream`` runs, as far as its answers tell."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    return found.release if found is not None else None


def status_of(state: State, upstream: str, release: str) -> str:
    """new, baking, good or bad."""
    bake = state.memory.bake
    if bake is not None and bake.upstream == upstream and bake.release == release:
        return BAKING
    note = state.memory.releases.get(upstream, {}).get(release)
    return note.status if note is not None else NEW


def known_bad(state: State, upstream: str) -> tuple[int, str] | None:
    """(since, reason) if what ``upstream`` runs now was left because it failed."""
    mark, release = state.memory.marks.get(upstream), release_of(state, upstream)
    if release is not None:
        note = state.memory.releases.get(upstream, {}).get(release)
        if note is not None and note.status == BAD:
            return note.since_ms, f"release {release}: {note.reason}"
        if mark is not None and mark.release not in (None, release):
            return None  # another release than the one that failed
    return (mark.at_ms, mark.reason) if mark is not None else None


def unproven(now: Now, upstream: str) -> str:
    """Why what ``upstream`` runs is not proven; "" if it is, or if nobody asked for releases."""
    state = now.state
    if not state.policy.releases:
        return ""
    release, bake = release_of(state, upstream), state.memory.bake
    if release is None:
        return f"{upstream} does not report its release"
    came_from = (bake.origin, bake.origin_release) if bake is not None and now.baking else None
    if came_from == (upstream, release):
        return ""  # it served until this bake began
    if status_of(state, upstream, release) == GOOD:
        return ""
    known = state.memory.releases.get(upstream, {}).get(release)
    if known is not None and known.status == BAD and known.proven:
        return ""  # it failed since: that is what `known_bad` is for
    return f"{upstream} runs {release}, which has never passed a bake here"


def see(draft: Draft, upstream: str, release: str) -> bool:
    """An answer of ``upstream`` named ``release``; True if it was never seen there before."""
    found = draft.upstreams[upstream]
    if found.release == release:
        return False
    draft.upstreams = {**draft.upstreams, upstream: replace(found, release=release)}
    known = draft.memory.releases.get(upstream, {})
    if release in known:
        return False
    trusted = upstream == draft.policy.stable or upstream in draft.memory.good
    first = not known and trusted and upstream not in draft.memory.marks
    note(draft, upstream, release, GOOD if first else NEW, "first seen")
    draft.say(
        "release_marked",
        upstream=upstream,
        release=release,
        mark=GOOD if first else NEW,
        reason=f"{upstream} was vouched for before" if first else "first seen",
    )
    return True


def note(draft: Draft, upstream: str, release: str, status: str, reason: str) -> None:
    """Write one line of the ledger; the oldest are forgotten."""
    lines = {**draft.memory.releases.get(upstream, {})}
    old = lines.pop(release, None)
    proven = status == BAD and old is not None and (old.status == GOOD or old.proven)
    lines[release] = Note(status, draft.at.boot_ms, reason, proven)
    while len(lines) > KEPT:
        lines.pop(next(iter(lines)))
    draft.memory = replace(draft.memory, releases={**draft.memory.releases, upstream: lines})


def vouch(draft: Draft, upstream: str, reason: str) -> None:
    """``upstream`` is a place to go back to, the latest one last; what it runs is good."""
    others = tuple(name for name in draft.memory.good if name != upstream)
    draft.memory = replace(draft.memory, good=(*others, upstream))
    release = release_of(draft, upstream)
    if release is not None:
        note(draft, upstream, release, GOOD, reason)


def condemn(draft: Draft, upstream: str, reason: str) -> None:
    """It was left because it failed: never an automatic target until a person says so, or until
    it runs another release.
    """
    release = release_of(draft, upstream)
    marks = {**draft.memory.marks, upstream: Mark(draft.at.boot_ms, reason, release)}
    draft.memory = replace(draft.memory, marks=marks)
    if release is not None:
        note(draft, upstream, release, BAD, reason)
    draft.say(
        "release_marked", WARNING, upstream=upstream, release=release, mark=BAD, reason=reason
    )


def pardon(draft: Draft, upstream: str, reason: str) -> bool:
    """Forget that what ``upstream`` runs is known bad, and say so. False: it was not marked."""
    marks, release = draft.memory.marks, release_of(draft, upstream)
    lines: Mapping[str, Note] = draft.memory.releases.get(upstream, {})
    bad = release is not None and release in lines and lines[release].status == BAD
    if upstream not in marks and not bad:
        return False
    others = {name: mark for name, mark in marks.items() if name != upstream}
    draft.memory = replace(draft.memory, marks=others)
    if release is not None and bad:
        note(draft, upstream, release, NEW, reason)
    draft.say("release_marked", upstream=upstream, release=release, mark="cleared", reason=reason)
    return True
