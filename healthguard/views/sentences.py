"""The sentences of all other events: health, holds, orders, the daemon. Rules: see ``events``."""

from collections.abc import Callable

from healthguard.core.durations import shown
from healthguard.core.evidence import in_words
from healthguard.views.phrases import Fields, by, from_, named, tag, to, who, why

# ------------------------------------------------------------ health and holds


def health(event: Fields) -> str:
    """``green is down (was up): probe web: HTTP 503, expected 200-299``."""
    after, was = event.get("to"), event.get("from")
    name = event.get("upstream")
    if event.get("dependency"):
        name = f"dependency {event['dependency']}"
    because = _result(event)
    if event.get("never_up") and after == "down":
        because += "; it has not been up since the start and blocks nothing: check its address"
    return f"{name} is {after}" + (f" (was {was})" if was else "") + because


def _result(event: Fields) -> str:
    """The result that decided it: ``: probe web: HTTP 503, expected 200-299``."""
    reason, probe = str(event.get("reason") or ""), event.get("probe")
    if not reason:
        return f": probe {probe}" if probe else ""
    if reason == "passed":
        words = f"probe {probe} passed" if probe else "its probe passed"
        return f": {words}"
    words = in_words(reason, event.get("status"), str(event.get("detail") or ""))
    return f": probe {probe}: {words}" if probe else f": {words}"


def hold(event: Fields) -> str:
    """``blue is down and I cannot fail over: green is down too (standby_not_up)``."""
    if not (event.get("wanted") or event.get("both_down")):
        return f"on hold{why(event)}{tag(event)}"
    words = f"{event.get('active') or 'the active upstream'} is down and I cannot fail over"
    if event.get("both_down"):
        words += f": {event.get('target')} is down too"
        reason = str(event.get("reason") or "").removeprefix(f"{event.get('target')} is down: ")
        return f"{words}{f': {reason}' if reason else ''}{tag(event)}"
    return f"{words}{why(event)}{tag(event)}"


def ready(event: Fields) -> str:
    """``rollback unavailable: green is down (standby_not_up)``."""
    if event.get("ready"):
        return "rollback available"
    return f"rollback unavailable{why(event)}{tag(event)}"


_MARKS = {
    "bad": "is known bad, no automatic switch will use it",
    "good": "was marked as good",
    "cleared": "is no longer known bad",
}


def mark(event: Fields) -> str:
    """``green 1.5.0 is known bad, no automatic switch will use it: ...``."""
    kind = str(event.get("mark", "bad"))
    if kind == "new":
        return f"{event.get('upstream')} runs {event.get('release')} for the first time"
    name = named(event.get("upstream"), event.get("release"))
    return f"{name} {_MARKS.get(kind, kind)}{by(event)}{why(event)}"


def bake(what: str) -> Callable[[Fields], str]:
    """``the bake of green 1.5.0 passed (5m)``."""

    def make(event: Fields) -> str:
        length = event.get("for_ms") or event.get("lasted_ms")
        return (
            f"the bake of {named(event.get('upstream'), event.get('release'))} {what}"
            + (f" ({shown(length)})" if length else "")
            + why(event)
        )

    return make


# ------------------------------------------------------------ people


def proposal(event: Fields) -> str:
    """``approval needed: switch blue -> green: ... To approve: `...` ``."""
    reminder = event.get("reminder")
    words = f"approval still needed (reminder {reminder})" if reminder else "approval needed"
    command = f". To approve: `{event['command']}`" if event.get("command") else ""
    return f"{words}: switch {from_(event)} -> {to(event)}{why(event)}{command}"


def closed(event: Fields) -> str:
    """``approval no longer needed to switch blue -> green: blue has recovered``."""
    return f"approval no longer needed to switch {from_(event)} -> {to(event)}{why(event)}"


def latched(event: Fields) -> str:
    """``latched: no automatic switch after 2 automatic switches in 10m (limit 1)``."""
    after = f" after {event['reason']}" if event.get("reason") else ""
    if event.get("shadow"):
        return f"would have latched now{after}, but the mode is observe"
    return f"latched: no automatic switch{after}"


def latch(event: Fields) -> str:
    """``latched``, and what to type."""
    if event.get("shadow"):
        return latched(event)
    return f"{latched(event)}. To re-enable: `healthguard ack {event.get('pool') or 'POOL'}`"


def acked(event: Fields) -> str:
    """``acknowledged (latched) by maria (uid 1000)``."""
    what = f" ({event['what']})" if event.get("what") else ""
    return f"acknowledged{what}{by(event)}{why(event)}"


def paused(event: Fields) -> str:
    """``automatic switching was paused for 1h by maria (uid 1000): migration``."""
    left = event.get("ends_in_ms") or event.get("for_ms")
    if event.get("reminder"):
        return f"the pause ends in {shown(left or 0)}{why(event)}"
    length = f" for {shown(left)}" if left else ""
    return f"automatic switching was paused{length}{by(event)}{why(event)}"


_ORDERS = {
    "switch": "switch to {to}",
    "rollback": "roll back",
    "good": "mark {to} as good",
    "clear": "clear the mark of {to}",
    "ack": "acknowledge",
    "approve": "approve the proposal",
    "reject": "reject the proposal",
}


def _order(event: Fields) -> str:
    verb, to = str(event.get("verb") or ""), event.get("to")
    known = _ORDERS.get(verb, verb or "an order")
    if "{to}" in known:
        return known.format(to=to or "UPSTREAM")
    return f"{known} to {to}" if to else known


def received(event: Fields) -> str:
    """``maria (uid 1000) ordered: switch to green: deploy of 4.2``."""
    name = who(event)
    words = f"{name} ordered" if name else "ordered"
    return f"{words}: {_order(event)}{why(event)}"


def refused(event: Fields) -> str:
    """``order by maria (uid 1000) refused: switch to green: ... (standby_not_up)``."""
    return f"order{by(event)} refused: {_order(event)}{why(event)}{tag(event)}"


# ------------------------------------------------------------ the daemon


def stopping(event: Fields) -> str:
    """``healthguard is stopping (SIGTERM)``."""
    return "healthguard is stopping" + (f" ({event['reason']})" if event.get("reason") else "")


def rejected(event: Fields) -> str:
    """A configuration that is not used, and how to see why."""
    words = "the new configuration was rejected, the previous one stays in use"
    return f"{words}{why(event)}. To see why: `healthguard check`"


def undelivered(event: Fields) -> str:
    """``notifier pager could not deliver 3 messages and gave up: timed out``."""
    name, count = event.get("notifier"), event.get("count") or 1
    what = "a message" if count == 1 else f"{count} messages"
    words = f"notifier {name} could not deliver {what} and gave up"
    return f"{words}{why(event)}. To test it: `healthguard notify test {name}`"
