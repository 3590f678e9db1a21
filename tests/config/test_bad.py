"""One bad file per rule, with exactly the problems that its comments name."""

from pathlib import Path

import pytest

from healthguard.config import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
MARK = "# refused "


def expected(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [f"{path}:{line.removeprefix(MARK)}" for line in lines if line.startswith(MARK)]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_exactly_these_problems(path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert [str(problem) for problem in refused.value.problems] == expected(path)
    assert expected(path)


def test_there_are_bad_files() -> None:
    assert len(BAD) > 100


def test_all_problems_are_told_at_once() -> None:
    many = next(path for path in BAD if path.stem == "many")
    assert len(expected(many)) > 10
