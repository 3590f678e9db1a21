"""One pool's record under its own configuration: the same decisions, byte for byte?"""

import difflib
import hashlib
import json
from typing import Any

from healthguard.core.moments import iso
from healthguard.core.state import State
from healthguard.machine.codec import encode
from healthguard.replay.reading import Segment, SegmentFile, UnreadableRecord
from healthguard.replay.record import Input, canonical
from healthguard.replay.recorder import code_version
from healthguard.replay.rerun import Difference, rerun

View = dict[str, Any]


def as_recorded(pool: str, segments: list[SegmentFile]) -> View:
    """Run every segment from its own beginning; what came of it, ready for JSON."""
    view: View = {
        "pool": pool, "segments": 0, "inputs": 0, "commands": 0, "from": None, "to": None,
        "versions": [], "events": {}, "damage": [], "difference": None,
    }  # fmt: skip
    end = ""
    for each in segments:
        try:
            segment = Segment(each.path)
        except UnreadableRecord as problem:
            view["damage"].append(str(problem))
            end = ""
            continue
        end = _segment(view, segment, end)
    return view


def _segment(view: View, segment: Segment, end: str) -> str:
    """Add one segment to ``view``. ``end``: digest of the state in which the last one ended."""
    header = segment.header
    if header.version not in view["versions"]:
        view["versions"].append(header.version)
    view["pool"] = header.pool
    view["from"] = view["from"] or iso(header.state.at.wall_ms)
    begins = _digest(header.state)
    same_code = header.version == code_version()  # else its state has other sentences
    rolled = end and same_code and header.reason == "rolled"
    if rolled and begins != end and view["difference"] is None:
        view["difference"] = _drift(header.pool, header.first, header.state)
    result = rerun(header.state, segment.inputs())
    view["segments"] += 1
    view["inputs"] += result.inputs
    view["commands"] += result.commands
    for name, count in result.events.items():
        view["events"][name] = view["events"].get(name, 0) + count
    if result.last is not None:
        view["to"] = iso(result.last.event.at.wall_ms)
    if segment.damage:
        view["damage"].append(f"{segment.path}: {segment.damage}")
    if result.difference is not None and view["difference"] is None:
        view["difference"] = _difference(header.pool, header.version, result.difference)
    whole = result.difference is None and not segment.damage
    return _digest(result.state) if whole else ""


def _digest(state: State) -> str:
    return hashlib.sha256(canonical(encode(state)).encode()).hexdigest()


def _drift(pool: str, seq: int, state: State) -> View:
    return {
        "input": f"{pool}#{seq}",
        "at": iso(state.at.wall_ms),
        "event": {},
        "diff": ["the recorded state does not follow from the inputs before it"],
    }


def _difference(pool: str, version: str, found: Difference) -> View:
    recorded, replayed = _pretty(found.recorded), _pretty(found.replayed)
    names = (f"recorded by {version}", f"replayed by {code_version()}")
    return {
        "input": f"{pool}#{found.input.seq}",
        "at": iso(found.input.event.at.wall_ms),
        "event": _event(found.input),
        "diff": list(difflib.unified_diff(recorded, replayed, *names, lineterm="", n=2)),
    }


def _event(item: Input) -> View:
    return {type(item.event).__name__: encode(item.event)}


def _pretty(text: str) -> list[str]:
    commands = json.loads(text) if text else []
    if not commands:
        return ["(no command)"]
    return json.dumps(commands, indent=1, sort_keys=True).splitlines()
