"""`healthguard switch --standalone`: a manual switch without the daemon, under the same lock.

It goes the same safe way through the same ``step``: probes, a real prepare, the link, reload,
confirm, undo; and it leaves the same events.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from healthguard.assembly import BuildError, build_observer, build_probers, build_switcher
from healthguard.config import DEPENDENCIES, Config, ConfigError, load
from healthguard.core.codes import Code
from healthguard.core.gates import AT_A_LOOK
from healthguard.core.model import Order, Outcome
from healthguard.machine.names import no_such
from healthguard.machine.unixsock import Peer, listener_at
from healthguard.nginx import lock
from healthguard.nginx.ports import Switcher
from healthguard.nginx.switch import DISABLE_FILE, InlineSwitcher, read_disable
from healthguard.probes import Shared
from healthguard.standalone.once import Once, Parts
from healthguard.standalone.record import Story, known, whoami
from healthguard.switcher.client import SocketSwitcher
from healthguard.switcher.service import state_folder


@dataclass(frozen=True, slots=True)
class Seams:
    """What tests put in the place of the real ones."""

    disable_file: Path = DISABLE_FILE
    switcher: Switcher | None = None


def switch(
    config_path: Path,
    pool: str,
    upstream: str,
    reason: str = "",
    force: bool = False,
    dry_run: bool = False,
    seams: Seams | None = None,
) -> Outcome:
    """Make ``upstream`` of ``pool`` active.  The outcome's code is the exit code:

    0 it is true now · 1 refused by a gate · 2 usage or configuration · 3 no permission ·
    4 tried and undone · 5 tried and not undone: a person must look.
    """
    seams = seams or Seams()
    try:
        config = load(config_path)
    except ConfigError as err:
        return Outcome(Code.USAGE, "config", str(err))
    problem = _unknown(config, pool, upstream)
    if problem:
        return Outcome(Code.USAGE, "usage", problem)
    daemon = listener_at(config.daemon.control_socket)
    foreign = "" if seams.switcher else _foreign(config, daemon)
    if foreign:
        return Outcome(Code.NO_ACCESS, "forbidden", foreign)
    order = Order("switch", whoami(), upstream, reason, force=force, dry_run=dry_run, order_id="1")
    outcome = asyncio.run(_run(config, pool, order, seams))
    if daemon is None:
        return outcome
    return _with_warning(
        outcome,
        f"the daemon is running and will treat this as a change by someone else; next time: "
        f"healthguard switch {pool} {upstream}",
    )


async def _run(config: Config, pool: str, order: Order, seams: Seams) -> Outcome:
    switcher = seams.switcher or _switcher(config)
    story = Story(config.daemon.event_log)
    if not order.dry_run and not _busy(config):
        await switcher.reconcile()  # what a crash left open is ended first
    try:
        probers = build_probers(config.pools[pool], Shared())
    except BuildError as err:
        return Outcome(Code.USAGE, "config", str(err))
    parts = Parts(
        switcher,
        build_observer(config),
        {name: each for name, each in probers.items() if name != DEPENDENCIES},
        lambda: read_disable(seams.disable_file),
        lambda: _busy(config),
        story.say,
    )
    outcome = _shown(await Once(config.pools[pool], parts).run(order), order)
    if _may_not(switcher, outcome):
        outcome = replace(outcome, code=Code.NO_ACCESS)
    if not story.problem:
        return outcome
    return _with_warning(outcome, f"this switch is missing from the event log: {story.problem}")


def _shown(outcome: Outcome, order: Order) -> Outcome:
    """Without what only the daemon could have said."""
    data = {**outcome.data, "standalone": True, "to": order.upstream}
    if outcome.code == Code.OK and not order.dry_run:
        data.setdefault("changed", True)
    if "warnings" in data:
        data["warnings"] = known(data["warnings"])
    rows = data.get("gates")
    if isinstance(rows, list):
        data["gates"] = [row if row["gate"] in AT_A_LOOK else _not_known(row) for row in rows]
    return replace(outcome, data=data)


def _not_known(row: dict[str, object]) -> dict[str, object]:
    return {**row, "closed": None, "pending": False, "evidence": "not known without the daemon"}


def _may_not(switcher: Switcher, outcome: Outcome) -> bool:
    """True if it failed because this user may not use the switcher."""
    refused = outcome.error == "switcher_unavailable" and isinstance(switcher, SocketSwitcher)
    return refused and "no permission" in outcome.message


def _busy(config: Config) -> str:
    """Who acts on nginx right now; "" when nobody does (or only the switcher could tell)."""
    if _by_socket(config):
        return ""
    held = lock.try_lock(config.nginx.config, lock.ACT)
    if isinstance(held, lock.LockRefused):
        return held.message if held.busy else ""
    held.release()
    return ""


# --------------------------------------------------------------- who switches, and may they


def _by_socket(config: Config) -> bool:
    return isinstance(config.switcher, Path) and os.geteuid() != 0


def _switcher(config: Config) -> Switcher:
    """Root does it itself, with the records of the usual switcher."""
    if isinstance(config.switcher, Path) and os.geteuid() == 0:
        files = {name: pool.files for name, pool in config.pools.items()}
        return InlineSwitcher(config.nginx, files, state_folder({}))
    return build_switcher(config)


def _foreign(config: Config, daemon: Peer | None) -> str:
    """Why this user must not act: locks and records belong to the user of the daemon."""
    if isinstance(config.switcher, Path):
        return ""  # root's own lock, or root's service
    owner = daemon.uid if daemon else None
    with suppress(OSError):
        owner = config.daemon.state_dir.stat().st_uid if owner is None else owner
    if owner is None or owner == os.geteuid():
        return ""
    return (
        f"the daemon runs as uid {owner}, and only that user holds its lock: run this as that user "
        f"or as root"
    )


def _unknown(config: Config, pool: str, upstream: str) -> str:
    if pool not in config.pools:
        return no_such("pool", pool, list(config.pools))
    upstreams = list(config.pools[pool].files.upstreams)
    return "" if upstream in upstreams else no_such("upstream", upstream, upstreams)


def _with_warning(outcome: Outcome, warning: str) -> Outcome:
    known = outcome.data.get("warnings")
    warnings = [*(known if isinstance(known, list) else []), warning]
    # Warnings are shown with what succeeded; of what failed only the message is.
    message = outcome.message if outcome.code == Code.OK else f"{outcome.message} ({warning})"
    return Outcome(outcome.code, outcome.error, message, {**outcome.data, "warnings": warnings})
