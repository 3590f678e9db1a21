"""A switch on a real nginx: it works, it is refused, it is undone."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.nginx import lock
from tests.nginx.conftest import Guard, MakeBox, needs_root
from tests.support.eventually import eventually, eventually_async
from tests.support.nginx import NginxSandbox, occupied
from tests.support.ports import free_port


async def test_traffic_follows_a_proven_switch(either: Guard) -> None:
    fact = await either.prepare()
    assert (fact.gate, fact.message) == ("", "")
    done = await either.commit(fact)
    assert (done.outcome, done.confirm, done.durable) == ("completed", "proven", True), done
    assert {"swap", "reload", "confirm", "total"} <= set(done.timings_ms)
    assert either.box.linked() == "green"
    assert {either.box.get() for _ in range(20)} == {"green"}
    sight = await either.observer.look("app")
    assert (sight.link.identity, sight.nginx.master) == (done.link, done.master)


async def test_stamp_is_the_same_for_observer_and_test_and_survives_a_switch(guard: Guard) -> None:
    fact = await guard.prepare()
    assert fact.stamp == await guard.observer.stamp() != ""
    await guard.commit(fact)
    assert await guard.observer.stamp() == fact.stamp
    guard.box.file("blue").write_text(guard.box.file("blue").read_text() + "# changed\n")

    async def changed() -> bool:
        return await guard.observer.stamp() != fact.stamp

    assert await eventually_async(changed)


async def test_switch_works_by_a_copied_configuration_too(box_guard_copy: Guard) -> None:
    guard = box_guard_copy
    done = await guard.switch()
    assert done.outcome == "completed"
    assert guard.box.get() == "green"
    assert [path for path in guard.box.root.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def box_guard_copy(make_box: MakeBox) -> Guard:
    return Guard(make_box(), options={"allow_namespace": False})


async def test_to_what_is_linked_already_only_reloads_and_confirms(either: Guard) -> None:
    either.box.point("green")  # somebody moved the link and forgot to reload
    assert either.box.get() == "blue"
    done = await either.switch("green", "green")
    assert (done.outcome, done.confirm) == ("completed", "proven")
    assert {either.box.get() for _ in range(20)} == {"green"}


# --------------------------------------------------------------- undone


async def test_silent_bind_refusal_is_refuted_and_undone(either: Guard) -> None:
    """-t and the signal both succeed, but the master cannot get a port and keeps all as it was."""
    port = free_port()
    green = either.box.file("green")
    green.write_text(green.read_text() + f"server {{ listen 127.0.0.1:{port}; }}\n")
    with occupied(port):
        done = await either.switch()
    assert (done.outcome, done.confirm) == ("undone", "refuted"), done
    assert either.box.linked() == "blue"
    assert "still could not bind" in either.box.error_log()
    # The bomb is defused: a later reload by anybody does not carry the switch out.
    either.box.reload()
    eventually(lambda: not either.box.worker_pids(exiting=True))
    assert {either.box.get() for _ in range(10)} == {"blue"}


@pytest.mark.parametrize("workers", [1, 2])
async def test_changed_zone_key_is_refused_by_the_master_and_undone(
    make_box: MakeBox, workers: int
) -> None:
    box = make_box(workers=workers, start=False)
    with_zone_keys(box)
    box.start()
    done = await Guard(box).switch()
    assert (done.outcome, done.confirm) == ("undone", "refuted"), done
    assert box.linked() == "blue"
    assert box.get() == "blue"
    assert 'limit_req "z" uses' in box.error_log()


def with_zone_keys(box: NginxSandbox) -> None:
    """Green changes the key of a zone that blue has: nginx's master refuses that, silently."""
    for colour, key in (("blue", "$binary_remote_addr"), ("green", "$server_name")):
        text = box.file(colour).read_text()
        box.file(colour).write_text(f"limit_req_zone {key} zone=z:1m rate=9r/s;\n{text}")


