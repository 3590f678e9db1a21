"""Every incident of the corpus, through the real core, with several phases of the timers."""

import pytest

from tests.stories import report
from tests.stories.transcript import CORPUS, Story, StoryError, every_story, parse
from tests.stories.verdict import Actual, expected_switches, judge, timeline

STORIES = every_story()
SEEDS = range(4)


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_right_answer(story: Story) -> None:
    for seed in SEEDS:
        run, wrong = judge(story, seed)
        if wrong:
            told = "\n  ".join(wrong)
            pytest.fail(
                f"{story.title} ({story.name}, seed {seed})\n  {told}\n\n{timeline(run)}\n\n"
                f"{story.because}",
                pytrace=False,
            )


def test_the_corpus_is_large_enough() -> None:
    assert len(list(CORPUS.glob("*.story"))) == len(STORIES) >= 40


def told(right: str, timeline: str = "20s..  blue: refused\n  2m  end") -> Story:
    text = f"A story\n\nTimeline\n  {timeline}\n\nRight answer\n  {right}\n\nBecause so."
    return parse("told", text)


@pytest.mark.parametrize(
    ("right", "complaint"),
    [
        ("no switch", "is not in the right answer"),
        ("switch blue->green, automatic, between 30s and 40s", "did not happen"),
        ("switch blue->green, manual, between 23s and 26s", "did not happen"),
        ("no hold\n  hold paused between 0s and 2m", "hold_entered came at: no time"),
        ("blue is up at 60s", "it is down"),
        ("active is blue at 60s", "it is green"),
        ("ready at 60s", "closed: "),
        ("not ready at 10s: paused", "the first closed gate is none"),
        ("gate paused is closed at 10s", "it is open"),
        ("no event health_changed upstream=blue to=down", "did happen"),
        ("event bake_started upstream=green", "did not happen"),
        ("order 1 is done", "was not answered"),
        ("proposal blue->green between 0s and 2m", "did not happen"),
    ],
)
def test_a_wrong_answer_is_noticed(right: str, complaint: str) -> None:
    _, wrong = judge(told(right), 0)
    assert any(complaint in each for each in wrong), wrong


@pytest.mark.parametrize(
    "timeline",
    [
        "20s..  blue: drunk\n  2m  end",
        "20s..  teal: refused\n  2m  end",
        "20s  alice: switch green becuase\n  2m  end",
        "20s  the moon is full\n  2m  end",
        "20s..  the moon is full\n  2m  end",
        "soon  blue: refused\n  2m  end",
        "20s..  blue: refused",
    ],
)
def test_a_line_that_says_nothing_known_is_an_error(timeline: str) -> None:
    with pytest.raises(StoryError):
        judge(told("no switch", timeline), 0)


@pytest.mark.timeout(300)
def test_the_table_in_the_docs_is_current() -> None:
    old = report.DOCUMENT.read_text()
    assert old == report.document(old, STORIES), "run `make stories`"


def test_scores_of_a_rule() -> None:
    story = told("switch blue->green, automatic, between 23s and 26s, right from 20s")
    want = expected_switches(story)

    def at(seconds: int, to: str = "green") -> Actual:
        origin = "blue" if to == "green" else "green"
        return Actual("app", seconds * 1_000, origin, to, "automatic", "completed")

    assert str(report.score(want, [])) == "1 missed"
    assert str(report.score(want, [at(50)])) == "30.0 s"
    assert str(report.score(want, [at(10)])) == "1 false"
    assert str(report.score(want, [at(24), at(30, "blue")])) == "1 false, 4.0 s"
