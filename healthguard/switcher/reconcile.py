"""`healthguard switcher --reconcile`: ends what a power loss cut off, before nginx starts.

Afterwards the link names the upstream that was proven last; the daemon hears of it from the
switcher once both run.
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from healthguard.core.codes import Code
from healthguard.core.model import LOST
from healthguard.nginx.intent import Intents
from healthguard.nginx.lock import default_folder
from healthguard.nginx.ports import Recovered
from healthguard.nginx.switch import InlineSwitcher
from healthguard.switcher.config import ConfigSource, NoConfig, SwitcherConfig


def run(source: ConfigSource, state_dir: Path, log: logging.Logger) -> int:
    """The exit code. 0: no switch is open any more; 1: a person must look; 2: no configuration."""
    try:
        config = source.current()
    except NoConfig as err:
        log.error("no valid configuration: %s", err)
        return Code.USAGE
    if source.problem:
        log.warning("the last valid configuration is in use: %s", source.problem)
    before = open_intents(config, state_dir)
    ended = asyncio.run(_reconcile(config, state_dir))
    return tell({end.switch_id: end for end in ended}, before, log)


def open_intents(config: SwitcherConfig, state_dir: Path) -> dict[str, str]:
    """Switches that nobody has ended: id to pool."""
    intents = Intents(state_dir, default_folder()).read_all(config.pools)
    return {each.switch_id: each.pool for each in intents if each.done is None}


def tell(ends: Mapping[str, Recovered], before: Mapping[str, str], log: logging.Logger) -> int:
    """One line for each switch that was open."""
    code = Code.OK
    for switch_id, pool in before.items():
        end = ends.get(switch_id)
        if end is None:
            log.error(
                "%s: the switch %s is still open: another process is working on nginx",
                pool,
                switch_id,
            )
            code = Code.REFUSED
        elif end.done.outcome == LOST:
            log.error("%s: %s", pool, end.done.message)
            code = Code.REFUSED
        else:
            log.warning("%s: %s: %s", pool, end.done.outcome, end.done.message)
    if not before:
        log.info("no interrupted switch found")
    return code


async def _reconcile(config: SwitcherConfig, state_dir: Path) -> tuple[Recovered, ...]:
    return await InlineSwitcher(config.nginx, config.pools, state_dir).reconcile()
