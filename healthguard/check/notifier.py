"""``healthguard notify test NAME``: one message to one notifier, now."""

import json
import os
import pwd
import socket
import sys
import time
import uuid
from pathlib import Path

from healthguard import __version__
from healthguard.config import ConfigError, load
from healthguard.core.codes import Code
from healthguard.core.moments import iso
from healthguard.notify import launch
from healthguard.notify.levels import SWITCH
from healthguard.notify.spec import WARNING, Message


def run(config_path: Path, name: str, as_json: bool) -> int:
    """Send a test message and say how it went. 0 sent, 1 not sent, 2 no such notifier."""
    try:
        config = load(config_path)
    except ConfigError as problem:
        print("\n".join(str(each) for each in problem.problems), file=sys.stderr)
        return Code.USAGE
    notifier = config.notifiers.get(name)
    if notifier is None:
        known = ", ".join(config.notifiers) or "none"
        print(
            f"healthguard: no notifier {name!r} in {config_path} (configured: {known})",
            file=sys.stderr,
        )
        return Code.USAGE
    user = _owner(config.daemon.state_dir)
    [result] = launch.send(notifier, [_message()], user=user)
    who = f" as {_name(user[0])}" if user is not None else ""
    if as_json:
        told = {"notifier": name, "sent": result.ok, "problem": result.problem}
        print(json.dumps(told))
    elif result.ok:
        print(f"sent to {name} ({notifier.kind}){who}; check that it has arrived")
    else:
        print(f"not sent to {name} ({notifier.kind}){who}: {result.problem}", file=sys.stderr)
    return Code.OK if result.ok else Code.REFUSED


def _owner(state_dir: Path) -> tuple[int, int] | None:
    """The daemon's user, where we are root and it is not: what root can read proves nothing."""
    if os.geteuid() != 0:
        return None
    try:
        found = state_dir.stat()
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _message() -> Message:
    host, now = socket.gethostname(), time.time_ns() // 1_000_000
    return Message(
        id=uuid.uuid4().hex,
        key=f"healthguard/{host}/test",
        level=SWITCH,
        severity=WARNING,
        title=f"{host}: this is a test of healthguard's notifications",
        body=f"Nothing is wrong. Someone ran `healthguard notify test`.\n"
        f"Host: {host}\nAt: {iso(now)}",
        at_wall_ms=now,
        details={"host": host, "at": iso(now), "healthguard": __version__},
    )
