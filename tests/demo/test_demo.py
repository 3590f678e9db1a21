"""The whole demo, as a user runs it, and that it cannot claim what did not happen."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from healthguard.demo.sandbox import DemoError, Sandbox
from healthguard.demo.screen import Screen
from healthguard.demo.story import DemoStory
from healthguard.nginx.lock import ACT, DAEMON, lock_path
from tests.docs.pages import page

DEMO = [sys.executable, "-m", "healthguard", "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path)}


def shape(line: str) -> str:
    """A line without what differs from run to run: numbers, and a kind of failure that is rare."""
    return " ".join(re.sub(r"\d+", "0", re.sub(r"(, )?no answer: \d+(, )?", "", line)).split())


def transcript() -> set[str]:
    """Every line of the demo that README.md shows."""
    block = next(each for each in page("README.md").blocks if each.text.startswith("$ make demo"))
    return {shape(line) for line in block.text.splitlines()[1:] if line.strip()}


def test_the_demo_rolls_a_bad_release_back(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        DEMO, env=environment, capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert said.index("blue 1.4.1 serves") < said.index("green 1.5.0 serves")
    assert said.index("green 1.5.0 breaks") < said.index("healthguard has rolled back")
    assert re.search(r"detection +\d+ ms", said)
    assert re.search(r"clients +\d+ requests: \d+ ok, \d+ failed \(HTTP 500: \d+", said)
    event = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    assert (event["event"], event["trigger"]) == ("switch_completed", "automatic")
    assert (event["pool"], event["from"], event["to"]) == ("demo", "green", "blue")
    assert "\033" not in said  # not a terminal: no colours
    assert transcript() <= {shape(line) for line in said.splitlines()}
    assert list(tmp_path.iterdir()) == []
    folder = Path(re.findall(r"sandbox +(\S+)", said)[0])
    for kind in (DAEMON, ACT):
        assert not lock_path(folder / "nginx.conf", kind).exists()


def test_it_stays_until_ctrl_c(tmp_path: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*DEMO, "--stay"], env=environment, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        said = ""
        while "tail -f" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        DEMO, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        while "serves" not in demo.stdout.readline():
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 130
    assert list(tmp_path.iterdir()) == []


async def test_without_a_guard_the_story_fails() -> None:
    class GuardDies(DemoStory):
        async def green_breaks(self) -> None:
            await self.sandbox.guard.stop()
            await super().green_breaks()

    async with Sandbox() as sandbox:
        with pytest.raises(DemoError, match="the guard rolls back"):
            await GuardDies(Screen(), sandbox, within=5).tell()
