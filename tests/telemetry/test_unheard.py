"""Who is not reached, until something has been sent."""

import pytest

from healthguard.telemetry.unheard import LATELY_S, Unheard


@pytest.fixture
def time() -> list[float]:
    return [0.0]


@pytest.fixture
def unheard(time: list[float]) -> Unheard:
    return Unheard(lambda: time[0])


def test_all_is_well(unheard: Unheard) -> None:
    unheard.sent("ops")
    assert unheard.sentences() == []


def test_a_failure_is_told_with_what_to_type(unheard: Unheard) -> None:
    unheard.failed("ops", "HTTP 500", given_up=False)
    assert unheard.sentences() == [
        "notifier ops could not deliver messages and will retry: HTTP 500. "
        "To test it: `healthguard notify test ops`"
    ]


def test_what_was_given_up_stays_so_until_something_is_sent(unheard: Unheard) -> None:
    unheard.failed("ops", "HTTP 500", given_up=True)
    unheard.failed("ops", "timed out", given_up=False)
    (said,) = unheard.sentences()
    assert "could not deliver messages and gave up: timed out" in said
    unheard.sent("ops")
    assert unheard.sentences() == []


def test_it_is_forgotten_after_a_day_and_with_its_notifier(
    unheard: Unheard, time: list[float]
) -> None:
    unheard.failed("old", "", given_up=True)
    time[0] = LATELY_S
    unheard.failed("ops", "", given_up=False)
    assert [each.split()[1] for each in unheard.sentences()] == ["ops"]
    unheard.keep(["pager"])
    assert unheard.sentences() == []
