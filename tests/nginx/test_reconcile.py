"""After a crash at any point: the link and the workers agree, and the end is known."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from healthguard.core.model import Done
from healthguard.nginx import link, proc
from healthguard.nginx.intent import Intent, Intents
from healthguard.nginx.master import MasterFinder
from healthguard.nginx.ports import Recovered
from tests.nginx.conftest import Guard
from tests.support.eventually import eventually, eventually_async


def leave_intent(guard: Guard) -> link.Fresh:
    """The state of things just before the link is exchanged."""
    fresh = link.make_fresh(guard.pools["app"], "green")
    assert isinstance(fresh, link.Fresh)
    _, master = MasterFinder(guard.config).find()
    assert master is not None
    workers = tuple(each.key for each in master.active())
    intent = Intent(
        "s7",
        "app",
        "blue",
        "green",
        str(guard.box.link()),
        fresh.inode,
        1,  # long ago: no reload can be under way
        proc.boot_id(),
        master.identity,
        workers,
    )
    assert Intents(guard.state, guard.locks).write(intent)
    return fresh


def crash_after_swap(guard: Guard) -> None:
    fresh = leave_intent(guard)
    assert link.exchange(guard.pools["app"], fresh, "blue") is None


async def only(guard: Guard) -> Recovered:
    found = await guard.another().reconcile()
    assert len(found) == 1, found
    assert found[0].done.recovered
    assert (found[0].switch_id, found[0].pool, found[0].to) == ("s7", "app", "green")
    return found[0]


async def test_nothing_to_do_is_nothing_told(guard: Guard) -> None:
    assert await guard.switcher.reconcile() == ()


async def test_crash_before_the_swap_is_undone_and_cleaned(either: Guard) -> None:
    leave_intent(either)
    done = (await only(either)).done
    assert done.outcome == "undone", done
    assert either.box.linked() == "blue"
    assert len(list(either.box.links_dir.iterdir())) == 3, "the temporary link is gone"


async def test_crash_between_swap_and_reload_is_put_back(either: Guard) -> None:
    crash_after_swap(either)
    assert either.box.linked() == "green"
    done = (await only(either)).done
    assert done.outcome == "undone", done
    assert either.box.linked() == "blue"
    assert {either.box.get() for _ in range(10)} == {"blue"}


async def test_crash_after_the_reload_is_completed(either: Guard) -> None:
    crash_after_swap(either)
    old = set(either.box.worker_pids())
    either.box.reload()
    await eventually_async(lambda: (now := set(either.box.worker_pids())) and not now & old)
    done = (await only(either)).done
    assert (done.outcome, done.confirm) == ("completed", "proven"), done
    assert either.box.linked() == "green"
    assert {either.box.get() for _ in range(10)} == {"green"}


async def test_worker_that_crashed_meanwhile_is_not_taken_for_a_reload(guard: Guard) -> None:
    """All workers are newer than the switch, but from the old configuration: made sure of."""
    crash_after_swap(guard)
    for pid in guard.box.worker_pids():
        os.kill(pid, signal.SIGKILL)
    await eventually_async(lambda: len(guard.box.worker_pids()) == 2)
    assert guard.box.get() == "blue"
    done = (await only(guard)).done
    assert done.outcome == "completed"
    assert {guard.box.get() for _ in range(10)} == {"green"}, "and it is really so"


async def test_link_of_a_third_hand_is_left_and_reported(guard: Guard) -> None:
    crash_after_swap(guard)
    guard.box.point("green")  # the same name, but another link
    done = (await only(guard)).done
    assert done.outcome == "unclear"
    assert "changed by something else" in done.message
    assert guard.box.linked() == "green"


async def test_nginx_that_does_not_run_gets_the_old_link_back(guard: Guard) -> None:
    crash_after_swap(guard)
    assert guard.box.master is not None
    os.kill(guard.box.master, signal.SIGTERM)
    eventually(lambda: not guard.box.pid_file.exists())
    done = (await only(guard)).done
    assert done.outcome == "undone"
    assert "not running" in done.message
    assert guard.box.linked() == "blue"


async def test_nginx_started_after_the_move_uses_it(guard: Guard) -> None:
    crash_after_swap(guard)
    assert guard.box.master is not None
    os.kill(guard.box.master, signal.SIGQUIT)
    eventually(lambda: not guard.box.pid_file.exists())
    guard.box.start()
    done = (await only(guard)).done
    assert (done.outcome, done.confirm) == ("completed", "proven")
    assert guard.box.get() == "green"


async def test_end_is_told_again_but_acted_on_once(guard: Guard) -> None:
    crash_after_swap(guard)
    first = await only(guard)
    workers = guard.box.worker_pids()
    again = await only(guard)
    assert again == first
    assert guard.box.worker_pids() == workers, "no further reload"


async def test_removed_pool_and_strange_files_do_not_disturb(guard: Guard) -> None:
    guard.state.mkdir()
    (guard.state / "intent-app.json").write_text("{broken")
    (guard.state / "intent-gone.json").write_text("{}")
    assert await guard.switcher.reconcile() == ()
    assert (await guard.switch()).outcome == "completed"


@pytest.mark.parametrize("done", [None, Done("undone", message="x", timings_ms={"total": 3})])
def test_intent_survives_being_written(tmp_path: Path, done: Done | None) -> None:
    intent = Intent("a", "p", "blue", "green", "/l", 5, 6, "boot", "1:2", ((1, 2), (3, 4)), done)
    intents = Intents(tmp_path / "state", tmp_path / "bad days")
    assert intents.write(intent)
    assert intents.read("p") == intent


def test_later_record_wins_wherever_it_is(tmp_path: Path) -> None:
    intent = Intent("a", "p", "blue", "green", "/l", 5, 6, "boot", "1:2", ())
    good, bad = tmp_path / "state", tmp_path / "blocked"
    bad.write_text("")
    assert Intents(good, tmp_path / "run").write(intent)
    newer = replace(intent, switch_id="b", at_wall_ms=9)
    assert not Intents(bad, tmp_path / "run").write(newer)
    assert Intents(good, tmp_path / "run").read("p") == newer
    closed = replace(newer, done=Done("completed"))
    assert Intents(good, tmp_path / "run").write(closed)
    assert Intents(good, tmp_path / "run").read("p") == closed
