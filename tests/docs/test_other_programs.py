"""What the pages give to make, python, systemctl and a shell is there."""

import re
import subprocess

import pytest

from tests.docs.commands import typed
from tests.docs.pages import ROOT, Page, pages

TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
UNITS = {unit.name for unit in (ROOT / "systemd").iterdir()}
_UNIT = re.compile(r"\bhealthguard(?:-[a-z]+)?(?:\.(?:service|socket))?(?![\w./:-]|\.\w)")


def lines(each: Page) -> list[str]:
    """Everything in code."""
    return [*(line for block in each.blocks for line in typed(block)), *each.spans]


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_targets_modules_and_units_exist(each: Page) -> None:
    for line in lines(each):
        if found := re.match(r"(?:sudo )?make ([a-z]+)", line):
            assert found[1] in TARGETS, line
        for module in re.findall(r"python -m (tests[.\w]+)", line):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), line
        if re.match(r"(sudo )?(systemctl|journalctl) ", line):
            for unit in _UNIT.findall(line):
                assert (unit if "." in unit else f"{unit}.service") in UNITS, line


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_a_shell_reads_them(each: Page) -> None:
    for block in each.blocks:
        if re.match(
            r"(\$ )?(sudo|curl|install|make|pip|healthguard [a-z]+ [^A-Z\[]*$)", block.text
        ):
            text = "\n".join(typed(block))
            done = subprocess.run(
                ["bash", "-n"], input=text, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{text}\n{done.stderr}"
