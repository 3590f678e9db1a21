"""What the gates say: each sentence whole, where a word may be left out."""

from collections.abc import Callable

import pytest

from healthguard.core.model import Answer, NginxFact

from .story import FAIL, Story


def steady() -> Story:
    return Story().steady().live(20_000).forget()


def blind(detail: str) -> Story:
    answer = Answer(0, inconclusive="no_descriptors", detail=detail)
    return steady().answer("blue", answer).after(500).answer("blue", answer)


def standby(answer: Answer) -> Story:
    story = steady()
    for _ in range(3):
        story.answer("green", answer).after(500)
    return story


BLIND = "blue cannot be judged by probe health; the problem is on this host:"


@pytest.mark.parametrize(
    ("story", "gate", "evidence"),
    [
        (lambda: blind(""), "self_unhealthy", f"{BLIND} no_descriptors"),
        (lambda: blind("0 left"), "self_unhealthy", f"{BLIND} 0 left (no_descriptors)"),
        (lambda: steady().live(3_000, green=FAIL), "standby_not_up",
         "green is down: connection refused"),
        (lambda: standby(Answer(1, 503)), "standby_not_up",
         "green is down: HTTP 503, expected 200-299"),
        (lambda: steady().look(nginx=NginxFact("down")), "nginx_down", "nginx is not running"),
        (lambda: steady().look(nginx=NginxFact("down", "no pid file")), "nginx_down",
         "no pid file"),
        (lambda: Story().begins(), "standby_not_up", "green has not been judged yet"),
    ],
)  # fmt: skip
def test_a_gate_says_why_it_is_closed(story: Callable[[], Story], gate: str, evidence: str) -> None:
    found = story().gates()[gate]
    assert (found.closed, found.evidence) == (True, evidence)
