"""What a standalone switch leaves in the event log, with the fields of the daemon's events."""

import os
import pwd
import select
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from healthguard.core.events import Record
from healthguard.core.model import Actor, Done
from healthguard.machine import clock
from healthguard.telemetry import event as events
from healthguard.telemetry.eventlog import EventLog, spare_folder

_WRITE_S = 2.0
_EVENTS = {"completed": "switch_completed", "undone": "switch_undone", "refused": "switch_undone"}


class Story:
    """One order without the daemon, event by event.  ``problem``: why it is not all on disk."""

    def __init__(self, log: Path, pool: str, to: str, reason: str) -> None:
        self._path = log
        self._pool = pool
        self.actor = whoami()
        self.switch_id = f"{pool}-standalone-{clock.now().wall_ms:x}-{os.getpid()}"
        self._number = 0
        self._common: dict[str, object] = {
            "to": to,
            "trigger": "manual",
            "reason": reason,
            "actor": {"uid": self.actor.uid, "user": self.actor.user, "pid": self.actor.pid},
            "standalone": True,
        }
        self.problem = ""

    def refused(self, gate: str, message: str) -> None:
        """``order_refused``: nothing was begun."""
        fields = {**self._common, "verb": "switch", "gate": gate, "reason": message}
        self._say(self._next_id(), "order_refused", fields)

    def started(self, origin: str | None, prepare_ms: int, force: bool) -> None:
        """``switch_started``; what it says comes again with the end."""
        self._common = {
            "from": origin,
            **self._common,
            "release_from": None,
            "release_to": None,
            "detection_ms": None,
            "timings_ms": {"prepare": prepare_ms},
            "force": force,
            "evidence": [],
        }
        self._say(self.switch_id, "switch_started", self._common)

    def ended(self, done: Done) -> None:
        """``switch_completed``, ``switch_undone`` or ``switch_lost``."""
        before = self._common.get("timings_ms")
        fields = {
            **self._common,
            "switch": self.switch_id,
            "timings_ms": {**(before if isinstance(before, dict) else {}), **done.timings_ms},
            "confirm": done.confirm,
            "message": done.message,
            "durable": done.durable,
        }
        if done.gate:
            fields["gate"] = done.gate
        if done.recovered:
            fields["recovered"] = True
        self._say(self._next_id(), _EVENTS.get(done.outcome, "switch_lost"), fields)

    def _next_id(self) -> str:
        self._number += 1
        return f"{self.switch_id}-{self._number}"

    def _say(self, event_id: str, name: str, fields: Mapping[str, object]) -> None:
        record = Record(event_id, name, self._pool, fields=fields)
        event = events.build(record, clock.now())
        problem = _append(self._path, event)
        self.problem = problem or self.problem


def whoami() -> Actor:
    """The person at the keyboard, as the kernel knows them."""
    uid = os.getuid()
    user = str(uid)
    with suppress(KeyError):
        user = pwd.getpwuid(uid).pw_name
    return Actor(user=user, uid=uid, pid=os.getpid())


def _append(path: Path, event: Mapping[str, object]) -> str:
    """Write it in a process of its own; "" or why it is not in the log.

    A stuck disk then stops that process and not the switch.  And root writes as the owner of the
    daemon's folder: a new file must be the daemon's, and no link that somebody placed there may
    lead root's hand.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.write(writer, _write_as_owner(path, event).encode(errors="replace")[:4000])
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    try:
        if not select.select([reader], [], [], _WRITE_S)[0]:
            return f"{path} was not written within {_WRITE_S:g} s"
        problem = os.read(reader, 4096).decode(errors="replace")
        _, status = os.waitpid(child, 0)
        return problem or ("" if status == 0 else f"{path} could not be written")
    finally:
        os.close(reader)


def _write_as_owner(path: Path, event: Mapping[str, object]) -> str:
    try:
        owner = path.parent.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)
    except OSError:
        pass  # no such folder yet: it will be made
    log = EventLog(path, spare_folder(os.environ))
    return log.append(event, sync=True).problem
