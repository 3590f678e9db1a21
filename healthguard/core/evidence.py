"""Why an upstream is held to be failing: in one sentence, and by the results themselves."""

from healthguard.core.durations import shown
from healthguard.core.health import Tally
from healthguard.core.model import Result
from healthguard.core.moments import iso
from healthguard.core.state import State, failing_since_ms

# What each reason of a result means, to be read after "3 checks in a row failed:".
WORDS = {
    "refused": "connection refused",
    "reset": "connection reset",
    "timeout": "no answer in time",
    "eof": "connection closed too early",
    "protocol": "no valid HTTP answer",
    "tls": "TLS failed",
    "unreachable": "host unreachable",
    "exit": "the command failed",
    "slow": "too slow",
    "header": "a header is missing or wrong",
    "body": "the body is not as expected",
    "json": "the JSON is not as expected",
    # Inconclusive: a problem of this host.
    "loop_late": "healthguard was stopped or starved of CPU",
    "no_descriptors": "out of file descriptors",
    "no_memory": "out of memory, buffers or processes",
    "no_route": "no route, or the network is down",
    "no_local_port": "no local port or address is free",
    "no_permission": "forbidden by permissions or the local firewall",
    "dns": "name resolution failed",
    "no_command": "the probe's command cannot be run",
    "ca_file": "the trusted certificates cannot be read",
    "os_error": "an error of the operating system",
    "internal": "an error inside healthguard",
}


def failure_sentence(state: State, upstream: str | None) -> str:
    """Why ``upstream`` is held to be failing, by numbers."""
    found = state.upstreams.get(upstream) if upstream is not None else None
    since = failing_since_ms(state, upstream)
    if found is None or since is None:
        return ""
    several = len(found.probes) > 1
    parts = [
        f"{f'{name}: ' if several else ''}{_in_a_row(tally)}"
        for name, tally in found.probes.items()
        if tally.fails
    ]
    lasting = shown(state.at.boot_ms - since)
    why = "; ".join(parts) or "too many failed checks in the failure window"
    return f"{upstream} has been failing for {lasting}: {why}"


def _in_a_row(tally: Tally) -> str:
    count = "1 check" if tally.fails == 1 else f"{tally.fails} checks in a row"
    last = next((each for each in reversed(tally.recent) if each.reason), None)
    return f"{count} failed: {what_failed(last) if last is not None else 'unknown'}"


def what_failed(result: Result) -> str:
    """``HTTP 500, expected 200-299``; else what the reason means, and the detail in brackets."""
    return in_words(result.reason, result.status, result.detail)


def in_words(reason: str, status: object, detail: str) -> str:
    """``what_failed`` of a result as an event carries it, where parts may be missing."""
    if reason == "status":
        return f"HTTP {status}, {detail}" if detail else f"HTTP {status}"
    words = WORDS.get(reason, reason)  # of another version it may be unknown
    return f"{words} ({detail})" if detail else words


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
