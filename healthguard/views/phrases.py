"""Parts of sentences that several events share: who, why, from where to where."""

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]


def why(event: Fields) -> str:
    """``: the reason``, or nothing."""
    reason = event.get("reason") or event.get("message")
    return f": {reason}" if reason else ""


def tag(event: Fields) -> str:
    """`` (gate)``, or nothing."""
    return f" ({event['gate']})" if event.get("gate") else ""


def who(event: Fields) -> str:
    """``maria (uid 1000)``, or nothing."""
    actor = event.get("actor") or event.get("by")
    if isinstance(actor, Mapping):
        uid = actor.get("uid")
        return f"{actor.get('user')}" + (f" (uid {uid})" if uid is not None else "")
    return str(actor or "")


def by(event: Fields) -> str:
    """`` by maria (uid 1000)``, or nothing."""
    name = who(event)
    return f" by {name}" if name else ""


def from_(event: Fields) -> str:
    """Where traffic went before."""
    return named(event.get("from") or "not known", event.get("release_from"))


def to(event: Fields) -> str:
    """Where traffic goes."""
    return named(event.get("to"), event.get("release_to"))


def named(upstream: object, release: object) -> str:
    """An upstream and what it runs, where that is known: ``green 1.5.0``."""
    return f"{upstream} {release}" if release else str(upstream)
