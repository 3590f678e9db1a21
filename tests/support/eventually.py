"""Waiting for something to become true, with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
STEP_S = 0.02


def eventually(
    predicate: Callable[[], T], *, within: float = 10.0, what: str = "", step: float = STEP_S
) -> T:
    """The first true value of ``predicate()``; AssertionError after ``within`` seconds.

    An AssertionError inside the predicate means "not yet", so a predicate may simply assert;
    the last one is shown when time is up. Every other exception passes through at once.
    """
    deadline = time.monotonic() + within
    while True:
        value, trouble = _try(predicate)
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_message(predicate, within, what, value)) from trouble
        time.sleep(step)


async def eventually_async(
    predicate: Callable[[], Any],
    *,
    within: float = 10.0,
    what: str = "",
    step: float = STEP_S,
) -> Any:
    """The same inside an event loop; ``predicate`` may be a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        value: Any = None
        trouble: AssertionError | None = None
        try:
            answer = predicate()
            value = await answer if isinstance(answer, Awaitable) else answer
        except AssertionError as not_yet:
            trouble = not_yet
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_message(predicate, within, what, value)) from trouble
        await asyncio.sleep(step)


def _try(predicate: Callable[[], T]) -> tuple[T | None, AssertionError | None]:
    try:
        return predicate(), None
    except AssertionError as not_yet:
        return None, not_yet


def _message(predicate: object, within: float, what: str, last: object) -> str:
    name = what or getattr(predicate, "__name__", repr(predicate))
    return f"not within {within:g} s: {name} (last value: {last!r})"
