"""A whole host whose pool tells a webhook."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.notify.receivers import Receiver
from tests.support.eventually import eventually
from tests.support.world import World

SECRET = "s3cr3tSIGNINGkey0123456789"


@contextmanager
def telling(root: Path, port: int, pool: dict[str, Any] | None = None) -> Iterator[World]:
    """A world whose pool tells a webhook at ``port``; the URL and the key are secrets."""
    (root / "hook.url").write_text(f"http://127.0.0.1:{port}/{SECRET}\n")
    world = World(root, pool={"notify": ["ops"], **(pool or {})}, env={"HOOK_KEY": SECRET})
    webhook = {"url_file": str(root / "hook.url"), "secret": "${HOOK_KEY}"}
    world.config["notifiers"] = {"ops": {"webhook": webhook}}
    world.daemon.configure(world.config)
    with world:
        yield world.settled()


def told(receiver: Receiver, text: str, within: float = 20) -> dict[str, Any]:
    """The first message whose title has ``text``."""

    def found() -> dict[str, Any] | None:
        return next((g.json() for g in receiver.got if text in g.json()["title"]), None)

    message = eventually(found, within=within, what=f"a message with {text!r}")
    assert message is not None
    return message
