"""``python -m tests.page.picture``: docs/page.png, the page as it is after a real rollback.

A bad release was made active in a real world, broke, and has just been rolled back.
"""

import asyncio
import tempfile
from pathlib import Path

from tests.page.browser import chromium
from tests.support.world import World

PICTURE = Path(__file__).parents[2] / "docs" / "page.png"
WIDTH, HEIGHT = 1000, 960  # pixels; a README shows it about 850 wide
LIVE = "document.getElementById('live').className === 'on'"
FULL = "[...document.querySelectorAll('.strip')].every(each => each.children.length > 9)"


def incident(world: World) -> None:
    """Until the bad release was rolled back."""
    world.cli("good", "threader", "blue")
    world.release("green", "threader")
    world.app("green", "threader").answer(status=503, release="1.5.0")
    world.wait_pool("threader", active="blue", phase="steady", cooldown_until=None, within=20)


async def take(folder: Path, target: Path) -> None:
    """The picture, as PNG."""
    settings = {"stable": "blue", "release": {"header": "X-Release-Id"}}
    with World(folder, pools=("threader",), pool=settings) as world:
        world.app("green", "threader").answer(release="1.5.0")
        world.settled()
        await asyncio.to_thread(incident, world)
        async with chromium(folder) as browser:
            tab = await browser.tab(width=WIDTH, height=HEIGHT)
            await tab.open(f"http://127.0.0.1:{world.http}/")
            await tab.wait(LIVE)
            await tab.wait(FULL)
            await tab.screenshot(target, whole=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(take(Path(made), PICTURE))
