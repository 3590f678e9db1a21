import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthguard.control.when import duration_ms, duration_text, since_wall_ms

NOW = 1_714_564_800_000  # 2024-05-01T12:00:00Z


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", 500), ("2s", 2_000), ("5m", 300_000), ("1h30m", 5_400_000), ("1d", 86_400_000)],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert duration_ms(text) == milliseconds


def test_a_whole_number_is_seconds() -> None:
    assert duration_ms(90) == 90_000


@pytest.mark.parametrize(
    "wrong",
    ["", "5", "5 m", "-5m", "5M", "1.5h", "m", "0s", "٣s", "400d", 0, -1, 1.5, True, None, []],
)
def test_everything_else_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        duration_ms(wrong)


@given(st.integers(1, 366 * 86_400_000))
def test_writing_a_duration_loses_nothing(milliseconds: int) -> None:
    assert duration_ms(duration_text(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", NOW - 3_600_000),
        (str(NOW), NOW),
        ("0", 0),
        ("2024-05-01T12:00:00Z", NOW),
        ("2024-05-01T14:00:00+02:00", NOW),
        ("2024-05-01T14:00:00 02:00", NOW),  # an unescaped + in a query string
        ("2024-05-01T12:00:00.000", NOW),
        ("2024-05-01 12:00:00", NOW),
    ],
)
def test_a_moment_is_read(text: str, moment: int) -> None:
    assert since_wall_ms(text, NOW) == moment


@pytest.mark.parametrize("wrong", ["", "yesterday", "1x", "2024-13-01", "-5", "9" * 30])
def test_a_moment_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        since_wall_ms(wrong, NOW)
