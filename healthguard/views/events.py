"""Every event as people meet it: one sentence, the first that the person on call reads, and its
colour. Its name, level and fields stand in ``core/happenings.py``.

How a sentence is made. It is shown after its pool, ``pool: sentence``, so it begins in lower case
and may be quoted alone in a chat; a second sentence begins as sentences do. First who or what is
affected, then what happened and why, then the command to type, in backticks; the gate's name
stands last, in brackets. Past tense for what happened, present tense for what is so now.

Fields are optional here: a sentence leaves out what an event does not carry.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from healthguard.views import sentences as other
from healthguard.views import switch_sentences as switches
from healthguard.views.phrases import Fields, by, why


class Telling(NamedTuple):
    """``colour``: good, warn, bad, or "" for what is neither. ``headline``: of its own."""

    sentence: Callable[[Fields], str]
    colour: str = ""
    headline: Callable[[Fields], str] | None = None


def sentence(event: Fields) -> str:
    """``pool: what happened``. An unknown name is shown with its fields."""
    telling = EVENTS.get(str(event["event"]))
    words = telling.sentence(event) if telling else _unknown(event)
    return _after_pool(event, words)


_NOT_IN_A_HEADLINE = ("reason", "message", "command", "problem")


def headline(event: Fields) -> str:
    """``sentence`` in some 60 characters, for the title of a message whose body has the rest."""
    short = {key: each for key, each in event.items() if key not in _NOT_IN_A_HEADLINE}
    telling = EVENTS.get(str(event["event"]))
    if telling is None or telling.headline is None:
        return sentence(short)
    return _after_pool(event, telling.headline(short))


def _after_pool(event: Fields, words: str) -> str:
    pool = event.get("pool")
    return f"{pool}: {words}" if pool else words


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


def _unknown(event: Fields) -> str:
    skipped = ("ts", "id", "event", "pool", "evidence")
    pairs = [f"{key} {value}" for key, value in event.items() if key not in skipped]
    return str(event["event"]).replace("_", " ") + (": " + ", ".join(pairs) if pairs else "")


EVENTS: Mapping[str, Telling] = {
    "daemon_started": Telling(
        lambda e: f"healthguard {e.get('version', '')} has started".replace("  ", " ")
    ),
    "daemon_stopping": Telling(other.stopping),
    "config_reloaded": Telling(lambda e: "the configuration was reloaded" + by(e)),
    "config_rejected": Telling(other.rejected, "bad"),
    "health_changed": Telling(other.health),
    "switch_started": Telling(switches.switching),
    "switch_completed": Telling(switches.completed, "good", switches.traffic),
    "switch_undone": Telling(switches.undone, "bad"),
    "switch_lost": Telling(switches.lost, "bad", switches.in_doubt),
    "hold_entered": Telling(other.hold, "warn"),
    "hold_left": Telling(lambda e: f"no longer on hold (was: {e.get('gate')})"),
    "would_switch": Telling(switches.would, "warn"),
    "order_received": Telling(other.received),
    "order_refused": Telling(other.refused, "warn"),
    "proposal_opened": Telling(other.proposal, "warn"),
    "proposal_closed": Telling(other.closed),
    "paused": Telling(other.paused, "warn"),
    "resumed": Telling(lambda e: f"automatic switching was resumed{by(e)}{why(e)}"),
    "latched": Telling(other.latch, "bad", other.latched),
    "acked": Telling(other.acked),
    "bake_started": Telling(other.bake("began"), "warn"),
    "bake_passed": Telling(other.bake("passed"), "good"),
    "bake_failed": Telling(other.bake("failed"), "bad"),
    "release_marked": Telling(other.mark),
    "link_changed": Telling(switches.link, "warn"),
    "readiness_changed": Telling(other.ready),
    "notification_failed": Telling(other.undelivered, "bad"),
}
