import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthguard.core.durations import LONGEST_MS, parse, shown, written


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", 500), ("2s", 2_000), ("5m", 300_000), ("1h30m", 5_400_000), ("1d", 86_400_000)],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse(text) == milliseconds


@pytest.mark.parametrize(
    "wrong",
    ["", "5", "5 m", "-5m", "5M", "1.5h", "m", "0s", "٣s", "5m\n", "400d", 0, 90, 1.5, True, None],
)
def test_everything_else_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        parse(wrong)


def test_the_bounds_are_inclusive() -> None:
    assert parse("2s", 2_000, 2_000) == 2_000
    assert parse("0s", least_ms=0) == 0
    with pytest.raises(ValueError, match="must be at least 2s"):
        parse("1999ms", 2_000, 3_000)
    with pytest.raises(ValueError, match="must be at most 3s"):
        parse("2s1001ms", 2_000, 3_000)
    with pytest.raises(ValueError, match="must be at most 366d"):
        parse("366d1ms")


@given(st.integers(0, LONGEST_MS))
def test_writing_a_duration_loses_nothing(milliseconds: int) -> None:
    assert parse(written(milliseconds), least_ms=0) == milliseconds


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (-5, "0ms"),
        (0, "0ms"),
        (0.44, "0.4ms"),
        (131, "131ms"),
        (3_000, "3s"),
        (3_160, "3.2s"),
        (60_000, "1m"),
        (250_000, "4m 10s"),
        (720_900, "12m"),
        (7_500_000, "2h 5m"),
        (7_205_000, "2h"),
        (273_600_000, "3d 4h"),
    ],
)
def test_for_people(ms: float, text: str) -> None:
    assert shown(ms) == text
