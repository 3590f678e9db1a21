"""A client that keeps asking through nginx, and remembers what it got."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp

RATE = 200  # requests a second, each on a new connection
TIMEOUT_S = 2.0
ERROR = 0  # status of a request that got no answer


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was sent (time.monotonic), its status, the release that answered."""

    at: float
    status: int
    release: str

    @property
    def ok(self) -> bool:
        """The user got what was asked for."""
        return self.status == 200


@dataclass
class Load:
    """An open-loop client: it sends on time, however slow the answers are.

    ``async with Load(url) as load:`` sends while the block runs.
    """

    url: str
    samples: list[Sample] = field(default_factory=list)

    def count(self, *, ok: bool) -> int:
        """How many requests went well, or did not."""
        return sum(sample.ok is ok for sample in self.samples)

    def failures(self) -> Counter[str]:
        """What went wrong, counted: ``HTTP 500``, ``no answer``."""
        bad = (sample.status for sample in self.samples if not sample.ok)
        return Counter("no answer" if status == ERROR else f"HTTP {status}" for status in bad)

    def release(self) -> str:
        """Which release gave the last good answer; "" before the first one."""
        good = (sample.release for sample in reversed(self.samples) if sample.ok)
        return next(good, "")

    def last_failure(self) -> Sample | None:
        """The request sent last of those that failed."""
        return max((s for s in self.samples if not s.ok), key=lambda s: s.at, default=None)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )
        self._requests: set[asyncio.Task[None]] = set()
        self._sender = asyncio.create_task(self._send(), name="demo load")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sender.cancel()
        await asyncio.gather(self._sender, *self._requests, return_exceptions=True)
        await self._session.close()

    async def _send(self) -> None:
        due = time.monotonic()
        while True:
            request = asyncio.create_task(self._ask())
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)
            due = max(due + 1 / RATE, time.monotonic() - 1)  # no burst after a stall
            await asyncio.sleep(due - time.monotonic())

    async def _ask(self) -> None:
        at = time.monotonic()
        try:
            async with self._session.get(self.url) as answer:
                await answer.read()
                sample = Sample(at, answer.status, answer.headers.get("X-Release-Id", ""))
        except (aiohttp.ClientError, TimeoutError, OSError):
            sample = Sample(at, ERROR, "")
        self.samples.append(sample)
