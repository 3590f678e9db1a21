"""The messages that docs/troubleshooting.md quotes are those that the program says."""

import re

import pytest

from tests.docs.pages import ROOT, page

# What nginx and systemd say; and names of keys, states and commands.
FOREIGN = (
    *("Start request repeated", "Read-only file system", "Watchdog timeout", "HTTP 4"),
    *("bind()", "cannot be loaded", "exited on signal"),
)
# What stands for something else in a quoted message.
_HOLE = re.compile(
    r"\b[A-Z]{2,}\b|\bN\b|\bblue\b|\bgreen\b|\.\.\.|^healthguard: |\d+|/etc/\S+|pools\.\S+"
    r"|a regular file|Permission denied|[()]"
)
_COMMANDS = ("healthguard ", "systemctl", "curl", "sudo")


def messages() -> list[str]:
    """Quoted in the first column, with a space in them, and not a command."""
    rows = re.findall(r"^\| (.+?) \|", page("docs/troubleshooting.md").text, re.MULTILINE)
    spans = [span for row in rows for span in re.findall(r"`([^`]+)`", row)]
    said = [each for each in spans if " " in each]
    return [each for each in said if not each.startswith((*FOREIGN, *_COMMANDS))]


def source() -> str:
    """All of the program, literals over several lines made one; holes of f-strings stay."""
    files = [each for kind in ("py", "js") for each in (ROOT / "healthguard").rglob(f"*.{kind}")]
    texts = [each.read_text() for each in sorted(files)]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts))


SOURCE = source()


def test_there_are_some() -> None:
    assert len(messages()) > 15


@pytest.mark.parametrize("message", messages())
def test_the_program_says_so(message: str) -> None:
    pieces = [each.strip(" :;,") for each in _HOLE.split(message)]
    long = [each for each in pieces if len(each) > 4]
    assert long
    for piece in long:
        assert piece in SOURCE
