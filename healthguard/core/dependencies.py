"""What all upstreams need (database, identity provider): it can only veto, never trigger."""

from dataclasses import replace

from healthguard.core.draft import Draft
from healthguard.core.events import DependencyChecked
from healthguard.core.happenings import WARNING
from healthguard.core.health import Tally, count, judge
from healthguard.core.model import DOWN, FAIL, UP
from healthguard.core.now import Now

VETO_MS = 120_000  # in steady state a veto lasts so long, then a person is asked


def on_dependency(draft: Draft, event: DependencyChecked) -> bool:
    """One dependency has answered."""
    before = draft.dependencies.get(event.dependency)
    expect = draft.policy.dependencies.get(event.dependency)
    if before is None or expect is None:
        return False
    result = judge(event.answer, expect, event.at)
    after = count(before, result, draft.policy.health, draft.policy.health.fall)
    draft.dependencies = {**draft.dependencies, event.dependency: after}
    up = draft.seen.dependencies_up
    if after.health == UP and event.dependency not in up:
        draft.seen = replace(draft.seen, dependencies_up=(*up, event.dependency))
    if after.health != before.health:
        draft.say(
            "health_changed",
            WARNING if after.health == DOWN else None,
            from_=before.health,
            to=after.health,
            dependency=event.dependency,
            reason=result.reason or "passed",
            detail=result.detail,
            never_up=event.dependency not in draft.seen.dependencies_up,
        )
    return result.outcome == FAIL or before.fails > 0 or after.health != before.health


def vetoing(now: Now) -> list[str]:
    """The dependencies that forbid an automatic switch now.

    None if it first failed after this bake began: the release may be the cause. None if it was
    never up since the start: that is a mistake in the configuration.
    """
    bake = now.state.memory.bake if now.baking else None
    names = []
    for name, tally in now.state.dependencies.items():
        if not is_failing(tally) or name not in now.state.seen.dependencies_up:
            continue
        since = tally.first_fail_ms
        if bake is not None and since is not None and since >= bake.since_ms:
            continue
        names.append(name)
    return names


def vetoes(now: Now) -> list[str]:
    """One sentence for each dependency that forbids an automatic switch now."""
    tallies = now.state.dependencies
    down = {name for name, tally in tallies.items() if tally.health == DOWN}
    return [
        f"dependency {name} is {'down' if name in down else 'failing'}" for name in vetoing(now)
    ]


def is_failing(tally: Tally) -> bool:
    """Down, or its last result was a fail: in doubt, wait for the next one."""
    return tally.health == DOWN or tally.fails > 0


def excused(now: Now) -> list[str]:
    """Failing dependencies that do not veto, each with the reason."""
    names, said = vetoing(now), []
    for name, tally in now.state.dependencies.items():
        if not is_failing(tally) or name in names:
            continue
        if name not in now.state.seen.dependencies_up:
            said.append(f"dependency {name} has never been up since the start: check its address")
        else:
            said.append(
                f"dependency {name} began to fail after this bake: the release may be the cause"
            )
    return said


def clock_veto(draft: Draft, alone: bool) -> None:
    """Remember since when vetoes ``alone`` hold back a wanted switch."""
    if alone == (draft.doing.veto_ms is None):
        draft.doing = replace(draft.doing, veto_ms=draft.at.boot_ms if alone else None)


def veto_is_over(now: Now) -> bool:
    """True when a person is to be asked instead; only in steady state."""
    since = now.state.doing.veto_ms
    return since is not None and now.state.at.boot_ms - since >= VETO_MS and not now.baking
