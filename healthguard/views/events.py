"""Every event as people meet it: one sentence, the first that the person on call reads, and its
colour. Its name, level and fields stand in ``core/happenings.py``.

Fields are optional here: a sentence leaves out what an event does not carry.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from healthguard.core.durations import shown

Fields = Mapping[str, Any]


class Telling(NamedTuple):
    """``colour``: good, warn, bad, or "" for what is neither."""

    sentence: Callable[[Fields], str]
    colour: str = ""


def sentence(event: Fields) -> str:
    """``pool: what happened``. An unknown name is shown with its fields."""
    telling = EVENTS.get(str(event["event"]))
    said = telling.sentence(event) if telling else _unknown(event)
    pool = event.get("pool")
    return f"{pool}: {said}" if pool else said


def colour(event: Fields) -> str:
    """How it stands out in a list: good, warn, bad, or "" if it does not."""
    match event.get("event"):
        case "health_changed":
            return {"down": "bad", "up": "good"}.get(str(event.get("to")), "")
        case "readiness_changed":
            return "" if event.get("ready") else "warn"
        case "release_marked":
            return "bad" if event.get("mark") == "bad" else ""
        case name:
            found = EVENTS.get(str(name))
            return found.colour if found else ""


def _why(event: Fields) -> str:
    reason = event.get("reason") or event.get("message")
    return f": {reason}" if reason else ""


def _by(event: Fields) -> str:
    """Who acted: nobody, or `` by maria (uid 1000)``."""
    actor = event.get("actor") or event.get("by")
    if isinstance(actor, Mapping):
        uid = actor.get("uid")
        return f" by {actor.get('user')}" + (f" (uid {uid})" if uid is not None else "")
    return f" by {actor}" if actor else ""


_DONE = {
    "automatic": "switched automatically",
    "manual": "switched by hand",
    "signal": "switched by signal",
    "deploy": "switched by a deploy",
    "external": "somebody else moved the link and nginx followed",
}


def _hand(event: Fields) -> str:
    """Trigger, actor and reason."""
    if event.get("trigger") == "external":
        return str(event.get("reason") or _DONE["external"])
    return f"{_DONE.get(event.get('trigger', ''), 'switched')}{_by(event)}{_why(event)}"


def _from(event: Fields) -> str:
    return _named(event.get("from") or "not known", event.get("release_from"))


def _to(event: Fields) -> str:
    return _named(event.get("to"), event.get("release_to"))


def _named(upstream: object, release: object) -> str:
    """An upstream and what it runs, where that is known: ``green 1.5.0``."""
    return f"{upstream} {release}" if release else str(upstream)


def _times(event: Fields) -> str:
    parts = []
    if event.get("detection_ms") is not None:
        parts.append(f"detected in {event['detection_ms']} ms")
    if (event.get("timings_ms") or {}).get("total") is not None:
        parts.append(f"switched in {event['timings_ms']['total']} ms")
    return "; " + ", ".join(parts) if parts else ""


def _marked(event: Fields) -> str:
    notes = []
    if event.get("recovered"):
        notes.append("found out after a restart")
    if event.get("durable") is False:
        notes.append("this record is not on the disk")
    return f" [{'; '.join(notes)}]" if notes else ""


def _completed(event: Fields) -> str:
    head = f"{_to(event)} is active (was {_from(event)})"
    unclear = ", but not proven" if event.get("confirm") == "unclear" else ""
    return f"{head}{unclear}: {_hand(event)}{_times(event)}{_marked(event)}"


def _undone(event: Fields) -> str:
    if event.get("gate"):
        return (
            f"the switch to {event.get('to')} was refused ({event['gate']}), nothing was moved"
            f"{_message(event)}{_marked(event)}"
        )
    message = event.get("message") or f"the new workers were {event.get('confirm') or 'wrong'}"
    return (
        f"the switch to {event.get('to')} was undone, {_from(event)} is active: {message}"
        f"{_marked(event)}"
    )


def _message(event: Fields) -> str:
    return f": {event['message']}" if event.get("message") else ""


def _lost(event: Fields) -> str:
    if event.get("confirm") == "unclear":
        return (
            f"IT IS NOT PROVEN WHAT IS ACTIVE: nginx was told to use {event.get('to')} "
            f"(was {_from(event)}){_message(event)}; a person must look{_marked(event)}"
        )
    message = event.get("message") or "the way back failed"
    return (
        f"IT IS NOT KNOWN WHAT IS ACTIVE: neither {event.get('to')} nor {_from(event)} could be "
        f"confirmed: {message}; a person must look{_marked(event)}"
    )


def _health(event: Fields) -> str:
    after, was = event.get("to"), event.get("from")
    who = event.get("upstream")
    if event.get("dependency"):
        who = f"the dependency {event['dependency']}"
    probe = f" {event['probe']}" if event.get("probe") else ""
    seen = " ".join(str(event[key]) for key in ("reason", "status") if event.get(key))
    detail = f" ({event['detail']})" if event.get("detail") else ""
    because = f":{probe} {seen}{detail}" if seen else ""
    if event.get("never_up") and after == "down":
        because += "; it was never up since the start and forbids nothing: check its address"
    return f"{who} is {after}" + (f" (was {was})" if was else "") + because


def _gate(event: Fields) -> str:
    return f"{event.get('gate')}{_why(event)}"


def _hold(event: Fields) -> str:
    if event.get("both_down"):
        here, other = event.get("active"), event.get("target")
        return f"BOTH {here} AND {other} ARE DOWN, holds, {_gate(event)}"
    wanted = f" although {event.get('active')} is down" if event.get("wanted") else ""
    return f"holds{wanted}, {_gate(event)}"


def _ready(event: Fields) -> str:
    if event.get("ready"):
        return "a rollback would succeed now"
    gate = event.get("gate")
    return "a rollback would NOT succeed now" + (f" ({gate})" if gate else "") + _why(event)


_MARKS = {
    "bad": "known bad, no automatic switch goes there",
    "good": "vouched for as good",
    "cleared": "known bad no more",
}


def _mark(event: Fields) -> str:
    mark = str(event.get("mark", "bad"))
    if mark == "new":
        return f"{event.get('upstream')} runs {event.get('release')}, never seen there before"
    who = _named(event.get("upstream"), event.get("release"))
    return f"{who} is {_MARKS.get(mark, mark)}{_by(event)}{_why(event)}"


def _proposal(event: Fields) -> str:
    reminder = event.get("reminder")
    again = f" (reminder {reminder})" if reminder else ""
    command = f"; approve it: {event['command']}" if event.get("command") else ""
    return (
        f"A PERSON IS ASKED{again} to switch {_from(event)} -> {_to(event)}{_why(event)}{command}"
    )


def _latch(event: Fields) -> str:
    if event.get("shadow"):
        return "would have latched now (mode observe)" + _why(event)
    return "LATCHED, no automatic switch until somebody acks" + _why(event)


def _paused(event: Fields) -> str:
    left = event.get("ends_in_ms") or event.get("for_ms")
    length = f" for {shown(left)}" if left else ""
    if event.get("reminder"):
        return f"the pause ends in {shown(left or 0)}{_why(event)}"
    return f"paused{length}{_by(event)}{_why(event)}"


def _order(event: Fields) -> str:
    aim = f" to {event['to']}" if event.get("to") else ""
    return f"{event.get('verb') or 'order'}{aim}"


def _refused(event: Fields) -> str:
    gate = event.get("gate")
    return f"refused{_by(event)}: {_order(event)}" + (f" ({gate})" if gate else "") + _why(event)


_MANNER = {
    "automatic": ", automatically",
    "manual": ", by hand",
    "signal": ", by signal",
    "deploy": ", by a deploy",
    "external": ", by somebody else",
}


def _switching(event: Fields) -> str:
    return f"{_from(event)} -> {_to(event)} begins: {_hand(event)}{_marked(event)}"


def _would(event: Fields) -> str:
    return f"would have switched {_from(event)} -> {_to(event)} now (mode observe){_why(event)}"


def _bake(what: str) -> Callable[[Fields], str]:
    def make(event: Fields) -> str:
        length = event.get("for_ms") or event.get("lasted_ms")
        return (
            f"the bake of {_named(event.get('upstream'), event.get('release'))} {what}"
            + (f" ({shown(length)})" if length else "")
            + _why(event)
        )

    return make


def _unknown(event: Fields) -> str:
    skipped = ("ts", "id", "event", "pool", "evidence")
    pairs = [f"{key} {value}" for key, value in event.items() if key not in skipped]
    return str(event["event"]).replace("_", " ") + (": " + ", ".join(pairs) if pairs else "")


def _link(event: Fields) -> str:
    hand = f" ({event['hand']})" if event.get("hand") else ""
    problem = f": {event['problem']}" if event.get("problem") else ""
    target = event.get("to") or "none of ours"
    return f"somebody else moved the link: {_from(event)} -> {target}{hand}{problem}"


def _not_told(event: Fields) -> str:
    count = event.get("count") or 1
    what = "a message was" if count == 1 else f"{count} messages were"
    return f"NOBODY WAS TOLD by notifier {event.get('notifier')}: {what} given up{_why(event)}"


EVENTS: Mapping[str, Telling] = {
    "daemon_started": Telling(
        lambda e: f"healthguard {e.get('version', '')} started".replace("  ", " ")
    ),
    "daemon_stopping": Telling(lambda e: "healthguard stops" + _why(e)),
    "config_reloaded": Telling(lambda e: "the configuration was loaded again" + _by(e)),
    "config_rejected": Telling(
        lambda e: "the new configuration was rejected, the old one stays" + _why(e), "bad"
    ),
    "health_changed": Telling(_health),
    "switch_started": Telling(_switching),
    "switch_completed": Telling(_completed, "good"),
    "switch_undone": Telling(_undone, "bad"),
    "switch_lost": Telling(_lost, "bad"),
    "hold_entered": Telling(_hold, "warn"),
    "hold_left": Telling(lambda e: "holds no more, was " + _gate(e)),
    "would_switch": Telling(_would, "warn"),
    "order_received": Telling(lambda e: f"order{_by(e)}: {_order(e)}{_why(e)}"),
    "order_refused": Telling(_refused, "warn"),
    "proposal_opened": Telling(_proposal, "warn"),
    "proposal_closed": Telling(lambda e: f"no longer asked: {_from(e)} -> {_to(e)}{_why(e)}"),
    "paused": Telling(_paused, "warn"),
    "resumed": Telling(lambda e: f"resumed{_by(e)}{_why(e)}"),
    "latched": Telling(_latch, "bad"),
    "acked": Telling(lambda e: f"acknowledged{_by(e)}{_why(e)}"),
    "bake_started": Telling(_bake("begins"), "warn"),
    "bake_passed": Telling(_bake("passed"), "good"),
    "bake_failed": Telling(_bake("FAILED"), "bad"),
    "release_marked": Telling(_mark),
    "link_changed": Telling(_link, "warn"),
    "readiness_changed": Telling(_ready),
    "notification_failed": Telling(_not_told, "bad"),
}