@pytest.mark.parametrize("undo_unclear", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
async def test_respawned_old_workers_during_a_silent_refusal_prove_nothing(
    make_box: MakeBox, workers: int, undo_unclear: bool
) -> None:
    """A crashed worker is started again from the OLD configuration: a new pid, no new colour."""
    box = make_box(workers=workers, start=False)
    with_zone_keys(box)
    box.start()
    eventually(lambda: len(box.worker_pids()) == workers)
    guard = Guard(box, settings={"confirm_timeout_ms": 4_000})
    fact = await guard.prepare()
    commit = asyncio.create_task(guard.commit(fact, undo_unclear=undo_unclear))
    await eventually_async(lambda: 'limit_req "z" uses' in box.error_log())
    for victim in box.worker_pids():  # one after the other, so that never all are gone
        os.kill(victim, 9)
        await eventually_async(
            lambda victim=victim: victim not in (now := box.worker_pids()) and len(now) == workers
        )
    assert box.get() == "blue"
    done = await commit
    assert done.confirm in ("unclear", "refuted"), done
    assert done.outcome in (("undone",) if undo_unclear else ("unclear", "undone")), done
    assert box.linked() == ("blue" if done.outcome == "undone" else "green")


async def test_workers_killed_while_the_master_tries_for_a_port(make_box: MakeBox) -> None:
    box = make_box()
    port = free_port()
    green = box.file("green")
    green.write_text(green.read_text() + f"server {{ listen 127.0.0.1:{port}; }}\n")
    guard = Guard(box)
    fact = await guard.prepare()
    with occupied(port):
        commit = asyncio.create_task(guard.commit(fact))
        await eventually_async(lambda: "bind() to" in box.error_log() or commit.done())
        for pid in box.worker_pids():
            os.kill(pid, 9)
        # The master is busy with its five tries and starts workers again only afterwards.
        done = await commit
    assert done.confirm == "refuted", done
    assert box.linked() == "blue"
    assert await eventually_async(lambda: box.get() == "blue")


async def test_workers_that_die_at_start_are_noticed_at_once_and_undone(make_box: MakeBox) -> None:
    """worker_rlimit_nofile 4: -t passes, old workers are told to quit, new ones die."""
    box = make_box(start=False)
    for colour, limit in (("blue", 1024), ("green", 4)):
        box.file(colour).write_text(f"worker_rlimit_nofile {limit};\n")
    text = box.config.read_text().replace("    include upstreams/*_active.conf;\n", "")
    box.config.write_text("include upstreams/app_active.conf;\n" + text)
    box.file("blue", "app").chmod(0o644)
    (box.root / "sites" / "app.conf").write_text(
        f"server {{ listen 127.0.0.1:{box.ports['app']}; return 200 alive; }}\n"
    )
    box.start()
    assert box.get() == "alive"
    done = await Guard(box).switch()
    assert (done.outcome, done.confirm) == ("undone", "refuted"), done
    assert "no nginx worker" in done.message
    assert done.timings_ms["confirm"] < 60_000
    assert box.linked() == "blue"
    assert box.get() == "alive"
    assert "cannot be respawned" in box.error_log()


async def test_undo_that_fails_too_is_lost(make_box: MakeBox) -> None:
    box = make_box()
    guard = Guard(box)
    box.main_extra = "worker_rlimit_nofile 4;"  # passes -t, kills workers whatever the colour
    box.write_main()
    done = await guard.switch()
    assert done.outcome == "lost", done
    assert box.linked() == "blue"


async def test_reload_command_that_fails_is_undone_with_its_words(make_box: MakeBox) -> None:
    command = ("sh", "-c", "echo no such service >&2; exit 5")
    guard = Guard(make_box(), settings={"reload": command})
    done = await guard.switch()
    assert (done.outcome, done.confirm) == ("undone", "refuted"), done
    assert "exit code 5: no such service" in done.message
    assert guard.box.linked() == "blue"


async def test_reload_command_of_ones_own_works(make_box: MakeBox) -> None:
    box = make_box()
    guard = Guard(
        box, settings={"reload": ("/usr/sbin/nginx", "-c", str(box.config), "-s", "reload")}
    )
    assert (await guard.switch()).outcome == "completed"


async def test_marker_that_never_answers_is_unclear_and_left_or_undone_as_ordered(
    make_box: MakeBox,
) -> None:
    box = make_box()
    box.marker_ports["app"] = free_port()  # nobody there
    guard = Guard(box, marked=True, settings={"confirm_timeout_ms": 1_000})
    done = await guard.switch()
    assert (done.outcome, done.confirm) == ("unclear", "unclear"), done
    assert box.linked() == "green"
    done = await guard.switch("green", "blue", undo_unclear=True)
    assert done.confirm == "unclear"
    assert done.outcome == "undone"  # back on what was used before, and a reload was seen
    assert box.linked() == "green"


async def test_colour_files_with_other_names_change_nothing_and_are_refuted(
    make_box: MakeBox,
) -> None:
    """The marker says what traffic does: still blue, whatever the link says."""
    box = make_box(start=False)
    text = box.file("green").read_text()
    box.file("green").write_text(text.replace("default green", "default blue"))
    box.start()
    guard = Guard(box, marked=True, settings={"confirm_timeout_ms": 1_000})
    done = await guard.switch()
    assert (done.outcome, done.confirm) == ("undone", "refuted"), done
    assert box.linked() == "blue"


# --------------------------------------------------------------- refused


async def test_disable_file_refuses_unless_forced(guard: Guard) -> None:
    guard.disable.write_text("moving house\n")
    fact = await guard.prepare()
    done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "disabled")
    assert "moving house" in done.message
    assert guard.box.linked() == "blue"
    done = await guard.switch(force=True)
    assert done.outcome == "completed"


async def test_third_hand_between_prepare_and_commit_is_refused(guard: Guard) -> None:
    fact = await guard.prepare()
    guard.box.point("green")
    done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "active_unknown"), done
    assert guard.box.linked() == "green"


