"""The STATUS line: all pools in one bounded line, those in trouble first."""

from collections.abc import Iterable
from datetime import datetime

from healthguard.core.durations import shown
from healthguard.views.model import PoolView

_SHOWN = 4  # pools spelled out


def status_line(views: Iterable[PoolView], now_wall_ms: int, log_problem: str = "") -> str:
    """``threader: blue active, green up, rollback available; last switch 12m ago | ...``.

    ``views``: pools as status shows them. ``log_problem``: why the event log cannot be written.
    """
    calm: list[str] = []
    trouble: list[str] = []
    for view in views:
        (calm if is_calm(view) else trouble).append(pool_line(view, now_wall_ms))
    lines = trouble + calm
    head = [f"{len(lines)} pools, {_attention(len(trouble))}"] if len(lines) > _SHOWN else []
    if log_problem:
        head.append("event log cannot be written")
    rest = len(lines) - _SHOWN
    return " | ".join([*head, *lines[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])])


def _attention(count: int) -> str:
    return "1 needs attention" if count == 1 else f"{count} need attention"


def is_calm(view: PoolView) -> bool:
    """True if nobody needs to look at this pool."""
    found = view.upstreams.get(view.active or "")
    up = found is not None and found.health == "up"
    return up and view.rollback_ready and view.paused is None and not view.latched


def pool_line(view: PoolView, now_wall_ms: int) -> str:
    """One pool."""
    active = view.active
    words: list[str] = []
    for name, upstream in view.upstreams.items():
        health = upstream.health
        if name == active:
            words.insert(0, f"{name} active" + ("" if health == "up" else f" and {health}"))
        else:
            words.append(f"{name} {health}")
    if active is None:
        words.insert(0, "active upstream unknown")
    words.append(_standing(view))
    line = f"{view.pool}: {', '.join(words)}"
    if view.active_since:
        since = datetime.fromisoformat(view.active_since).timestamp() * 1000
        line += f"; last switch {shown(max(0, now_wall_ms - int(since)))} ago"
    return line


def _standing(view: PoolView) -> str:
    if view.paused:
        return "paused"
    if view.latched:
        return "latched"
    if view.bake:
        return f"bake ends in {shown(view.bake.remaining_ms)}"
    if view.rollback_ready:
        return "rollback available"
    return f"rollback unavailable ({view.hold})" if view.hold else "rollback unavailable"
