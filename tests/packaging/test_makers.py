"""Completions and manual pages: made from the verbs, and accepted by those who read them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from makers import completion, manual
from makers.catalogue import entries

from healthguard.cli.entry import VERBS


def complete(*words: str, tmp_path: Path) -> list[str]:
    """What bash offers after these words."""
    script = tmp_path / "completion"
    script.write_text(completion.bash())
    line = " ".join(f"'{word}'" for word in words)
    program = (
        f'source {script}; healthguard() {{ echo \'{{"pool": "threader"}}\'; }};'
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _healthguard;"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_verbs_flags_and_pools(tmp_path: Path) -> None:
    assert complete("healthguard", "sw", tmp_path=tmp_path) == ["switch", "switcher"]
    assert "--dry-run" in complete("healthguard", "switch", "--d", tmp_path=tmp_path)
    assert complete("healthguard", "--json", "why", "", tmp_path=tmp_path) == ["threader"]
    assert complete("healthguard", "--config", "x", "ro", tmp_path=tmp_path) == ["rollback"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_verb_and_flag_is_there(shell: str) -> None:
    text = completion.SHELLS[shell]()
    for verb in entries():
        assert verb.name in text
        for flag in (flag for each in verb.arguments for flag in each.flags):
            assert (flag if shell != "fish" else flag.lstrip("-")) in text
    if shutil.which(shell):
        done = subprocess.run(
            [shell, "-n", "/dev/stdin"], input=text, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_manual_has_every_verb_and_every_key() -> None:
    page = manual.command()
    assert all(f".SS {verb}" in page for verb in VERBS)
    keys = manual.configuration()
    for key in ("link", "fast_interval", "standby_passes", "control_groups", "max_latency"):
        assert f"\\fB{key}\\fR" in keys


@pytest.mark.parametrize("name", list(manual.PAGES))
def test_man_renders_it_without_a_warning(name: str, tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("needs man")
    file = tmp_path / name
    file.write_text(manual.PAGES[name]())
    done = subprocess.run(
        ["man", "--warnings=all", "-l", file],
        capture_output=True,
        text=True,
        check=False,
        env={"MANWIDTH": "100", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\\f" not in done.stdout
