"""What happened to traffic: the sentences of the switch events. Rules: see ``events``."""

from healthguard.core.durations import shown
from healthguard.views.phrases import Fields, by, from_, tag, to, why

_MANNERS = {
    "automatic": "Automatic switch",
    "manual": "Manual switch",
    "signal": "Switch by signal",
    "deploy": "Deploy",
    "external": "Something else moved the link and nginx followed",
}


def manner(event: Fields) -> str:
    """How a switch came about, without its reason: trigger, actor and times."""
    return f"{_manner(event)}{_marked(event)}"


def _manner(event: Fields) -> str:
    words = _MANNERS.get(event.get("trigger", ""), "Switch") + by(event)
    if event.get("detection_ms") is not None:
        words += f", decided {shown(event['detection_ms'])} after the first failed check"
    total = (event.get("timings_ms") or {}).get("total")
    if total is not None and event.get("event") == "switch_completed":
        ended = "ended unconfirmed" if _unconfirmed(event) else "confirmed by nginx"
        words += f", {ended} in {shown(total)}"
    return words


def _manner_and_why(event: Fields) -> str:
    if event.get("trigger") == "external" and event.get("reason"):
        reason = str(event["reason"])
        return f"{reason[:1].upper()}{reason[1:]}{_marked(event)}"
    return f"{_manner(event)}{why(event)}{_marked(event)}"


def _unconfirmed(event: Fields) -> bool:
    return event.get("confirm") == "unclear"


def _marked(event: Fields) -> str:
    notes = []
    if event.get("recovered"):
        notes.append("found out after a restart")
    if event.get("durable") is False:
        notes.append("not written to disk")
    return f" [{'; '.join(notes)}]" if notes else ""


def traffic(event: Fields) -> str:
    """``traffic now goes to green (was blue)``."""
    if _unconfirmed(event):
        return f"traffic should now go to {to(event)} (was {from_(event)}), nginx did not confirm"
    return f"traffic now goes to {to(event)} (was {from_(event)})"


def switching(event: Fields) -> str:
    """``switching traffic to green (was blue). Manual switch by maria``."""
    return f"switching traffic to {to(event)} (was {from_(event)}). {_manner_and_why(event)}"


def completed(event: Fields) -> str:
    """``traffic now goes to green (was blue). Automatic switch, ...``."""
    return f"{traffic(event)}. {_manner_and_why(event)}"


def undone(event: Fields) -> str:
    """``the switch to green was undone, traffic goes to blue: ...``, or it was refused."""
    if event.get("gate"):
        words = f"the switch to {event.get('to')} was refused, nothing was changed"
        return f"{words}{_message(event)}{tag(event)}{_marked(event)}"
    words = f"the switch to {event.get('to')} was undone, traffic goes to {from_(event)}"
    message = event.get("message") or f"nginx did not confirm it ({event.get('confirm')})"
    return f"{words}: {message}{_marked(event)}"


def _message(event: Fields) -> str:
    return f": {event['message']}" if event.get("message") else ""


def in_doubt(event: Fields) -> str:
    """``nobody knows whether nginx uses green or blue``."""
    if _unconfirmed(event):
        return f"cannot confirm that nginx uses {event.get('to')} (was {from_(event)})"
    return f"nobody knows whether nginx uses {event.get('to')} or {from_(event)}"


def lost(event: Fields) -> str:
    """``in_doubt``, why, and what to do."""
    look = f"A person must look: `healthguard why {event.get('pool') or 'POOL'}`"
    return f"{in_doubt(event)}{_message(event)}. {look}{_marked(event)}"


def would(event: Fields) -> str:
    """``would have switched blue -> green now, but the mode is observe: ...``."""
    words = f"would have switched {from_(event)} -> {to(event)} now, but the mode is observe"
    return f"{words}{why(event)}"


def link(event: Fields) -> str:
    """``something else moved the link: blue -> green (root)``."""
    hand = f" ({event['hand']})" if event.get("hand") else ""
    problem = f": {event['problem']}" if event.get("problem") else ""
    target = event.get("to") or "none of this pool's upstreams"
    return f"something else moved the link: {from_(event)} -> {target}{hand}{problem}"
