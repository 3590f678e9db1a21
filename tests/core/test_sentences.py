"""What the gates say: each sentence whole, where a word may be left out."""

from collections.abc import Callable

import pytest

from healthguard.core.evidence import WORDS
from healthguard.core.model import Answer, Expect, NginxFact
from healthguard.probes import DOUBTS, REASONS
from tests.support.pool import REFUSED

from .story import FAIL, Story, policy


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
        (lambda: blind(""), "self_unhealthy", f"{BLIND} out of file descriptors"),
        (lambda: blind("0 left"), "self_unhealthy", f"{BLIND} out of file descriptors (0 left)"),
        (lambda: steady().live(3_000, green=FAIL), "standby_not_up",
         "green is down: connection refused"),
        (lambda: standby(Answer(1, 503)), "standby_not_up",
         "green is down: HTTP 503, expected 200-299"),
        (lambda: steady().look(nginx=NginxFact("down")), "nginx_down", "nginx is not running"),
        (lambda: steady().look(nginx=NginxFact("down", "no pid file")), "nginx_down",
         "no pid file"),
        (lambda: steady().after(20_000).woke(), "nginx_down", "nginx was last checked 20s ago"),
        (lambda: steady().answer("green", REFUSED).after(500).passes("green", 1), "standby_not_up",
         "green has passed only 1 of the 2 checks in a row that it needs"),
        (lambda: steady().after(5_000).woke(), "standby_not_up",
         "green is up, but its last passed check is too old"),
        (lambda: Story().begins(), "standby_not_up", "green has no verdict yet"),
    ],
)  # fmt: skip
def test_a_gate_says_why_it_is_closed(story: Callable[[], Story], gate: str, evidence: str) -> None:
    found = story().gates()[gate]
    assert (found.closed, found.evidence) == (True, evidence)


def test_the_probe_that_lags_is_the_one_that_counts() -> None:
    """Two of four may fail as they like where two are enough."""
    probes = {"green": {name: Expect() for name in ("a", "b", "c", "d")}}
    story = Story(policy(probes=probes, require={"green": 2})).begins()
    for probe in ("a", "a", "b", "b"):
        story.after(100).answer("green", Answer(1, 200), probe)
    story.answer("green", REFUSED, "b").answer("green", Answer(1, 200), "b")
    story.answer("green", REFUSED, "c").answer("green", REFUSED, "d")
    assert story.gates("green")["standby_not_up"].evidence == (
        "green has passed only 1 of the 2 checks in a row that it needs"
    )


def test_every_reason_of_a_probe_has_words() -> None:
    """But for a wrong status, which is said by its number."""
    assert WORDS.keys() == (REASONS.keys() | DOUBTS.keys()) - {"status"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(1, failure="refused"), "connection refused"),
        (Answer(1, failure="exit", detail="exit status 3"), "the command failed (exit status 3)"),
        (Answer(1, 200, verdicts=(("json", False),), detail="10.0.0.1:80 answered 200"),
         "the JSON is not as expected (10.0.0.1:80 answered 200)"),
        (Answer(1, 503), "HTTP 503, expected 200-299"),
        (Answer(1, failure="of another version"), "of another version"),
    ],
)  # fmt: skip
def test_what_failed_is_said_in_words(answer: Answer, words: str) -> None:
    assert standby(answer).gates()["standby_not_up"].evidence == f"green is down: {words}"
