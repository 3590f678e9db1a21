"""Exit codes: what docs/cli.md says is what there is."""

import re
from pathlib import Path

from healthguard.core.codes import Code

CLI = (Path(__file__).parents[2] / "docs/cli.md").read_text()


def test_the_table_has_every_code() -> None:
    section = CLI.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    assert rows == [code for code in Code if code <= Code.WAITING]


def test_the_codes_of_single_verbs_are_there_too() -> None:
    said = {int(code) for code in re.findall(r"ends with (\d+)", CLI)}
    assert said >= {code for code in Code if code > Code.WAITING}
