"""A controllable HTTP app in a process of its own: what a colour's backend can do to us.

The parent speaks to it over stdin and stdout, one JSON object per line, so that controlling
it works whatever its HTTP side is doing. Run as a script it is that process.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from types import TracebackType
from typing import Any, Self


class App:
    """One app on a free loopback port; the port stays the same through `refuse` and `accept`.

    ``with App("blue") as app: app.answer(status=500)``. Every answer carries ``X-Color`` and
    ``X-Release-Id``; the body of a good one is ``ok COLOR RELEASE``.
    """

    def __init__(self, color: str = "blue", release: str = "1.0.0") -> None:
        self.color = color
        self.release = release
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Starts the process; ready to answer when it returns."""
        command = [sys.executable, "-u", __file__, self.color, self.release, str(self.port)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._read()["port"])
        return self

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, "the app is not running"
        return self._process.pid

    @property
    def address(self) -> str:
        """HOST:PORT, as an nginx ``server`` line wants it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/healthz") -> str:
        """An URL of this app."""
        return f"http://{self.address}{path}"

    def answer(
        self,
        *,
        status: int = 200,
        delay_s: float = 0.0,
        color: str | None = None,
        release: str | None = None,
        body: str | None = None,
    ) -> None:
        """From now on answer like this; without arguments: healthy again."""
        self._tell(status=status, delay_s=delay_s, color=color, release=release, body=body)

    def refuse(self) -> None:
        """Close the port: connections are refused. It stays reserved for `accept`."""
        self._tell(listen=False)

    def accept(self) -> None:
        """Open the port again."""
        self._tell(listen=True)

    def hang(self) -> None:
        """SIGSTOP: the kernel still takes connections, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; `start` brings it back on the same port."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it, in whatever state it is. Harmless when it has ended."""
        self._end(signal.SIGKILL)

    def requests(self) -> int:
        """How many requests it has answered since its start."""
        return int(self._tell()["requests"])

    def _tell(self, **order: object) -> dict[str, Any]:
        assert self._process is not None, "the app is not running"
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the app {self.color} has ended: exit status {self._process.wait(5)}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


# --------------------------------------------------------------- the process itself


class _Server:
    def __init__(self, color: str, release: str, port: int) -> None:
        self.home = {"color": color, "release": release}
        self.order: dict[str, Any] = {}
        self.requests = 0
        self.server: asyncio.Server | None = None
        self.socket = _bound(port)
        self.port: int = self.socket.getsockname()[1]

    async def listen(self) -> None:
        if self.server is None:
            self.server = await asyncio.start_server(self.serve, sock=self.socket, backlog=512)

    async def refuse(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
            self.socket = _bound(self.port)  # bound but not listening: refuses, stays ours

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await asyncio.sleep(self.order.get("delay_s") or 0)
            writer.write(self.reply())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def reply(self) -> bytes:
        color = self.order.get("color") or self.home["color"]
        release = self.order.get("release") or self.home["release"]
        status = self.order.get("status") or 200
        word = "ok" if status < 400 else "error"
        body = (self.order.get("body") or f"{word} {color} {release}\n").encode()
        head = (
            f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
            f"Content-Type: text/plain\r\nX-Color: {color}\r\nX-Release-Id: {release}\r\n\r\n"
        )
        return head.encode() + body

    async def obey(self, line: str) -> None:
        order = json.loads(line)
        if "listen" in order:
            await (self.listen() if order["listen"] else self.refuse())
        elif order:
            self.order = order
        _say(port=self.port, requests=self.requests)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _say(**answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _main(color: str, release: str, port: int) -> None:
    server = _Server(color, release, port)
    await server.listen()
    _say(port=server.port)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():  # ends with the parent
        await server.obey(line.decode())


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
