"""One pool's record under a candidate configuration: what it would have done."""

from typing import Any

from healthguard.config import PoolConfig
from healthguard.core.model import AUTOMATIC, Policy
from healthguard.core.moments import iso
from healthguard.replay.candidate import Decision, Lens
from healthguard.replay.compare import Comparison, Incident
from healthguard.replay.policies import Reading, lens
from healthguard.replay.reading import Segment, SegmentFile, UnreadableRecord
from healthguard.replay.words import sentence

View = dict[str, Any]


def with_candidate(
    pool: str, segments: list[SegmentFile], candidate: PoolConfig, since_ms: int
) -> View:
    """Recorded policy against ``candidate``; findings from ``since_ms`` on, ready for JSON."""
    reading, damage = Reading(), []
    known: dict[int, tuple[Policy, Lens]] = {}

    def lens_of(policy: Policy) -> Lens:
        found = known.get(id(policy))
        if found is None:
            found = known[id(policy)] = (policy, lens(policy, candidate, reading))
        return found[1]

    comparison = Comparison(lens_of)
    begins = ends = None
    last_seq = 0
    for each in segments:
        try:
            segment = Segment(each.path)
        except UnreadableRecord as problem:
            damage.append(str(problem))
            continue
        header = segment.header
        pool = header.pool
        begins = begins or header.state.at.wall_ms
        follows = header.reason == "rolled" and header.first == last_seq + 1
        comparison.begin(header.state, continues=follows)
        for item in segment.inputs():
            comparison.take(item)
            last_seq, ends = item.seq, item.event.at.wall_ms
        if segment.damage:
            damage.append(f"{segment.path}: {segment.damage}")
    comparison.end()
    for upstream in sorted(comparison.assumed):
        reading.note(
            reading.untold, f"{upstream}: nginx never tested its file at that time: assumed to be "
                            f"valid"
        )  # fmt: skip
    if comparison.drifted is not None:
        reading.note(
            reading.untold,
            f"{pool}#{comparison.drifted}: here this version decides differently from the one that "
            f"recorded it; both configurations are judged by this version "
            "(`healthguard replay` shows the difference)",
        )
    if comparison.findings:
        reading.note(
            reading.how,
            "after each difference the comparison restarts from what was recorded: cooldown, "
            "budget and marks of switches that only the candidate made are dropped",
        )
    findings = [each for each in comparison.findings if each.opened.wall_ms >= since_ms]
    agreed = [each for each in comparison.agreed if each.at.wall_ms >= since_ms]
    skipped = [each for each in comparison.skipped if each.at.wall_ms >= since_ms]
    return {
        "pool": pool,
        "segments": len(segments),
        "inputs": comparison.inputs,
        "from": iso(begins),
        "to": iso(ends),
        "changes": reading.changes,
        "untold": reading.untold,
        "how": reading.how,
        "damage": damage,
        "agreed": [_decision(pool, each) for each in agreed],
        "not_compared": [_decision(pool, each) for each in skipped],
        "automatic": _automatic(agreed, skipped, findings),
        "counts": _counts(findings),
        "findings": [_finding(pool, each) for each in findings],
    }


def _automatic(
    agreed: list[Decision], skipped: list[Decision], findings: list[Incident]
) -> dict[str, int]:
    """How many automatic decisions each side made."""
    both = sum(each.trigger == AUTOMATIC for each in agreed)
    mine = [each.recorded for each in findings] + list(skipped)
    theirs = [each.candidate for each in findings]
    return {
        "recorded": both + sum(each is not None and each.trigger == AUTOMATIC for each in mine),
        "candidate": both + sum(each is not None and each.trigger == AUTOMATIC for each in theirs),
    }


def _counts(findings: list[Incident]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in findings:
        counts[each.kind] = counts.get(each.kind, 0) + 1
    return counts


def _decision(pool: str, each: Decision | None) -> View | None:
    if each is None:
        return None
    return {
        "input": f"{pool}#{each.seq}",
        "at": iso(each.at.wall_ms),
        "kind": each.kind,
        "trigger": each.trigger,
        "from": each.origin,
        "to": each.to,
        "reason": each.reason,
    }


def _finding(pool: str, found: Incident) -> View:
    recovered = found.recovered
    return {
        "kind": found.kind,
        "at": iso(found.opened.wall_ms),
        "recorded": _decision(pool, found.recorded),
        "candidate": _decision(pool, found.candidate),
        "delta_ms": found.delta_ms,
        "own_pace_ms": found.own_pace_ms,
        "recovered_at": iso(recovered.wall_ms) if recovered is not None else None,
        "recovered_after_ms": recovered.boot_ms - found.opened.boot_ms
        if recovered is not None
        else None,
        "traffic_left": found.traffic_left,
        "person": _decision(pool, found.person),
        "cut": found.cut,
        "sentence": sentence(found),
    }
