"""The page that newcomers read first: what it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
FILES = sorted(
    name
    for name in set(re.findall(r"`([a-z_]+/[a-z_/]+\.py|assembly\.py)`", PAGE))
    if not name.startswith("tests/")
)
ROOMS = sorted(set(re.findall(r"`([a-z_]+/(?:[a-z_]+/)*)`", PAGE)))


@pytest.mark.parametrize("name", [*FILES, *ROOMS])
def test_what_it_names_exists(name: str) -> None:
    assert (ROOT / "healthguard" / name).exists()


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name + "/" for path in (ROOT / "healthguard").iterdir() if path.is_dir()}
    assert rooms - {"__pycache__/"} <= set(ROOMS)
    assert len(FILES) > 30


@pytest.mark.parametrize("name", ["_settle", "_decide", "binding_for"])
def test_the_functions_it_names_are_where_it_says(name: str) -> None:
    [file] = set(re.findall(rf"`{name}` in `([a-z_/]+\.py)`", PAGE)) or {"core/pool.py"}
    assert f"def {name}(" in (ROOT / "healthguard" / file).read_text()


def test_every_file_of_the_core_is_on_it() -> None:
    named = {name for name in FILES if name.startswith("core/")}
    small = {"__init__", "codes", "durations", "evidence", "host", "moments", "would"}
    there = {path.stem for path in (ROOT / "healthguard" / "core").glob("*.py")}
    assert there - {Path(name).stem for name in named} <= small
