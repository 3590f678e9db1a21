"""One release of the demo's app, in a process of its own: healthy until it gets the order to break.

``GET /`` and ``GET /healthz`` answer 200, or 500 once broken. ``POST /break`` and ``POST /mend``
do what they say. The port is printed; the process ends when its standard input closes, so it
cannot outlive the demo.
"""

import asyncio
import sys

from aiohttp import web


class Deployed:
    """What one process serves: a colour and the release that is deployed there."""

    def __init__(self, color: str, release: str) -> None:
        self.color = color
        self.release = release
        self.broken = False

    async def answer(self, _request: web.Request) -> web.Response:
        """What users and probes get."""
        headers = {"X-Color": self.color, "X-Release-Id": self.release}
        if self.broken:
            text = f"{self.color} {self.release}: connection pool exhausted\n"
            return web.Response(status=500, text=text, headers=headers)
        return web.Response(text=f"{self.color} {self.release}: ok\n", headers=headers)

    async def break_(self, _request: web.Request) -> web.Response:
        """From now on everything fails."""
        self.broken = True
        return web.Response(text=f"{self.color} is broken\n")

    async def mend(self, _request: web.Request) -> web.Response:
        """Good again."""
        self.broken = False
        return web.Response(text=f"{self.color} is healthy again\n")


async def serve(color: str, release: str) -> None:
    """Serves on a free loopback port until standard input closes."""
    it = Deployed(color, release)
    app = web.Application()
    app.add_routes(
        [
            web.get("/", it.answer),
            web.get("/healthz", it.answer),
            web.post("/break", it.break_),
            web.post("/mend", it.mend),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    parent = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(parent), sys.stdin
    )
    await parent.read()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
