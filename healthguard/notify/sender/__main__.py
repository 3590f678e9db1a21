"""The sender: one job on stdin, a line per message on stdout, the end.

``python -m healthguard.notify.sender``. A process of its own because Apprise takes half a
second and tens of megabytes to import. It reads the secrets itself, so that they are never in the
daemon nor in any argument.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

from healthguard.notify import wire
from healthguard.notify.sender import secret
from healthguard.notify.sender.post import signed
from healthguard.notify.spec import Message, Notifier, Sent

_LARGEST = 1 << 20


def main() -> int:
    """0: all are sent. 1: some are not. 2: this is no job."""
    with suppress(OSError):
        os.nice(10)  # the guard comes first; its sandbox may forbid even that
    try:
        notifier, messages = wire.read_job(sys.stdin.buffer.read(_LARGEST))
    except (ValueError, KeyError, TypeError):
        print("healthguard: the sender needs one JSON job on stdin", file=sys.stderr)
        return 2
    good = True
    for result in send_all(notifier, messages, os.environ):
        print(wire.answer(result), flush=True)
        good = good and result.ok
    return 0 if good else 1


def send_all(
    notifier: Notifier, messages: list[Message], environ: Mapping[str, str]
) -> Iterator[Sent]:
    """Each message, one after the other."""
    try:
        secrets = {name: secret.read(each, environ) for name, each in notifier.secrets.items()}
    except secret.SecretError as problem:
        yield from (Sent(each.id, False, str(problem)) for each in messages)
        return
    for each in messages:
        yield _send(notifier, secrets, each)


def _send(notifier: Notifier, secrets: Mapping[str, str], message: Message) -> Sent:
    try:
        if notifier.kind == "webhook":
            url = secrets.get("url") or str(notifier.settings.get("url"))
            ca_file = notifier.settings.get("ca_file")
            return signed(url, secrets["secret"], message, str(ca_file) if ca_file else None)
        from healthguard.notify.sender import services

        return services.send(notifier, secrets, message)
    except Exception as error:  # its text may hold a secret; its type does not
        return Sent(message.id, False, f"the sender failed ({type(error).__name__})")


if __name__ == "__main__":
    sys.exit(main())
