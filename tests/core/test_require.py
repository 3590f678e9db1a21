"""Some of several probes are enough: then what one of them says is not the word of the upstream."""

from dataclasses import replace

import pytest

from healthguard.core.model import Expect

from .story import Story, policy


@pytest.mark.parametrize(("passing", "switched"), [("", True), ("b", False), ("ab", False)])
def test_no_switch_on_the_word_of_fewer_fails_than_it_takes(passing: str, switched: bool) -> None:
    """Down, but one of the two that would be enough has just passed again: its next one tells."""
    probes = {"blue": {"a": Expect(), "b": Expect()}}
    story = Story(policy(probes=probes, require={"blue": 1}, stable="green")).steady()
    for moment in range(5):
        story.after(500).passes("green")
        for probe in "ab":
            how = story.passes if moment == 4 and probe in passing else story.fails
            how("blue", probe=probe)
    assert story.health("blue") == "down"
    story.never("AskTurn").after(1_000).passes("green").woke()
    assert ("AskTurn" in story.said) is switched, story.closed()


def test_a_reload_still_knows_how_many_are_enough() -> None:
    probes = {"blue": {"a": Expect(), "b": Expect()}}
    story = Story(policy(probes=probes, require={"blue": 1}, stable="green")).steady()
    story.fails("blue", 3, probe="b")
    story.configure(replace(story.policy, mode_steady="observe"))
    assert story.health("blue") == "up"
