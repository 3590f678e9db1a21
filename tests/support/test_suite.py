"""What ``make test`` counts, and when it calls a run red."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.suite import Part, count, faults, read, run_tests, table

REPORT = """<testsuites><testsuite>
  <testcase classname="a" name="good"/>
  <testcase classname="a" name="bad"><failure message="no"/></testcase>
  <testcase classname="a" name="left behind"/>
  <testcase classname="a" name="left behind"><error message="a process"/></testcase>
  <testcase classname="a" name="mount"><skipped message="needs root to mount"/></testcase>
  <testcase classname="a" name="chown"><skipped message="needs root to mount"/></testcase>
  <testcase classname="a" name="later"><skipped message="some day"/></testcase>
</testsuite></testsuites>"""
PROJECT = {
    "tests/test_most.py": """
import pathlib, pytest
def test_good(): pass
def test_at_the_second_try():
    mark = pathlib.Path("tried")
    tried = mark.exists()
    mark.touch()
    assert tried
def test_mounts(): pytest.skip("needs root to mount")
""",
    "tests/systemd/test_apart.py": "def test_boots(): pass",
}


@pytest.fixture
def locally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def test_a_report_is_counted() -> None:
    part = read(Part("parallel"), ElementTree.fromstring(REPORT).iter("testcase"))
    assert (part.passed, part.failed) == (1, ["a::bad", "a::left behind"])
    assert part.left_out == {"needs root to mount": 2, "some day": 1}


def test_what_this_machine_lacks_counts_as_passed(locally: None) -> None:
    part = Part("parallel", passed=5, left_out=Counter({"needs root": 2, "some day": 1}))
    assert count([part]) == 7


def test_in_ci_only_what_passed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    part = Part("parallel", passed=5, left_out=Counter({"needs root": 2}))
    assert count([part]) == 5


@pytest.mark.parametrize(
    ("parts", "again", "floor", "why"),
    [
        ([Part("parallel", passed=5)], 0, 5, []),
        ([Part("parallel", passed=2), Part("again", passed=3)], 3, 5, []),
        ([Part("parallel", passed=4)], 0, 5, ["only 4 tests have passed, tests/floor wants 5"]),
        (
            [Part("parallel", passed=1), Part("again", passed=4)],
            4,
            5,
            ["4 tests had to run again, at most 3 may"],
        ),
        ([Part("lint", ok=False)], 0, 5, ["lint failed"]),
        ([Part("parallel", passed=5), Part("systemd", ok=False)], 0, 5, ["systemd failed"]),
    ],
)
def test_red_is_what_fails_what_runs_again_too_often_and_what_is_missing(
    parts: list[Part], again: int, floor: int, why: list[str]
) -> None:
    assert faults(parts, again, floor) == why


def test_the_table_says_how_long_each_part_took() -> None:
    parts = [Part("lint", 19.6), Part("parallel", 250, passed=12, failed=["a"])]
    assert table(parts).splitlines() == [
        "                time  passed  failed  left out",
        "lint            20 s       -       -         -",
        "parallel  4 min 10 s      12       1         -",
    ]


def test_what_failed_beside_others_runs_again_alone(tmp_path: Path, locally: None) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    beside, again, apart = run_tests(tmp_path)
    assert (beside.name, beside.passed, len(beside.failed)) == ("parallel", 1, 1)
    assert (again.name, again.passed, again.ok) == ("again", 1, True)
    assert (apart.name, apart.passed, apart.ok) == ("systemd", 1, True)
    assert beside.left_out == {"needs root to mount": 1}
    assert faults([beside, again, apart], 1, 4) == []
