"""Long work in the event loop, in slices between which probes start and answers come in."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

SLICE_S = 0.001

T = TypeVar("T")


async def in_slices(items: Iterable[T]) -> AsyncIterator[T]:
    """``items``, one by one; the loop turns after each millisecond that making and using them took.

    They are asked for lazily: what is iterated over must bear that the world changes in between.
    """
    until = time.perf_counter() + SLICE_S
    for item in items:
        yield item
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE_S
