"""What all upstreams need (database, identity provider): it can only veto, never trigger."""

from healthguard.core.draft import Draft
from healthguard.core.events import DependencyChecked
from healthguard.core.health import Tally, count, judge
from healthguard.core.model import DOWN, FAIL, UP
from healthguard.core.state import State, active, baking

VETO_MS = 120_000  # in steady state a veto lasts so long, then a person is asked


def on_dependency(draft: Draft, event: DependencyChecked) -> bool:
    """One dependency has answered."""
    state = draft.s
    before = state.dependencies.get(event.dependency)
    expect = state.policy.dependencies.get(event.dependency)
    if before is None or expect is None:
        return False
    result = judge(event.answer, expect, event.at)
    after = count(before, result, state.policy.health, state.policy.health.fall)
    seen = state.dependencies_seen
    if after.health == UP and event.dependency not in seen:
        seen = (*seen, event.dependency)
    draft.set(dependencies={**state.dependencies, event.dependency: after}, dependencies_seen=seen)
    if after.health != before.health:
        draft.record(
            "health_changed",
            "warning" if after.health == DOWN else "info",
            from_=before.health,
            to=after.health,
            dependency=event.dependency,
            reason=result.reason or "passed",
            detail=result.detail,
            never_up=event.dependency not in seen,
        )
    return result.outcome == FAIL or before.fails > 0 or after.health != before.health


def vetoing(state: State) -> list[str]:
    """The dependencies that forbid an automatic switch now.

    None if it first failed after this bake began: the release may be the cause. None if it was
    never up since the start: that is a mistake in the configuration.
    """
    here = active(state)
    bake = state.memory.bake if here is not None and baking(state, here) else None
    names = []
    for name, tally in state.dependencies.items():
        if not is_failing(tally) or name not in state.dependencies_seen:
            continue
        since = tally.first_fail_ms
        if bake is not None and since is not None and since >= bake.since_ms:
            continue
        names.append(name)
    return names


def vetoes(state: State) -> list[str]:
    """One sentence for each dependency that forbids an automatic switch now."""
    down = {name for name, tally in state.dependencies.items() if tally.health == DOWN}
    return [f"{name} is {'down' if name in down else 'failing'}" for name in vetoing(state)]


def is_failing(tally: Tally) -> bool:
    """Down, or its last result was a fail: in doubt, wait for the next one."""
    return tally.health == DOWN or tally.fails > 0


def excused(state: State) -> list[str]:
    """Failing dependencies that do not veto, each with the reason."""
    names, said = vetoing(state), []
    for name, tally in state.dependencies.items():
        if not is_failing(tally) or name in names:
            continue
        if name not in state.dependencies_seen:
            said.append(f"{name} was never up since the start: check its address")
        else:
            said.append(f"{name} began to fail after this bake did: the release may be the cause")
    return said


def clock_veto(draft: Draft, alone: bool) -> None:
    """Remember since when vetoes ``alone`` hold back a wanted switch."""
    if not alone:
        if draft.s.veto_ms is not None:
            draft.set(veto_ms=None)
    elif draft.s.veto_ms is None:
        draft.set(veto_ms=draft.at.boot_ms)


def veto_is_over(state: State) -> bool:
    """True when a person is to be asked instead; only in steady state."""
    here = active(state)
    return (
        state.veto_ms is not None
        and state.at.boot_ms - state.veto_ms >= VETO_MS
        and not (here is not None and baking(state, here))
    )
