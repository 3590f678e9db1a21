"""The ten laws of ``core/pool.py`` as checks of one step; independent of the core's own gates.

They judge by what the world was told and has seen (its ghosts), and by raw facts of the state.
"""

from typing import TYPE_CHECKING

from healthguard.core.events import Commit
from healthguard.core.now import now_of
from healthguard.core.state import State
from tests.support.step import Step

if TYPE_CHECKING:
    from .world import World

GATES = (
    "disabled link_unmanaged nginx_down nginx_upgrading active_unknown lost starting "
    "self_unhealthy switch_in_flight no_target known_bad unproven standby_not_up "
    "dependency_down switcher_unavailable config_invalid min_down cooldown latched forced paused "
    "mode usage unknown_upstream no_proposal"
)
NAMED = frozenset(GATES.split())


class LawBroken(AssertionError):
    """Names the law."""

    def __init__(self, law: int, what: str) -> None:
        super().__init__(f"law {law}: {what}")
        self.law = law


def check(world: "World", step: Step) -> None:
    """Raise LawBroken if this step breaks one."""
    after = step.after
    switches = step.switches
    if switches:
        _need(3, len(switches) == 1, "two switches in one step")
        _need(3, world.flight is None, "a switch while one is in flight")
        _need(3, step.is_turn and world.queued, "a switch without the turn")
        _only_to_what_is_up(world, switches[0])
        _gates(world, step.before, after, switches[0])
        _charged(world, step)
    _marks(world, after)
    _bake(world, step)
    _loud(world, after)
    _belief(world, after)
    _told(world, step)


def _need(law: int, true: bool, what: str) -> None:
    if not true:
        raise LawBroken(law, what)


def _only_to_what_is_up(world: "World", switch: Commit) -> None:
    health = world.probes[switch.to].health
    _need(1, switch.force or health == "up", f"to {switch.to}, which is {health}")


def _gates(world: "World", before: State, after: State, switch: Commit) -> None:
    attempt = after.memory.attempt
    assert attempt is not None
    closed = closed_by_hand(world, before, switch.to)
    if attempt.order.trigger == "automatic":
        health = world.probes[attempt.begun.origin].health if attempt.begun.origin else "unknown"
        _need(2, now_of(before).active is not None, "automatic, and nobody knows the active one")
        _need(2, health == "down", f"automatic, and the active one is {health}")
    elif switch.force:
        closed &= {"link_unmanaged", "nginx_down", "nginx_upgrading", "switch_in_flight"}
    else:
        closed &= {
            "disabled", "link_unmanaged", "nginx_down", "nginx_upgrading", "lost",
            "switch_in_flight", "standby_not_up",
        }  # fmt: skip
    _need(4, not closed, f"{attempt.order.trigger} through closed gates {sorted(closed)}")


def closed_by_hand(world: "World", state: State, to: str) -> set[str]:
    """The gates as one would judge them from outside."""
    policy, memory, now = world.policy, state.memory, world.now
    here, link, nginx = now_of(state).active, state.seen.link, state.seen.nginx
    rollback, bake = policy.rollback, memory.bake
    in_bake = bake is not None and bake.upstream == here
    probe = world.probes[here] if here is not None else None
    began = probe.read()[1] if probe is not None else None
    min_down = policy.bake.min_down_ms if in_bake else rollback.min_down_ms
    boot = state.at.boot_ms
    cooled = memory.undo_stamp not in (None, "", state.seen.stamp)
    spent = sum(now - at < rollback.budget_per_ms for at in world.charges)
    mode = policy.mode_bake if in_bake else policy.mode_steady
    conditions = {
        "disabled": state.seen.disabled is not None,
        "link_unmanaged": link is None or link.upstream is None,
        "nginx_down": nginx is None or nginx.state == "down",
        "nginx_upgrading": nginx is not None and nginx.state == "upgrading",
        "active_unknown": world.seen is None or len({*world.seen}) != 1,
        "lost": world.lost,
        "starting": probe is None
        or probe.health == "unknown"
        or (here not in memory.seen_up and boot < memory.grace_from_ms + rollback.start_grace_ms),
        "self_unhealthy": world.doubts,
        "switch_in_flight": world.flight is not None,
        "no_target": to == here,
        "known_bad": to in world.marks,
        "unproven": policy.releases and not _proven(world, state, to),
        "dependency_down": _vetoed(world, state),
        "standby_not_up": world.probes[to].health != "up"
        or world.probes[to].passes() < rollback.standby_passes,
        "min_down": began is None or now - began < min_down,
        "cooldown": bool(world.charges)
        and now - max(world.charges) < rollback.cooldown_ms
        and not cooled,
        "latched": world.latched or spent >= rollback.budget_switches,
        "forced": memory.forced is not None or (bake is not None and bake.forced),
        "paused": world.paused or memory.down_at_pause_end,
        "mode": mode != "auto",
    }
    return {name for name, closed in conditions.items() if closed}


