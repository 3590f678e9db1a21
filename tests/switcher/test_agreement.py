"""Daemon and switcher read the configuration each for itself: a difference is seen and told."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from healthguard.daemon.agreement import AGAIN_S, SETTLE_S, Agreement, Mine, explain
from healthguard.views.documents import SwitcherView

PATH = Path("/etc/healthguard/healthguard.yaml")
OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64


class FakeSwitcher:
    """Goes by what a test says; ``heard`` counts how often it was asked."""

    def __init__(self) -> None:
        self.goes_by = (OLD, "")
        self.answers = True
        self.heard = 0
        self.config_digest = self.config_problem = ""

    async def ping(self) -> bool:
        self.heard += 1
        if self.answers:
            self.config_digest, self.config_problem = self.goes_by
        return self.answers


class Desk:
    """An agreement whose clock and daemon a test moves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.mine = OLD
        self.rejected = False
        self.switcher: FakeSwitcher | None = FakeSwitcher()
        self.said: list[tuple[str, str]] = []
        self.agreement = Agreement(
            lambda: Mine(self.path, self.mine, self.rejected),
            lambda: self.switcher,
            lambda level, message: self.said.append((level, message)),
            lambda: self.now,
        )

    async def pass_time(self, seconds: float) -> None:
        """Ticks once a second, as the pulse does."""
        for _ in range(int(seconds)):
            self.now += 1
            self.agreement.tick()
            await self.agreement.judged()

    @property
    def other(self) -> FakeSwitcher:
        assert self.switcher is not None
        return self.switcher


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    path = tmp_path / "healthguard.yaml"
    path.write_text("one")
    return Desk(path)


async def test_inline_there_is_nobody_to_differ_from(desk: Desk) -> None:
    desk.switcher = None
    await desk.pass_time(5)
    assert desk.agreement.differs is None
    assert desk.agreement.view() is None


async def test_before_the_switcher_was_heard_nothing_is_claimed(desk: Desk) -> None:
    desk.other.answers = False
    await desk.pass_time(5)
    assert desk.agreement.differs is None
    assert desk.agreement.view() == SwitcherView(None, None, None, None)
    desk.other.answers = True
    await desk.pass_time(AGAIN_S)
    assert desk.agreement.differs is False


async def test_a_switcher_without_any_configuration_is_the_gates_business(desk: Desk) -> None:
    desk.other.goes_by = ("", "healthguard.yaml:1: is not a mapping")
    await desk.pass_time(5)
    assert desk.agreement.differs is None


async def test_while_they_agree_the_switcher_is_left_alone(desk: Desk) -> None:
    await desk.pass_time(600)
    assert (desk.agreement.differs, desk.other.heard) == (False, 1)


async def test_an_edit_and_its_reload_within_seconds_are_no_difference(desk: Desk) -> None:
    await desk.pass_time(5)
    desk.path.write_text("two")
    desk.other.goes_by = (NEW, "")
    await desk.pass_time(3)
    desk.mine = NEW
    await desk.pass_time(60)
    assert (desk.agreement.differs, desk.said) == (False, [])


async def test_it_is_told_once_when_it_begins_and_once_when_it_ends(desk: Desk) -> None:
    await desk.pass_time(5)
    desk.path.write_text("two")
    desk.other.goes_by = (hashlib.sha256(b"two").hexdigest(), "")
    await desk.pass_time(SETTLE_S + 300)
    assert desk.agreement.differs is True
    [(level, message)] = desk.said
    assert level == "warning"
    assert "the switcher uses another configuration" in message
    assert "systemctl reload healthguard" in message
    view = desk.agreement.view()
    assert view is not None
    assert (view.config_differs, view.message) == (True, message)
    desk.mine = desk.other.goes_by[0]
    await desk.pass_time(2)
    assert desk.agreement.differs is False
    assert desk.said[1:] == [("info", "switcher and daemon use the same configuration again")]


async def test_what_the_switcher_says_by_the_way_counts_too(desk: Desk) -> None:
    """A prepare tells its configuration as well."""
    await desk.pass_time(5)
    desk.other.goes_by = (NEW, "")
    desk.other.config_digest = NEW
    await desk.pass_time(SETTLE_S + 1)
    assert desk.agreement.differs is True


async def test_an_unreachable_switcher_neither_begins_nor_ends_it(desk: Desk) -> None:
    desk.other.goes_by = (NEW, "")
    await desk.pass_time(2)
    assert desk.agreement.differs is True
    desk.other.answers = False
    await desk.pass_time(AGAIN_S * 2)
    assert (desk.agreement.differs, len(desk.said)) == (True, 1)
    desk.other.answers, desk.other.goes_by = True, (OLD, "")
    await desk.pass_time(AGAIN_S)
    assert desk.agreement.differs is False


async def test_a_tick_never_waits_for_the_switcher(desk: Desk) -> None:
    gate = asyncio.Event()

    class Slow(FakeSwitcher):
        async def ping(self) -> bool:
            await gate.wait()
            return await super().ping()

    desk.switcher = Slow()
    for _ in range(5):
        desk.now += 1
        desk.agreement.tick()
        await asyncio.sleep(0)
    gate.set()
    await desk.agreement.judged()
    assert (desk.agreement.differs, desk.other.heard) == (False, 1)


async def test_a_file_that_is_gone_or_not_ours_to_read_harms_nothing(desk: Desk) -> None:
    await desk.pass_time(5)
    desk.path.unlink()
    desk.other.goes_by = (NEW, f"{desk.path}: No such file or directory")
    await desk.pass_time(SETTLE_S + 1)
    assert "No such file" in desk.said[0][1]
    os.mkfifo(desk.path)
    await desk.pass_time(AGAIN_S + 1)  # a pipe at this path must not hang it
    assert desk.agreement.differs is True


@pytest.mark.parametrize(
    ("file", "problem", "rejected", "said"),
    [
        (NEW, "", False, ("the current /etc/healthguard/healthguard.yaml, "
                          "which this daemon has not loaded",
                          "`systemctl reload healthguard`")),
        (NEW, "", True, ("which this daemon rejected", "`healthguard reload --wait` says why")),
        (OLD, "y.yaml:3: unknown key\ny.yaml:9: x", False,
         ("an older one, because it cannot use", "y.yaml:3: unknown key (and 1 more)",
          "correct that")),
        (OTHER, "y.yaml:3: unknown key", False,
         ("the last valid one, because it cannot use", "correct that",
          "`systemctl reload healthguard`")),
        (OLD, "", False,
         ("one that is not the current", "`systemctl restart healthguard-switcher`")),
        (OTHER, "", False,
         ("one that is not the current", "`systemctl restart healthguard-switcher`")),
        ("", "", False, ("which this daemon cannot read", "`systemctl reload healthguard`")),
    ],
)  # fmt: skip
def test_the_sentence_says_which_why_and_what_to_do(
    file: str, problem: str, rejected: bool, said: tuple[str, ...]
) -> None:
    sentence = explain(Mine(PATH, OLD, rejected), NEW, problem, file)
    for each in (*said, str(PATH), NEW[:12], OLD[:12]):
        assert each in sentence
    assert "\n" not in sentence


def test_the_sentence_is_bounded() -> None:
    assert len(explain(Mine(PATH, OLD, False), NEW, "x" * 100_000, OTHER)) < 1_000
