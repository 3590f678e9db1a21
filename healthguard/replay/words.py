"""A finding in one sentence, with its evidence."""

from healthguard.core.durations import shown
from healthguard.core.moments import iso
from healthguard.replay import compare
from healthguard.replay.candidate import Decision
from healthguard.replay.compare import WATCH_MS, Incident

_HEADS = {
    compare.FALSE_ALARM_ADDED: "FALSE ALARM ADDED: ",
    compare.FALSE_ALARM_AVOIDED: "FALSE ALARM AVOIDED: ",
    compare.ADDED: "ADDED: ",
    compare.MISSED: "MISSED: ",
    compare.ACTS: "ACTS: ",
    compare.ONLY_SAYS: "ONLY SAYS: ",
}


def sentence(found: Incident) -> str:
    """What the candidate would have done otherwise, and what happened afterwards."""
    recorded, candidate = found.recorded, found.candidate
    kind = found.kind
    if recorded is not None and candidate is not None:
        return _both(kind, recorded, candidate, found)
    if candidate is not None:
        said = f"would have {_does(candidate)} at {_time(candidate)} ({candidate.reason})"
        return f"{_HEADS.get(kind, '')}{said}; {_afterwards(found, candidate)}"
    if recorded is not None:
        when = f"as happened at {_time(recorded)}"
        said = f"would not have {_does(recorded)}, {when} ({recorded.reason})"
        return f"{_HEADS.get(kind, '')}{said}; {_afterwards(found, recorded)}"
    return ""


def _both(kind: str, recorded: Decision, candidate: Decision, found: Incident) -> str:
    delta = abs(found.delta_ms or 0)
    way = f"{recorded.origin} -> {recorded.to}"
    times = f"at {_time(candidate)} instead of {_time(recorded)}"
    if kind == compare.EARLIER:
        return f"EARLIER by {shown(delta)}: {way} {times}"
    if kind == compare.LATER:
        own = found.own_pace_ms
        if own is not None and own < delta - 1_000:
            return (
                f"LATER by at most {shown(delta)}: {way} {times}; about {shown(own)} at its "
                f"own pace (it was probed less often once it was down)"
            )
        return f"LATER by {shown(delta)}: {way} {times}"
    if kind == compare.OTHER_TARGET:
        return f"OTHER TARGET: {candidate.to} instead of {recorded.to} at {_time(candidate)}"
    said = f"would have {_does(candidate)} at {_time(candidate)}, where {_did(recorded)}"
    return f"{_HEADS.get(kind, '')}{said}; {_afterwards(found, recorded)}"


def _does(decision: Decision) -> str:
    way = f"{decision.origin} -> {decision.to}"
    words = {"switch": "switched", "would_switch": "reported that it would switch"}
    return f"{words.get(decision.kind, 'opened a proposal for')} {way}"


def _did(decision: Decision) -> str:
    words = {"switch": "it switched", "would_switch": "it only reported it"}
    return f"{words.get(decision.kind, 'it opened a proposal')} at {_time(decision)}"


def _afterwards(found: Incident, decision: Decision) -> str:
    name = decision.origin or "the active upstream"
    if found.recovered is not None:
        after = shown(found.recovered.boot_ms - decision.at.boot_ms)
        how = "after traffic had left it" if found.traffic_left else "on its own"
        return f"{name} passed again {after} later, {how}"
    if found.person is not None:
        after = shown(found.person.at.boot_ms - decision.at.boot_ms)
        return f"{after} later a person switched to {found.person.to}"
    if found.cut:
        return f"what became of {name} is not known: {found.cut}"
    if found.kind == compare.ORDER:
        return "it was ordered, and the other configuration refused it"
    return f"{name} did not recover within {shown(WATCH_MS)}"


def _time(decision: Decision) -> str:
    return str(iso(decision.at.wall_ms))
