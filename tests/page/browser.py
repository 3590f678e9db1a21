"""A real Chromium without a window, spoken to by its debugging protocol."""

import asyncio
import base64
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from tests.support.eventually import eventually_async

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--no-pings",
    "--hide-scrollbars",
    "--mute-audio",
    "--remote-debugging-port=0",
    "--password-store=basic",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=127.0.0.1",
]


def binary() -> str | None:
    """Where Chromium is; None where it is not."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator["Browser"]:
    """A browser of its own, with a profile of its own."""
    program = binary()
    assert program is not None, "no chromium here: scripts/setup dev installs it"
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        program,
        *" ".join(FLAGS).split(),
        f"--user-data-dir={profile}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    )
    try:
        port_file = profile / "DevToolsActivePort"
        await eventually_async(port_file.exists, within=30, what="chromium listens", step=0.1)
        await eventually_async(lambda: len(port_file.read_text().split()) == 2)
        port, path = port_file.read_text().split()
        async with (
            ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket,
        ):
            browser = Browser(socket)
            reader = asyncio.create_task(browser.read())
            try:
                yield browser
            finally:
                with contextlib.suppress(Exception):
                    await browser.call("Browser.close")
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
    finally:
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


class Browser:
    """Calls and their answers; events are kept per session."""

    def __init__(self, socket: ClientWebSocketResponse):
        self._socket = socket
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self._count = 0

    async def read(self) -> None:
        async for message in self._socket:
            answer = message.json()
            waiting = self._waiting.pop(answer.get("id"), None)
            if waiting is None:
                self.events.append(answer)
            elif not waiting.done():
                waiting.set_result(answer)

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One call; AssertionError for a refusal."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._count] = future
        await self._socket.send_json(message)
        answer: dict[str, Any] = await asyncio.wait_for(future, 30)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    async def tab(self, *, width: int = 1280, height: int = 900, dark: bool = False,
                  scripts: bool = True) -> "Tab":  # fmt: skip
        """A new tab, empty."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network", "Security"):
            await tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await tab.call("Emulation.setEmulatedMedia", features=[scheme])
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 700,
        )  # fmt: skip
        if not scripts:
            await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        return tab


class Tab:
    """One page."""

    def __init__(self, browser: Browser, session: str):
        self._browser = browser
        self._session = session

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **params)

    def said(self, *methods: str) -> list[dict[str, Any]]:
        """Events of this tab by these names."""
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] in methods
        ]

    async def open(self, url: str) -> None:
        """Navigate, and wait until it is loaded."""
        before = len(self.said("Page.loadEventFired"))
        await self.call("Page.navigate", url=url)
        await eventually_async(
            lambda: len(self.said("Page.loadEventFired")) > before, within=20, what=f"{url} loads"
        )

    async def value(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def text(self, selector: str) -> str:
        """What a reader sees of the first element found; "" when there is none."""
        found = await self.value(
            f"(document.querySelector({selector!r}) || {{innerText: ''}}).innerText"
        )
        return str(found)

    async def wait(self, script: str, *, within: float = 20.0) -> Any:
        """Until an expression is true in the page; its value."""
        return await eventually_async(
            lambda: self.value(script), within=within, what=script, step=0.1
        )

    async def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """What it looks like, as PNG."""
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))

    def troubles(self) -> list[str]:
        """Errors of scripts, refusals by the policy, loads that failed."""
        found = [str(each["entry"]) for each in self.said("Log.entryAdded")]
        found += [str(each) for each in self.said("Runtime.exceptionThrown")]
        return found
