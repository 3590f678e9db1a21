"""What a standalone switch leaves in the event log, with the fields of the daemon's events."""

import os
import pwd
import select
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from healthguard.core.events import Say
from healthguard.core.gates import AT_A_LOOK
from healthguard.core.model import Actor
from healthguard.machine import clock
from healthguard.telemetry import event as events
from healthguard.telemetry.eventlog import EventLog, spare_folder

_WRITE_S = 2.0
_EVENTS = ("order_refused", "switch_started", "switch_completed", "switch_undone", "switch_lost")


class Story:
    """The events of one order; what the daemon will say when it sees the switch is left to it.

    ``problem``: why it is not all on disk.
    """

    def __init__(self, log: Path) -> None:
        self._path = log
        self.problem = ""

    def say(self, said: Say) -> None:
        """One event of ``step``."""
        if said.event not in _EVENTS:
            return
        fields = {**said.fields, "standalone": True}
        if "warnings" in fields:
            fields["warnings"] = known(fields["warnings"])
        event = events.build(replace(said, fields=fields), clock.now())
        self.problem = _append(self._path, event) or self.problem


def known(warnings: object) -> list[str]:
    """Those of ``warnings`` that are about what can be known without the daemon."""
    listed = warnings if isinstance(warnings, list) else []
    return [each for each in map(str, listed) if each.partition(":")[0] in AT_A_LOOK]


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
    daemon's folder: a new file must be the daemon's, and no link that someone placed there may
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
