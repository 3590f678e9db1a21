"""Breadth first through everything that can happen, as far as the budget of steps goes."""

from collections import deque
from collections.abc import Callable, Iterator

from healthguard.core.model import BakePolicy, Expect, HealthPolicy, Policy, RollbackPolicy
from healthguard.core.model import UpstreamPolicy as Colour

from .laws import LawBroken
from .world import FAIL, PASS, UNSURE, World

Move = tuple[str, Callable[[World], None]]

ENDS = (
    "completed", "undone", "lost", "refused", "unclear", "unclear-old", "vanished", "vanished-old",
)  # fmt: skip


def small(**changes: object) -> Policy:
    """Two upstreams, one probe each, thresholds and times as small as they can be."""
    base = {
        "stable": None,
        "health": HealthPolicy(fall=1, rise=1),
        "rollback": RollbackPolicy(
            min_down_ms=1_000,
            cooldown_ms=3_000,
            budget_switches=2,
            budget_per_ms=20_000,
            daily_budget=3,
            standby_passes=1,
            start_grace_ms=0,
        ),
        "bake": BakePolicy(for_ms=3_000, fall=1, min_down_ms=1_000),
        "marker": True,
    }
    colour = Colour({"p": Expect()})
    return Policy("app", {"a": colour, "b": colour}, **{**base, **changes})  # type: ignore[arg-type]


def incident(world: World) -> Iterator[Move]:
    """What happens by itself: answers, time, turns, ends, crashes."""
    for name in world.policy.upstreams:
        yield f"{name} passes", lambda w, n=name: w.answer(n, PASS)  # type: ignore[misc]
        yield f"{name} fails", lambda w, n=name: w.answer(n, FAIL)  # type: ignore[misc]
    yield "1 s", lambda w: w.tick(1_000)
    if world.queued:
        yield "turn", lambda w: w.turn()
    if world.flight is not None:
        for how in ENDS:
            yield how, lambda w, h=how: w.finish(h)  # type: ignore[misc]
    for name in world.releases:
        yield f"{name} renewed", lambda w, n=name: w.deploy(n)  # type: ignore[misc]
    if world.policy.dependencies:
        yield "database passes", lambda w: w.depend(PASS)
        yield "database fails", lambda w: w.depend(FAIL)
    yield "crash", lambda w: w.crash()


def everything(world: World) -> Iterator[Move]:
    """The same, with people, other hands, and trouble of the host."""
    yield from incident(world)
    for name in world.policy.upstreams:
        yield f"switch {name}", lambda w, n=name: w.order("switch", n)  # type: ignore[misc]
        yield f"force {name}", lambda w, n=name: w.order("switch", n, force=True)  # type: ignore[misc]
        if world.link.upstream != name or world.workers != name:
            yield f"hand {name}", lambda w, n=name: w.hand(n, True)  # type: ignore[misc]
            yield f"link {name}", lambda w, n=name: w.hand(n, False)  # type: ignore[misc]
    yield "rollback", lambda w: w.order("rollback")
    yield "signal", lambda w: w.order("rollback", trigger="signal")
    yield "deploy b", lambda w: w.order("switch", "b", trigger="deploy")
    yield "pause", lambda w: w.order("pause", for_ms=2_000)
    yield "resume", lambda w: w.order("resume")
    yield "good a", lambda w: w.order("good", "a")
    yield "clear", lambda w: w.order("clear")
    yield "ack", lambda w: w.order("ack")
    yield "dry b", lambda w: w.order("switch", "b", dry_run=True)
    yield "unsure a", lambda w: w.answer("a", UNSURE)
    yield "disable", _disable
    yield "nginx", _nginx
    yield "upgrade", _upgrade
    yield "unlink", _unlink
    yield "break", _break
    yield "doubt", lambda w: w.doubt("" if w.doubts else "late")
    yield "silence", _silence


def _disable(world: World) -> None:
    world.disabled = None if world.disabled else "hands off"
    world.look()


def _nginx(world: World) -> None:
    world.nginx_is("down" if world.nginx.state == "running" else "running")
    world.look()


def _upgrade(world: World) -> None:
    world.nginx_is("upgrading" if world.nginx.state == "running" else "running")
    world.look()


def _unlink(world: World) -> None:
    if world.link.upstream is not None:
        world.move(None, "not a symlink")
    else:
        world.move(world.workers)
    world.look()


def _break(world: World) -> None:
    world.broken = not world.broken
    world.touch()
    world.look()


def _silence(world: World) -> None:
    """Nobody looks for longer than an observation is good for."""
    world.now += 16_000
    world.woke()


def steady(policy: Policy | None = None) -> World:
    """``a`` is active and up, ``b`` is up and vouched for."""
    world = World(policy or small())
    world.order("good", "b")
    for name in world.policy.upstreams:
        for _ in range(2):
            world.answer(name, PASS)
    world.tick(1_000)
    return world


def do(world: World, *names: str) -> World:
    """The moves of these names, one after the other."""
    for name in names:
        dict(everything(world))[name](world)
    return world


SEEDS: dict[str, tuple[str, ...]] = {
    "steady": (),
    "failing": ("a fails", "1 s"),
    "queued by a person": ("switch b",),
    "switched automatically": ("a fails", "1 s", "turn", "completed"),
    "baking": ("switch b", "turn", "completed", "1 s"),
    "bake failing": ("switch b", "turn", "completed", "1 s", "good a", "b fails"),
    "crashed in flight": ("a fails", "1 s", "turn", "crash"),
    "lost": ("a fails", "1 s", "turn", "lost"),
    "unclear": ("a fails", "1 s", "turn", "unclear-old"),
    "paused": ("pause", "a fails", "1 s"),
    "disagreeing": ("link b",),
}  # fmt: skip


def search(
    seed: World, moves: Callable[[World], Iterator[Move]], budget: int
) -> tuple[int, int, LawBroken | None, tuple[str, ...]]:
    """(worlds seen, depth reached, the first broken law or None, the way there)."""
    seen = {seed.key()}
    todo: deque[tuple[World, tuple[str, ...]]] = deque([(seed, ())])
    depth = 0
    while todo and budget > 0:
        world, way = todo.popleft()
        depth = len(way)
        for name, move in moves(world):
            twin = world.copy()
            budget -= 1
            try:
                move(twin)
            except LawBroken as broken:
                return len(seen), depth, broken, (*way, name)
            except Exception as bug:
                raise AssertionError(f"step raised after {(*way, name)}") from bug
            key = twin.key()
            if key not in seen:
                seen.add(key)
                todo.append((twin, (*way, name)))
    return len(seen), depth, None, ()
