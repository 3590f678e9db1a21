"""The helpers that other tests trust are tested first."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.apps import App
from tests.support.eventually import eventually, eventually_async


@pytest.fixture
def app() -> Iterator[App]:
    with App("green", "1.5.0") as running:
        yield running


def get(app: App, timeout: float = 2.0) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(app.url(), timeout=timeout) as answer:
            return answer.status, answer.headers["X-Color"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["X-Color"], error.read().decode()


def test_a_healthy_app_names_its_colour_and_release(app: App) -> None:
    assert get(app) == (200, "green", "ok green 1.5.0\n")


def test_an_app_answers_as_told_until_told_otherwise(app: App) -> None:
    app.answer(status=500)
    assert get(app) == (500, "green", "error green 1.5.0\n")
    app.answer(color="blue", body="not me")
    assert get(app) == (200, "blue", "not me")
    app.answer()
    assert get(app) == (200, "green", "ok green 1.5.0\n")
    assert app.requests() == 3


def test_a_slow_app_answers_late(app: App) -> None:
    app.answer(delay_s=5)
    with pytest.raises(TimeoutError):
        get(app, timeout=0.1)
    app.answer()
    assert get(app)[0] == 200


def test_a_refusing_app_keeps_its_port(app: App) -> None:
    app.refuse()
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(app)
    app.accept()
    assert get(app)[0] == 200


def test_a_hanging_app_accepts_but_does_not_answer(app: App) -> None:
    app.hang()
    with pytest.raises(TimeoutError):
        get(app, timeout=0.1)
    app.resume()
    assert get(app)[0] == 200


def test_a_killed_app_comes_back_on_its_port(app: App) -> None:
    port = app.port
    app.kill()
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(app)
    app.start()
    assert app.port == port
    assert get(app)[0] == 200


def test_eventually_gives_the_first_true_value_or_says_what_never_was() -> None:
    values = iter([0, None, 7])
    assert eventually(lambda: next(values), within=5) == 7
    with pytest.raises(AssertionError, match=r"not within 0.05 s: pigs fly \(last value: False\)"):
        eventually(lambda: False, within=0.05, what="pigs fly")


def test_eventually_takes_an_assertion_as_not_yet() -> None:
    start = time.monotonic()

    def late() -> bool:
        assert time.monotonic() > start + 0.05, "too early"
        return True

    assert eventually(late, within=5)


async def test_eventually_async_takes_functions_and_coroutines() -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, done.set)

    async def is_done() -> bool:
        return done.is_set()

    assert await eventually_async(done.is_set, within=5)
    assert await eventually_async(is_done, within=5)
    with pytest.raises(AssertionError, match="last value: False"):
        await eventually_async(lambda: False, within=0.05)


async def test_threads_of_the_loop_are_not_left_behind() -> None:
    assert await asyncio.to_thread(lambda: 1) == 1
