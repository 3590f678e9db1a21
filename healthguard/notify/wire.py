"""What goes through the pipes of the sender: one JSON job in, a line of JSON per message out."""

import json
from collections.abc import Sequence
from contextlib import suppress

from healthguard.machine.codec import decode, encode
from healthguard.notify.spec import Message, Notifier, Sent


def job(notifier: Notifier, messages: Sequence[Message]) -> bytes:
    """A job: where secrets are, not what they say."""
    whom = encode(notifier)
    del whom["levels"]  # who is told is decided already
    return json.dumps({"notifier": whom, "messages": encode(messages)}).encode("ascii")


def read_job(data: bytes) -> tuple[Notifier, list[Message]]:
    """The other way round. Raises ValueError, KeyError or TypeError for what is no job."""
    given = json.loads(data)
    messages = [decode(Message, each) for each in given["messages"]]
    return decode(Notifier, given["notifier"]), messages


def answer(result: Sent) -> str:
    """One line of the sender's answer, said as soon as it is known."""
    return json.dumps(encode(result))


def read_answer(text: bytes, messages: Sequence[Message], otherwise: str) -> list[Sent]:
    """A result for each message; ``otherwise`` is the problem of those without one."""
    told: dict[str, Sent] = {}
    for line in text.splitlines():
        with suppress(ValueError):  # the last line may be torn
            sent = decode(Sent, json.loads(line))
            told[sent.id] = sent
    return [told.get(each.id) or Sent(each.id, False, otherwise) for each in messages]
