"""Telling nginx to read its configuration again.

That nginx got the signal proves nothing: a master that refuses goes on with the old configuration
and says so only in its log. See ``confirm``.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from healthguard.nginx import spawn
from healthguard.nginx.master import Master
from healthguard.nginx.settings import NginxSettings

_COMMAND_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Reloaded:
    """``problem`` is "" when nginx got the order. ``way``: signal, systemctl or command."""

    way: str
    problem: str = ""


async def reload(settings: NginxSettings, master: Master) -> Reloaded:
    """Reload by the configured way."""
    wanted = settings.reload
    if isinstance(wanted, tuple):
        return await _command("command", wanted)
    if wanted in ("auto", "systemctl"):
        unit = await unit_of(master)
        if unit:
            return await _command("systemctl", ("systemctl", "reload", unit))
        if wanted == "systemctl":
            return await _command("systemctl", ("systemctl", "reload", "nginx.service"))
    return send_hangup(master)


def send_hangup(master: Master) -> Reloaded:
    """SIGHUP to the proven master and to nobody else, also if its pid is used again."""
    try:
        descriptor = os.pidfd_open(master.pid)
    except OSError as error:
        return Reloaded(
            "signal", f"nginx's master process {master.pid} no longer exists: {error.strerror}"
        )
    try:
        # The descriptor is of the process that has the pid now; from here on it is fixed.
        if not master.alive():
            return Reloaded("signal", f"process {master.pid} is no longer the nginx master")
        signal.pidfd_send_signal(descriptor, signal.SIGHUP)
    except OSError as error:
        return Reloaded(
            "signal", f"cannot signal nginx's master process {master.pid}: {error.strerror}"
        )
    finally:
        os.close(descriptor)
    return Reloaded("signal")


async def unit_of(master: Master) -> str:
    """The systemd unit whose main process is this master; "" if there is none."""
    unit = _unit_name(master.pid)
    if not unit:
        return ""
    asked = ("systemctl", "show", "--property=MainPID", "--value", unit)
    ran = await spawn.run(asked, 2_000)
    return unit if ran.code == 0 and ran.out.strip() == str(master.pid) else ""


def _unit_name(pid: int) -> str:
    if not Path("/run/systemd/system").is_dir():
        return ""
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        if path.endswith(".service") and "/system.slice/" in path:
            return path.rsplit("/", 1)[-1]
    return ""


async def _command(way: str, argv: tuple[str, ...]) -> Reloaded:
    ran = await spawn.run(argv, _COMMAND_TIMEOUT_MS)
    shown = " ".join(argv)
    if ran.problem:
        return Reloaded(way, ran.problem)
    if ran.timed_out:
        return Reloaded(way, f"`{shown}` did not finish within {_COMMAND_TIMEOUT_MS // 1000} s")
    if ran.code != 0:
        said = (ran.err.strip() or ran.out.strip()).splitlines()
        tail = f": {said[0][:200]}" if said else ""
        return Reloaded(way, f"`{shown}` failed with exit code {ran.code}{tail}")
    return Reloaded(way)