def _proven(world: "World", state: State, to: str) -> bool:
    """It was vouched for, or served until the bake that has now begun."""
    bake = state.memory.bake
    note = state.memory.releases.get(to, {}).get(world.releases[to])
    return (note is not None and note.status == "good") or (bake is not None and bake.origin == to)


def _vetoed(world: "World", state: State) -> bool:
    """The database was up once, fails now, and did so before the bake, if there is one."""
    results, (health, began) = world.database.results, world.database.read()
    failing = health == "down" or bool(results and not results[-1][1])
    bake = state.memory.bake
    since = bake.since_ms - world.boot_base if bake is not None else None
    excused = since is not None and began is not None and began >= since
    return failing and bool(state.seen.dependencies_up) and not excused


def _charged(world: "World", step: Step) -> None:
    attempt, saved = step.after.memory.attempt, step.saved
    assert attempt is not None
    _need(5, saved is not None, "nothing is saved before the link moves")
    assert saved is not None
    _need(5, saved.attempt == attempt, "the intent is not saved before the link moves")
    if attempt.order.trigger == "automatic":
        charges = [at - step.after.at.boot_ms for at in saved.charges.at_ms]
        _need(5, 0 in charges, "the attempt is not charged before the link moves")
        wanted = [at - world.now for at in world.charges]
        _need(5, set(wanted) <= set(charges), "an earlier charge was forgotten")


def _marks(world: "World", after: State) -> None:
    left = world.marks - set(after.memory.marks)
    _need(6, not left, f"{sorted(left)} was left because it failed, and carries no mark")


def _bake(world: "World", step: Step) -> None:
    after, event, said = step.after, step.event, set(step.said)
    old, new = step.before.memory.bake, after.memory.bake
    if step.restored is not None:
        kept = step.restored.bake is None or new is not None
        _need(7, kept, "a restart ended a bake")
    if old is None or step.is_reload:
        return
    if new is not None and new.upstream == old.upstream and new.since_ms == old.since_ms:
        return
    if "bake_passed" in said:
        health = world.probes[old.upstream].health
        _need(7, health == "up", f"a bake passed while {old.upstream} was {health}")
        enough = world.policy.bake.for_ms * 0.9
        _need(7, world.bake_seen >= enough, f"a bake passed after {world.bake_seen} ms seen")
        return
    if step.answer is not None and new is not None:
        fresh = step.answer[1].release != old.release
        _need(7, fresh, "a bake began anew without a new release")
        return
    _need(7, bool(said & {"switch_completed", "switch_lost"}), f"a bake ended by {event}")
    _need(7, after.memory.active != old.upstream or new is not None, "a reload ended a bake")


def _loud(world: "World", after: State) -> None:
    here = now_of(after).active
    if here is None or after.doing.switch is not None or after.memory.attempt is not None:
        return
    health, began = world.probes[here].read()
    if health != "down" or began is None:
        return
    long = world.now - began > world.policy.rollback.min_down_ms + 11_000
    _need(8, not long or after.told.phase not in ("steady", "baking"), "down, and nothing is said")


def _belief(world: "World", after: State) -> None:
    here = now_of(after).active
    if here is None:
        return
    _need(9, world.seen is not None, "believed before anything was looked at")
    assert world.seen is not None
    link, workers = world.seen
    _need(9, here == link == workers, f"{here} is believed, seen were {link} and {workers}")
    settled = after.memory.attempt is None
    _need(9, not settled or after.memory.active == here, "what is seen is not what is remembered")


# What may explain that the phase is now this one.
EXPLAINS = {
    "": {"hold_left"},
    "starting": {
        "hold_entered",
        "hold_left",
        "switch_completed",
        "switch_undone",
        "switch_lost",
        "acked",
    },
    "steady": {"hold_left", "bake_passed", "switch_completed", "switch_undone", "acked"},
    "baking": {"hold_left", "bake_started", "switch_undone", "switch_lost", "acked"},
    "holding": {"hold_entered"},
    "switching": {"switch_started"},
    "lost": {"switch_lost"},
}


def _told(world: "World", step: Step) -> None:
    before, after, said = step.before, step.after, step.said
    for name in ("hold_entered", "hold_left", "switch_started", "bake_started", "bake_passed"):
        _need(10, said.count(name) <= 1, f"{name} twice in one step")
    if before.told.phase and before.told.phase != after.told.phase:
        why = EXPLAINS[after.told.phase]
        found = bool(why & set(said))
        _need(
            10,
            found,
            f"{before.told.phase} -> {after.told.phase} by {step.event}, only said {said}",
        )
    for record in step.records:
        if record.event in ("hold_entered", "order_refused"):
            _need(10, record.fields["gate"] in NAMED, f"{record.fields['gate']!r} is no gate")
            _need(10, bool(record.fields["reason"]), f"{record.event} without a reason")
    for order, outcome in step.replies:
        _need(10, order in world.asked, f"{order} was never given")
        _need(10, order not in world.answered, f"{order} is answered twice")
        if outcome.code == 1:
            _need(10, outcome.error in NAMED, f"refused by {outcome.error!r}")
