"""What goes through the pipes of the sender: one JSON job in, a line of JSON per message out."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from healthguard.notify.spec import Message, Notifier, Secret, Sent


def job(notifier: Notifier, messages: Sequence[Message]) -> bytes:
    """A job: where secrets are, not what they say."""
    told = {
        "notifier": {
            "name": notifier.name,
            "kind": notifier.kind,
            "settings": dict(notifier.settings),
            "secrets": {name: asdict(each) for name, each in notifier.secrets.items()},
        },
        "messages": [asdict(each) for each in messages],
    }
    return json.dumps(told).encode("ascii")


def read_job(data: bytes) -> tuple[Notifier, list[Message]]:
    """The other way round. Raises ValueError, KeyError or TypeError for what is no job."""
    told = json.loads(data)
    given: dict[str, Any] = told["notifier"]
    secrets = {name: Secret(**each) for name, each in given["secrets"].items()}
    notifier = Notifier(given["name"], given["kind"], given["settings"], secrets, frozenset())
    return notifier, [Message(**each) for each in told["messages"]]


def answer(result: Sent) -> str:
    """One line of the sender's answer, said as soon as it is known."""
    return json.dumps(asdict(result))


def read_answer(text: bytes, messages: Sequence[Message], otherwise: str) -> list[Sent]:
    """A result for each message; ``otherwise`` is the problem of those without one."""
    told: dict[str, Sent] = {}
    for line in text.splitlines():
        with suppress(ValueError, KeyError, TypeError):  # the last line may be torn
            row = json.loads(line)
            told[row["id"]] = Sent(str(row["id"]), row["ok"] is True, str(row["problem"]))
    return [told.get(each.id) or Sent(each.id, False, otherwise) for each in messages]
