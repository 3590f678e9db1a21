import pytest

from healthguard.core.moments import iso, read, since_wall_ms

NOW = 1_714_564_800_000  # 2024-05-01T12:00:00Z


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


def test_what_is_written_is_read_again() -> None:
    written = iso(NOW + 678)
    assert written == "2024-05-01T12:00:00.678Z"
    for value in (written, NOW + 678):
        found = read(value)
        assert found is not None
        assert found.timestamp() * 1_000 == NOW + 678
    assert iso(None) is None


@pytest.mark.parametrize("wrong", [None, "", "soon", True, 10**30, [], "2024-13-01"])
def test_what_is_no_moment_is_none(wrong: object) -> None:
    assert read(wrong) is None
