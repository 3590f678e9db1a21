"""Why an upstream is held to be failing: in one sentence, and by the results themselves."""

from healthguard.core.durations import seconds
from healthguard.core.model import Result
from healthguard.core.moments import iso
from healthguard.core.state import State, failing_since_ms


def failure_sentence(state: State, upstream: str | None) -> str:
    """Why ``upstream`` is held to be failing, by numbers."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    since = failing_since_ms(state, upstream)
    if found is None or since is None:
        return ""
    parts = [
        f"{name} failed {tally.fails} times in a row ({_latest_reason(tally.recent)})"
        for name, tally in found.probes.items()
        if tally.fails
    ]
    lasting = seconds(state.at.boot_ms - since)
    return f"{upstream} has been failing for {lasting}: {'; '.join(parts) or 'failure window'}"


def _latest_reason(recent: tuple[Result, ...]) -> str:
    for result in reversed(recent):
        if result.reason:
            what = (
                f"{result.reason} {result.status}" if result.reason == "status" else result.reason
            )
            return f"{what}: {result.detail}" if result.detail else what
    return "unknown"


def evidence(state: State, upstream: str | None) -> list[dict[str, object]]:
    """The results of ``upstream``'s failing probes since their trouble began, as in events."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    if found is None:
        return []
    rows: list[dict[str, object]] = []
    for name, tally in found.probes.items():
        since = tally.first_fail_ms
        if since is None:
            continue
        recent = [result for result in tally.recent if result.at.boot_ms >= since]
        first = tally.first_fail
        if first is not None and first not in recent:
            recent.insert(0, first)  # a long run has pushed it out of the recent ones
        rows += [_row(name, result) for result in recent]
    return rows


def _row(probe: str, result: Result) -> dict[str, object]:
    return {
        "probe": probe,
        "at": iso(result.at.wall_ms),
        "result": result.outcome,
        "reason": result.reason,
        "status": result.status,
        "latency_ms": round(result.latency_us / 1000, 1),
        "detail": result.detail,
        **({"answer": result.excerpt} if result.excerpt else {}),
    }
