"""Every law holds in every world the search reaches; each check turns red on a broken core."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from healthguard.core import ending, gates, pool, probation, switching, telling
from healthguard.core.model import Expect, Policy
from healthguard.core.now import Now

from .laws import LawBroken
from .search import SEEDS, do, everything, incident, search, small, steady
from .world import World

DEEP = 900  # steps of one search: half a second; 15,000 were tried once and found no more


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moves", [incident, everything])
def test_no_law_is_broken_however_events_follow_each_other(seed: str, moves: Any) -> None:
    worlds, _, broken, way = search(do(steady(), *SEEDS[seed]), moves, DEEP)
    assert broken is None, f"{broken}\nafter {seed}: {' · '.join(way)}"
    assert worlds > 200


def test_the_search_knows_equal_worlds_again() -> None:
    one, other = do(steady(), "a passes", "b passes"), do(steady(), "b passes", "a passes")
    assert one.key() == other.key()
    assert one.key() != do(steady(), "a fails").key()
    assert one.key() != do(steady(), "pause").key()


# ---------------------------------------------------------------- broken on purpose

_ROLLBACK = small().rollback
_TO_B = ("a fails", "1 s", "turn", "completed")
OBSERVE = small(mode_steady="observe", mode_bake="observe")
ONE_ONLY = small(rollback=replace(_ROLLBACK, budget_switches=1, cooldown_ms=0))
RELEASES = small(releases=True)
DEPENDENT = small(dependencies={"database": Expect()})
GRACE = small(rollback=replace(_ROLLBACK, start_grace_ms=60_000))

# Gate: (policy, the way to where it alone holds). The search finds the rest.
ALONE: dict[str, tuple[Policy, tuple[str, ...]]] = {
    "disabled": (small(), SEEDS["failing"]),
    "link_unmanaged": (small(), ("unlink",)),
    "nginx_down": (small(), ("nginx",)),
    "nginx_upgrading": (small(), ("upgrade",)),
    "active_unknown": (small(), ()),
    "lost": (small(), SEEDS["lost"]),
    "starting": (GRACE, ()),
    "self_unhealthy": (small(), ("doubt", "a fails", "b passes")),
    "known_bad": (small(), ("good a", *_TO_B, "a passes", "1 s", "1 s", "1 s", "b fails")),
    "unproven": (RELEASES, ("b renewed", "a fails", "1 s")),
    "standby_not_up": (small(), SEEDS["failing"]),
    "dependency_down": (DEPENDENT, ("database passes", "a fails", "1 s")),
    "min_down": (small(), ()),
    "cooldown": (small(), ("good a", *_TO_B, "a passes", "clear", "b fails")),
    "latched": (ONE_ONLY, ("good a", *_TO_B, "a passes", "clear", "b fails")),
    "forced": (small(), ("force b", "turn", "completed", "b fails")),
    "paused": (small(), SEEDS["failing"]),
    "mode": (OBSERVE, ()),
}
# Broken alone these do no harm: no ticket, no target, or the work under way itself stands in
# the way of a second switch.
DOUBLY_SAFE = {
    "switch_in_flight",
    "no_target",
    "switcher_unavailable",
    "config_invalid",
}


def open_for_ever(monkeypatch: pytest.MonkeyPatch, gate: str) -> None:
    row = replace(gates.GATES[gate], check=lambda _now, _to: ("open", "broken on purpose"))
    monkeypatch.setitem(gates.GATES, gate, row)  # type: ignore[arg-type]


def first_moments(policy: Policy) -> World:
    """A host has just booted: ``a`` has never been up, ``b`` has."""
    world = World(policy)
    world.order("good", "b")
    return do(world, "b passes", "a fails")


def test_every_gate_is_broken_once() -> None:
    assert set(ALONE) | DOUBLY_SAFE == set(gates.GATES)


@pytest.mark.parametrize("gate", ALONE)
def test_a_gate_that_does_not_close_turns_the_search_red(
    gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, way = ALONE[gate]
    seed = first_moments(policy) if gate == "starting" else do(steady(policy), *way)
    assert search(seed, everything, 300)[2] is None
    open_for_ever(monkeypatch, gate)
    broken = search(seed, everything, 8_000)[2]
    assert broken is not None
    if gate == "active_unknown":  # nothing is wanted while nobody knows: only the word is missing
        assert broken.law == 10
    else:
        assert broken.law == 1 or f"'{gate}'" in str(broken)


@pytest.mark.parametrize("gate", sorted(DOUBLY_SAFE))
def test_some_gates_are_not_the_only_lock(gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_for_ever(monkeypatch, gate)
    for seed in ("failing", "disagreeing"):
        assert search(do(steady(), *SEEDS[seed]), everything, 600)[2] is None


def _always_wanted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Now, "wanted", property(lambda _now: True))
    patch.setattr(Now, "still_failing", property(lambda _now: True))


def _twice(patch: pytest.MonkeyPatch) -> None:
    real = pool.on_turn

    def on_turn(draft: Any) -> bool:
        real(draft)
        draft.out += draft.out[-1:]
        return True

    patch.setattr(pool, "on_turn", on_turn)


def _uncharged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(switching, "charge", lambda _draft: None)


def _unsaved(patch: pytest.MonkeyPatch) -> None:
    real = pool.Save
    patch.setattr(pool, "Save", lambda memory: real(replace(memory, attempt=None)))


def _unmarked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ending, "condemn", lambda *_: None)


def _impatient(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pool, "account", lambda *_: None)
    patch.setattr(probation, "_covered", lambda *_: True)


def _forgetful(patch: pytest.MonkeyPatch) -> None:
    real = pool.rebase
    patch.setattr(pool, "rebase", lambda *args: replace(real(*args), bake=None))


def _silent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(telling, "phase", lambda *_: ("steady", None))


def _believing(patch: pytest.MonkeyPatch) -> None:
    real = ending._believe
    patch.setattr(ending, "_believe", lambda draft, _who, done: real(draft, "b", done))


def _mute(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(telling, "_hold_entered", lambda *_: None)


def _nameless(patch: pytest.MonkeyPatch) -> None:
    real = switching._closed

    def closed(*args: Any) -> Any:
        found = real(*args)
        return found and replace(found, name="")

    patch.setattr(switching, "_closed", closed)


@pytest.mark.parametrize(
    ("law", "break_it", "seed"),
    [
        (2, _always_wanted, "steady"),
        (3, _twice, "queued by a person"),
        (5, _uncharged, "failing"),
        (5, _unsaved, "failing"),
        (6, _unmarked, "failing"),
        (7, _impatient, "baking"),
        (7, _forgetful, "baking"),
        (8, _silent, "failing"),
        (9, _believing, "failing"),
        (10, _mute, "failing"),
        (10, _nameless, "queued by a person"),
    ],
)
def test_a_broken_core_turns_its_law_red(
    law: int, break_it: Callable[[pytest.MonkeyPatch], None], seed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    world = do(steady(), *SEEDS[seed])
    break_it(monkeypatch)
    broken = search(world, everything, 12_000)[2]
    assert isinstance(broken, LawBroken)
    assert broken.law == law
