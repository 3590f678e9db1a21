"""The page in a real Chromium, beside a real daemon in a real incident."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.page.browser import Browser, Tab, binary, chromium
from tests.support.eventually import eventually_async
from tests.support.world import World

# In CI the browser must be there: a page that nobody looked at is not tested.
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(binary() is None and not os.environ.get("CI"), reason="needs chromium"),
]
LIVE = "document.getElementById('live').className === 'on'"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = {"stable": "blue", "release": {"header": "X-Release-Id"}}
    with World(tmp_path, pools=("app", "pay"), pool=settings) as made:
        yield made.settled()


@pytest_asyncio.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with chromium(tmp_path) as made:
        yield made


def url(world: World) -> str:
    return f"http://127.0.0.1:{world.http}/"


async def nothing_runs_over(tab: Tab) -> None:
    """A page that scrolls sideways on a phone is not read."""
    wide = await tab.value(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0


async def test_an_incident_is_seen_live(world: World, browser: Browser, tmp_path: Path) -> None:
    tab = await browser.tab()
    await tab.open(url(world))
    await tab.wait(LIVE)
    await asyncio.to_thread(world.release, "green")
    await tab.wait("document.querySelector('#pool-app .active .colour').innerText === 'green'")
    assert "in its bake" in await tab.text("#pool-app .sentence")
    assert "left" in await tab.text("#pool-app dl")
    await tab.value("document.querySelector('#pool-app details').open = true")
    await tab.value("document.querySelector('#pool-app').mine = 1")
    world.app("green").answer(status=503)
    await tab.wait("document.querySelector('#pool-app .active .colour').innerText === 'blue'")
    await tab.wait("document.getElementById('events').innerText.includes('switch completed')")
    await tab.wait("document.querySelector('#pool-app').innerText.includes('known bad')")
    kept = "document.querySelector('#pool-app').mine && document.querySelector('#pool-app details')"
    assert await tab.value(f"{kept}.open") is True  # changed in place: what was open stays open
    world.app("blue").answer(status=503)
    await tab.wait("document.getElementById('now').innerText.includes('needs attention now')")
    await tab.wait("document.querySelector('#pool-app .trouble') !== null")
    assert "blue is DOWN and I cannot fail over" in await tab.text("#pool-app .sentence")
    assert (await tab.value("document.title")).startswith("✕ app · healthguard on ")
    assert await tab.value("document.getElementById('icon').getAttribute('href')") == (
        "/page/bad.svg"
    )
    await nothing_runs_over(tab)
    await tab.screenshot(tmp_path / "incident.png")
    assert tab.troubles() == []
    outside = [each["request"]["url"] for each in tab.said("Network.requestWillBeSent")]
    assert outside
    assert all(each.startswith(url(world)) for each in outside)


async def test_what_is_sent_later_is_what_a_reload_would_show(
    world: World, browser: Browser
) -> None:
    first = await browser.tab()
    await first.open(url(world))
    await first.wait(LIVE)
    await asyncio.to_thread(world.release, "green")
    await asyncio.to_thread(world.cli, "pause", "pay", "--for", "1h", "--reason", "a <b>note</b>")
    await first.wait("document.getElementById('pools').innerText.includes('a <b>note</b>')")
    second = await browser.tab()
    await second.open(url(world))
    await second.wait(LIVE)
    # Without what changes from one second to the next.
    script = """(() => {
        const copy = document.querySelector('main').cloneNode(true);
        for (const each of copy.querySelectorAll('time, .last, .strip')) each.remove();
        return copy.innerHTML; })()"""

    async def same() -> bool:
        return bool(await first.value(script) == await second.value(script))

    await eventually_async(same, what="both tabs show the same")


async def test_without_javascript(world: World, browser: Browser) -> None:
    await asyncio.to_thread(world.release, "green")
    await asyncio.to_thread(world.wait_pool, rollback_ready=True)
    tab = await browser.tab(scripts=False)
    await tab.open(url(world))
    for selector, said in (
        ("#live", "reload the page to update it"),
        ("#now", "Not urgent, but worth a look"),
        ("#pool-app .sentence", "green is active and up, in its bake."),
        ("#pool-app dl", "a rollback to blue would succeed now"),
        ("#pool-app dl", "until "),
        ("#events", "switch completed"),
    ):
        assert said in await tab.text(selector), selector
    assert await tab.value("document.querySelectorAll('#pool-app .strip i').length") > 4
    await tab.value("document.querySelector('#pool-app summary').click()")
    assert "no_target" in await tab.text("#pool-app details[open]")
    assert tab.troubles() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_on_a_phone_by_day_and_by_night(
    world: World, browser: Browser, tmp_path: Path, dark: bool
) -> None:
    for color in ("blue", "green"):
        world.app(color).answer(status=503)
    await asyncio.to_thread(world.wait_pool, phase="holding")
    tab = await browser.tab(width=360, height=740, dark=dark)
    await tab.open(url(world))
    await tab.wait(LIVE)
    await tab.wait("document.querySelector('#pool-app .trouble') !== null")
    await tab.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    await nothing_runs_over(tab)
    back = await tab.value("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(11, 14, 19)" if dark else "rgb(244, 245, 247)")
    # The first look, without scrolling: what is wrong, and what to type.
    top = "document.querySelector('#pool-app .trouble').getBoundingClientRect().top"
    assert await tab.value(top) < 740
    await tab.screenshot(tmp_path / "phone.png")


async def test_a_dead_daemon_does_not_look_well(world: World, browser: Browser) -> None:
    tab = await browser.tab()
    await tab.open(url(world))
    await tab.wait(LIVE)
    await asyncio.to_thread(world.daemon.kill9)
    await tab.wait("document.getElementById('live').className === 'off'", within=40)
    assert (await tab.text("#live")).startswith("NOT LIVE: no update for ")
    assert await tab.value("document.body.classList.contains('stale')") is True
    await asyncio.to_thread(world.daemon.start)
    await tab.wait(LIVE, within=40)
    assert await tab.value("document.body.classList.contains('stale')") is False
