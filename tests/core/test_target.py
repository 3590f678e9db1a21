"""Where an automatic switch would go: one place, and never where we are."""

from dataclasses import replace

from healthguard.core.now import now_of

from .story import Story, policy


def test_what_was_active_last_is_no_target_while_nobody_knows_what_is() -> None:
    story = Story(policy(stable="blue")).steady().live(5_000)
    story.look(nginx=replace(story.nginx, state="down"))
    assert now_of(story.state).target is None
    assert story.record("hold_entered")["target"] is None
