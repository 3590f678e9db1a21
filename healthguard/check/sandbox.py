"""May the units that move the link write where it lies?

A prepare cannot tell: it tests in a mount namespace of its own and writes nothing next to the link.
So without this the first to know would be the first rollback.
"""

import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from healthguard.check.findings import OK, WARNING, CheckResult
from healthguard.config import Config

SWITCHER, RECONCILE = UNITS = ("healthguard-switcher.service", "healthguard-reconcile.service")
_PROPERTIES = ("LoadState", "ProtectSystem", "ReadWritePaths")
_LIMIT_S = 5.0

# The properties of a unit; empty where there is no systemd to ask.
Show = Callable[[str], Mapping[str, str]]


def show(unit: str) -> Mapping[str, str]:
    """What systemd knows of ``unit``."""
    if not Path("/run/systemd/system").is_dir():
        return {}
    command = ["systemctl", "show", unit, *(f"--property={name}" for name in _PROPERTIES)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def check_sandbox(config: Config, show: Show) -> Iterator[CheckResult]:
    """Findings about links that lie where a unit may only read."""
    if not isinstance(config.switcher, Path):
        return
    folders = {pool.files.link.parent.resolve(): None for pool in config.pools.values()}
    for unit in UNITS:
        seen = show(unit)
        if seen.get("LoadState") != "loaded":
            continue
        closed = [str(each) for each in folders if not _writable(each, seen)]
        if closed:
            yield _warning(unit, closed)
        else:
            yield CheckResult(OK, None, "sandbox", f"{unit} can write to the folders of the links")


def _writable(folder: Path, seen: Mapping[str, str]) -> bool:
    """Anything but ``strict`` leaves folders that a link is in alone."""
    if seen.get("ProtectSystem") != "strict":
        return True
    given = [each.lstrip("-+") for each in shlex.split(seen.get("ReadWritePaths", ""))]
    return any(folder.is_relative_to(Path(each).resolve()) for each in given)


def _warning(unit: str, folders: list[str]) -> CheckResult:
    names = " ".join(folders)
    again = f" && systemctl restart {SWITCHER}" if unit == SWITCHER else ""
    return CheckResult(
        WARNING,
        None,
        "sandbox",
        f"no switch is possible in {names}: {unit} may not write there",
        f"write the lines [Service] and ReadWritePaths={names} into "
        f"/etc/systemd/system/{unit}.d/links.conf, then run systemctl daemon-reload{again}",
    )
