"""Runs one prepare and commit of a sandbox's pool; meant to be killed on the way.

Arguments: configuration, link, blue file, green file, state folder, lock folder, marker or "".
Prints ``ready`` when prepared and the outcome at the end.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from healthguard.nginx.ports import Commit
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.nginx.switch import InlineSwitcher


async def main() -> None:
    """One switch from blue to green."""
    # One thread, so that counting system calls gives the same moments in each run.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    config, link, blue, green, state, locks = map(Path, sys.argv[1:7])
    pool = PoolFiles("app", link, {"blue": blue, "green": green}, sys.argv[7] or None)
    settings = NginxSettings(config=config, reload="signal")
    switcher = InlineSwitcher(
        settings, {"app": pool}, state, disable_file=state / "DISABLE", lock_folder=locks
    )
    fact = await switcher.prepare("app", "green")
    print("ready", flush=True)
    order = Commit("crashed", "app", fact.ticket or "", "blue", "green", False)
    print((await switcher.commit(order)).outcome, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
