"""What a look at workers and marker answers proves, as tables: no nginx, no clock."""

import pytest

from healthguard.nginx.confirm import GONE, NOTHING_NEW, PROVEN, REFUTED, SETTLE, Watch
from healthguard.nginx.marker import Said
from healthguard.nginx.master import Worker

OLD1, OLD2 = Worker(1, 10), Worker(2, 10)
NEW1, NEW2 = Worker(11, 50), Worker(12, 50)
AGAIN = Worker(21, 60)


def quitting(worker: Worker) -> Worker:
    return Worker(worker.pid, worker.start, exiting=True)


def watch(*before: Worker, marked: bool = False, timeout: float = 5.0) -> Watch:
    return Watch("green", before, timeout, marked)


def play(seen: Watch, *looks: tuple[float, tuple[Worker, ...]]) -> str | None:
    verdict = None
    for now, workers in looks:
        seen.look(now, workers)
        found = seen.verdict(now)
        verdict = found[0] if found else None
    return verdict


def test_reload_is_proven_by_more_workers_and_the_old_retired() -> None:
    seen = watch(OLD1, OLD2)
    assert play(seen, (0.0, (OLD1, OLD2)), (0.01, (OLD1, OLD2, NEW1, NEW2))) is None
    assert play(seen, (0.11, (NEW1, NEW2))) is None, "new workers must live a while"
    assert play(seen, (0.01 + SETTLE, (NEW1, NEW2))) == PROVEN


def test_old_workers_that_finish_their_requests_do_not_stand_in_the_way() -> None:
    seen = watch(OLD1)
    looks = ((0.01, (OLD1, NEW1)), (0.11, (quitting(OLD1), NEW1)), (0.4, (quitting(OLD1), NEW1)))
    assert play(seen, *looks) == PROVEN


@pytest.mark.parametrize("crashed", [(OLD1,), (OLD1, OLD2)])
def test_respawned_workers_prove_nothing(crashed: tuple[Worker, ...]) -> None:
    seen = watch(OLD1, OLD2)
    rest = tuple(each for each in (OLD1, OLD2) if each not in crashed)
    fresh = (AGAIN,) if rest else (AGAIN, NEW1)
    looks = [(0.0, (OLD1, OLD2)), (0.05, rest + fresh), (1.0, rest + fresh), (5.0, rest + fresh)]
    assert play(seen, *looks[:-1]) is None
    assert play(seen, looks[-1]) not in (None, PROVEN)


def test_single_worker_that_was_started_again_proves_nothing() -> None:
    assert play(watch(OLD1), (0.0, (OLD1,)), (0.1, (AGAIN,)), (0.5, (AGAIN,))) is None


def test_nobody_left_is_refuted_at_once() -> None:
    seen = watch(OLD1)
    assert play(seen, (0.0, (OLD1,)), (0.1, (quitting(OLD1),))) is None
    assert play(seen, (0.1 + GONE, (quitting(OLD1),))) == REFUTED


def test_none_at_the_start_gives_the_reload_its_time() -> None:
    seen = watch()
    assert play(seen, (0.0, ()), (1.0, ())) is None
    assert play(seen, (1.1, (NEW1,)), (1.1 + SETTLE, (NEW1,))) == PROVEN


def test_nothing_new_is_refuted_after_nginx_has_given_up() -> None:
    seen = watch(OLD1)
    assert play(seen, (0.0, (OLD1,)), (NOTHING_NEW - 0.1, (OLD1,))) is None
    assert play(seen, (NOTHING_NEW, (OLD1,))) == REFUTED
    assert play(watch(OLD1, timeout=1.0), (0.0, (OLD1,)), (1.0, (OLD1,))) == REFUTED


def test_those_who_used_it_before_prove_an_undo_that_nginx_refuses() -> None:
    seen = Watch("blue", (OLD1,), 5.0, marked=False, standing=frozenset({OLD1.key}))
    assert play(seen, (0.0, (OLD1,)), (NOTHING_NEW, (OLD1,))) == PROVEN
    respawned = Watch("blue", (OLD1,), 5.0, marked=False, standing=frozenset({OLD2.key}))
    assert play(respawned, (0.0, (OLD1,)), (NOTHING_NEW, (OLD1,))) == REFUTED


def test_marker_needs_a_run_and_the_old_workers_retired() -> None:
    seen = watch(OLD1, marked=True)
    seen.look(0.01, (OLD1, NEW1))
    for moment in range(6):
        seen.answer(0.02 + moment / 100, Said("green"))
    assert seen.verdict(0.08) is None, "the old worker still answers others"
    seen.look(0.11, (NEW1,))
    assert seen.verdict(0.11) is None, "no answer yet that only new workers could give"
    seen.answer(0.12, Said("green"))
    found = seen.verdict(0.13)
    assert found is not None
    assert found[0] == PROVEN


def test_one_old_answer_ends_a_run() -> None:
    seen = watch(OLD1, marked=True)
    seen.look(0.01, (OLD1, NEW1))
    seen.look(0.11, (NEW1,))
    for name in ("green", "green", "green", "green", "blue", "green", "green"):
        seen.answer(0.2, Said(name))
    assert seen.verdict(0.3) is None


@pytest.mark.parametrize(("standing", "verdict"), [((OLD1,), PROVEN), ((), "unclear")])
def test_a_silent_marker_hinders_a_switch_but_not_its_undo(
    standing: tuple[Worker, ...], verdict: str
) -> None:
    keys = frozenset(each.key for each in standing)
    seen = Watch("blue", (OLD2,), 5.0, marked=True, standing=keys)
    seen.look(0.01, (OLD2, NEW1))
    seen.look(0.11, (NEW1,))
    found = seen.verdict(5.0)
    assert found is not None
    assert found[0] == verdict


@pytest.mark.parametrize(("standing", "verdict"), [((OLD1,), PROVEN), ((), "unclear")])
def test_a_marker_that_names_no_upstream_says_as_little_as_a_silent_one(
    standing: tuple[Worker, ...], verdict: str
) -> None:
    """A typing error in its map: only answers that name another upstream are old ones."""
    keys, known = frozenset(each.key for each in standing), frozenset({"blue", "green"})
    seen = Watch("blue", (OLD2,), 5.0, marked=True, known=known, standing=keys)
    seen.look(0.01, (OLD2, NEW1))
    seen.look(0.11, (NEW1,))
    for _ in range(20):
        seen.answer(0.2, Said("bleu"))
    found = seen.verdict(5.0)
    assert found is not None
    assert found[0] == verdict
    assert "'bleu', which is not an upstream of this pool" in found[1]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (["blue"] * 20, REFUTED),
        (["blue", "green"] * 20, "unclear"),
        ([None] * 20, "unclear"),
        ([], "unclear"),
    ],
)
def test_marker_at_the_deadline(answers: list[str | None], verdict: str) -> None:
    seen = watch(OLD1, marked=True)
    seen.look(0.01, (OLD1, NEW1))
    seen.look(0.11, (NEW1,))
    for name in answers:
        seen.answer(0.2, Said(name, "" if name else "silent"))
    found = seen.verdict(5.0)
    assert found is not None
    assert found[0] == verdict
