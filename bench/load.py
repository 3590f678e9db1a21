"""An open-loop HTTP client in a process of its own: so many requests a second, come what may.

Each request is a new connection on a bare socket; the event loop (uvloop) only says when it is
ready. The parent asks over stdin and is answered over stdout, one JSON object per line. Times
are ``time.monotonic()``, which all processes of a host share.

    python -m bench.load RATE NAME=PORT ...
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

import uvloop

TIMEOUT = 3.0
_REQUEST = b"GET / HTTP/1.1\r\nHost: threader.example.org\r\nConnection: close\r\n\r\n"
_FLAGS = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


class Load:
    """The client as its parent sees it."""

    def __init__(self, rate: int, ports: dict[str, int]) -> None:
        words = [f"{name}={port}" for name, port in ports.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", str(rate), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def since(self, moment: float) -> dict[str, Any]:
        """What became of the requests started since ``moment``; older ones are forgotten."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{moment}\n".encode())
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class _Request:
    __slots__ = ("data", "end", "good", "sock", "start", "system")

    def __init__(self, system: "_System") -> None:
        self.system = system
        self.start = time.monotonic()
        self.end = 0.0  # 0: under way
        self.good = False
        self.data = b""
        self.sock = sock = socket.socket(socket.AF_INET, _FLAGS)
        sock.connect_ex(system.address)
        self._send()

    def _send(self) -> None:
        try:
            self.sock.send(_REQUEST)
        except BlockingIOError:
            self.system.loop.add_writer(self.sock.fileno(), self._writable)
        except OSError:
            self.finish()
        else:
            self.system.loop.add_reader(self.sock.fileno(), self._readable)

    def _writable(self) -> None:
        self.system.loop.remove_writer(self.sock.fileno())
        self._send()

    def _readable(self) -> None:
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.data += data
        if not data:
            self.finish()

    def finish(self) -> None:
        """Over: answered, broken, or given up."""
        if self.end:
            return
        self.end = time.monotonic()
        descriptor = self.sock.fileno()
        self.system.loop.remove_reader(descriptor)
        self.system.loop.remove_writer(descriptor)
        self.sock.close()
        head, found, body = self.data.partition(b"\r\n\r\n")
        self.good = bool(found) and head[9:12] == b"200" and body.endswith(b"\n")
        if self.good:
            self.system.tag = body.decode().strip()


class _System:
    """One of the compared systems."""

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.address = ("127.0.0.1", port)
        self.loop = loop
        self.tag = ""
        self.requests: deque[_Request] = deque()
        self._oldest = 0  # how many at the front are known to have ended

    def take(self) -> None:
        """Start one more request."""
        self.requests.append(_Request(self))

    def expire(self, now: float) -> None:
        """Give up what is older than the timeout."""
        while self._oldest < len(self.requests):
            request = self.requests[self._oldest]
            if not request.end:
                if now - request.start < TIMEOUT:
                    return
                request.finish()
            self._oldest += 1

    def forget(self, moment: float) -> None:
        """Drop what ended and was started before."""
        while self._oldest and self.requests[0].start < moment:
            self.requests.popleft()
            self._oldest -= 1

    def report(self, moment: float, now: float) -> dict[str, Any]:
        """Times in ms after ``moment``."""
        mine = [each for each in self.requests if each.start >= moment]
        failed = [each.start for each in mine if each.end and not each.good]
        good = [each for each in mine if each.good]
        first_failed = failed[0] if failed else moment
        ends = [each.end for each in good if each.start >= first_failed]
        pending = [each.start for each in mine if not each.end]
        return {
            "started": len(mine),
            "failed": len(failed),
            "last_failed_ms": (failed[-1] - moment) * 1000 if failed else 0.0,
            "first_good_ms": (min(ends) - moment) * 1000 if failed and ends else 0.0,
            "slow": sum(each.end - each.start > 0.5 for each in good),
            "quiet_s": now - (failed[-1] if failed else moment),
            "pending_s": now - pending[0] if pending else 0.0,
            "tag": self.tag,
        }


class _Client:
    def __init__(self, rate: int, ports: dict[str, int]) -> None:
        self.loop = asyncio.get_running_loop()
        self.systems = {name: _System(port, self.loop) for name, port in ports.items()}
        self._order = list(self.systems.values())
        self._step = 1 / (rate * len(self._order))
        self._count = 0
        self._began = time.monotonic()
        self.late = 0.0

    def tick(self) -> None:
        now = time.monotonic()
        due = int((now - self._began) / self._step)
        self.late = max(self.late, (due - self._count) * self._step)
        while self._count < due:
            self._order[self._count % len(self._order)].take()
            self._count += 1
        for system in self._order:
            system.expire(now)
        self.loop.call_later(0.001, self.tick)

    def answer(self, moment: float) -> str:
        now = time.monotonic()
        report = {name: each.report(moment, now) for name, each in self.systems.items()}
        for system in self._order:
            system.forget(moment)
        late, self.late = self.late, 0.0
        return json.dumps({"late_ms": late * 1000, "systems": report})


async def _main(rate: int, ports: dict[str, int]) -> None:
    client = _Client(rate, ports)
    client.tick()
    orders = asyncio.StreamReader()
    await client.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    with suppress(BrokenPipeError):
        while line := await orders.readline():  # ends with the parent
            sys.stdout.write(client.answer(float(line)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    pairs = (word.partition("=") for word in sys.argv[2:])
    uvloop.run(_main(int(sys.argv[1]), {name: int(port) for name, _, port in pairs}))
