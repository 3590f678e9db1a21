"""Starting the sender, with a time limit. Blocks: for a thread."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from healthguard.notify import wire
from healthguard.notify.spec import Message, Notifier, Sent

Process = subprocess.Popen[bytes]
LIMIT_S = 60.0
# What systemd gave to the daemon alone.
_PRIVATE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS")
_COMMAND = (sys.executable, "-P", "-m", "healthguard.notify.sender")


def send(
    notifier: Notifier,
    messages: Sequence[Message],
    *,
    limit_s: float = LIMIT_S,
    environ: Mapping[str, str] = os.environ,
    user: tuple[int, int] | None = None,
    started: Callable[[Process], None] = lambda _: None,
) -> list[Sent]:
    """Send ``messages``; a result for each. Never raises for what the world does.

    ``user``: uid and gid to run as. ``started`` is told the process, which may be killed.
    """
    env = {key: value for key, value in environ.items() if key not in _PRIVATE}
    extra: dict[str, object] = {}
    if user is not None:
        extra = {"user": user[0], "group": user[1], "extra_groups": _groups(*user)}
    try:
        child = subprocess.Popen(  # type: ignore[call-overload]
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=env,
            start_new_session=True,
            **extra,
        )
    except (OSError, subprocess.SubprocessError) as error:
        problem = f"the sender could not be started: {getattr(error, 'strerror', None) or error}"
        return [Sent(each.id, False, problem) for each in messages]
    with child:
        started(child)
        try:
            out, _ = child.communicate(wire.job(notifier, messages), limit_s)
            otherwise = f"the sender ended with status {child.returncode}"
        except subprocess.TimeoutExpired:
            child.kill()  # it starts no others
            out, _ = child.communicate()
            otherwise = f"the sender was killed after {limit_s:g} s"
    return wire.read_answer(out, messages, otherwise)


def _groups(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return []