async def test_regular_file_in_place_of_the_link_is_left_alone(guard: Guard) -> None:
    fact = await guard.prepare()
    link = guard.box.link()
    text = guard.box.file("blue").read_text()
    link.unlink()
    link.write_text(text)
    done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "link_unmanaged")
    assert "regular file" in done.message
    assert link.read_text() == text
    assert (await guard.prepare()).gate == "link_unmanaged"


async def test_changed_file_is_tested_again_before_the_link_moves(guard: Guard) -> None:
    fact = await guard.prepare()
    green = guard.box.file("green")
    good = green.read_text()
    green.write_text(good + "no_such_directive;\n")
    done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "config_invalid"), done
    assert "no_such_directive" in done.message
    assert guard.box.linked() == "blue"
    green.write_text(good)
    fact = await guard.prepare()
    green.write_text(good + "# a harmless comment\n")
    done = await guard.commit(fact)
    assert done.outcome == "completed"
    assert "prepare" in done.timings_ms


async def test_ticket_is_good_once_and_for_its_own_switch(guard: Guard) -> None:
    fact = await guard.prepare("green")
    wrong = await guard.commit(fact, "green", "blue")
    assert (wrong.outcome, wrong.gate) == ("refused", "config_invalid")
    again = await guard.commit(fact)
    assert (again.outcome, again.gate) == ("refused", "config_invalid")
    assert guard.box.linked() == "blue"


async def test_broken_neighbour_closes_the_gate_with_its_name(guard: Guard) -> None:
    (guard.box.root / "sites" / "neighbour.conf").write_text("server { listen nonsense:x; }\n")
    fact = await guard.prepare()
    assert fact.gate == "config_invalid"
    assert "neighbour.conf" in fact.message
    assert "the current nginx configuration is refused" in fact.message


async def test_unknown_upstream_is_refused(guard: Guard) -> None:
    assert (await guard.prepare("../../evil")).gate == "config_invalid"


# --------------------------------------------------------------- one at a time


async def test_switches_of_two_pools_take_turns_and_none_is_forgotten(make_box: MakeBox) -> None:
    box = make_box(pools=("one", "two", "three"))
    guard = Guard(box)
    done = await asyncio.gather(*(guard.switch(pool=name) for name in box.ports))
    assert [each.outcome for each in done] == ["completed"] * 3, done
    assert {box.get(name) for name in box.ports} == {"green"}


async def test_two_processes_are_serialised_by_the_lock(guard: Guard) -> None:
    """Two switchers, as daemon and standalone command are: one wins, the other is told."""
    other = guard.another()
    first, second = await guard.prepare(), await other.prepare("app", "green")
    done = await asyncio.gather(
        guard.commit(first), other.commit(guard.order(second, "blue", "green"))
    )
    assert sorted(each.outcome for each in done) == ["completed", "refused"], done
    assert {each.gate for each in done} == {"", "active_unknown"}
    assert guard.box.get() == "green"


async def test_deleted_lock_file_stops_the_switch(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = guard.switcher._intents.write

    def delete_lock_then_write(intent: object) -> bool:
        lock.lock_path(guard.config.config, lock.ACT, guard.locks).unlink(missing_ok=True)
        return write(intent)  # type: ignore[arg-type]

    monkeypatch.setattr(guard.switcher._intents, "write", delete_lock_then_write)
    done = await guard.switch()
    assert (done.outcome, done.gate) == ("refused", "switcher_unavailable"), done
    assert guard.box.linked() == "blue"


async def test_cancelled_caller_does_not_stop_a_switch(guard: Guard) -> None:
    fact = await guard.prepare()
    caller = asyncio.create_task(guard.commit(fact))
    await eventually_async(lambda: guard.box.linked() == "green", step=0.001)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    await guard.switcher.drain()
    assert guard.box.get() == "green"
    recovered = await guard.another().reconcile()
    assert [each.done.outcome for each in recovered] == ["completed"]


# --------------------------------------------------------------- bad disks


async def test_state_folder_that_is_a_file_costs_durability_not_the_switch(
    make_box: MakeBox, tmp_path: Path
) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("in the way")
    guard = Guard(make_box(), state_dir=blocked)
    done = await guard.switch()
    assert (done.outcome, done.durable) == ("completed", False)
    assert guard.box.get() == "green"
    recovered = await guard.another().reconcile()  # found beside the locks
    assert [(each.switch_id, each.done.outcome) for each in recovered] == [("s1", "completed")]


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write into ``folder`` meanwhile."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@needs_root
async def test_link_folder_that_cannot_be_written_is_a_clear_refusal(make_box: MakeBox) -> None:
    guard = Guard(make_box())
    fact = await guard.prepare()
    folder = guard.box.links_dir
    with read_only(folder):
        done = await guard.commit(fact)
    assert (done.outcome, done.gate) == ("refused", "switcher_unavailable"), done
    assert "Read-only" in done.message
