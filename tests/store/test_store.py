"""The store: what is written comes back, and what cannot be is told, in time."""

import asyncio
import errno
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from healthguard.machine.files import write_atomic
from healthguard.machine.store import Saved, Store, default_fallback
from tests.support.eventually import eventually_async


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "state", tmp_path / "run"


async def test_a_saved_document_comes_back_in_another_store(tmp_path: Path) -> None:
    state, spare = folders(tmp_path)
    document = {"text": "caf\u00e9 \ud800", "list": [1, None, {"deep": True}]}
    assert await Store(state, spare).save("threader", document) == Saved(True)
    assert Store(state, spare).load("threader").document == document
    assert not spare.exists()


async def test_pools_do_not_mix_whatever_their_names(tmp_path: Path) -> None:
    store = Store(tmp_path)
    pools = ["a", "a/b", "..", ".", "a.json", "A", "ü"]
    for name in pools:
        assert (await store.save(name, {"name": name})).durable
    assert [store.load(name).document for name in pools] == [{"name": name} for name in pools]
    assert all("/" not in name for name in names(tmp_path))


def test_nothing_saved_is_no_problem(tmp_path: Path) -> None:
    loaded = Store(tmp_path / "none", tmp_path / "neither").load("threader")
    assert (loaded.document, loaded.problem) == (None, "")


@pytest.mark.parametrize("umask", [0o000, 0o077])
async def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        await Store(tmp_path / "state").save("threader", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "state/threader.json").stat().st_mode) == 0o640


async def test_a_left_over_of_somebody_else_is_not_written_into(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    state = tmp_path / "state"
    state.mkdir()
    (state / ".threader.json.tmp").symlink_to(victim)
    assert (await Store(state).save("threader", {"n": 1})).durable
    assert victim.read_text() == "mine"
    assert names(state) == ["threader.json"]


async def test_a_state_folder_that_is_a_file_falls_back_and_says_so(tmp_path: Path) -> None:
    state, spare = folders(tmp_path)
    state.write_text("")
    saved = await Store(state, spare).save("threader", {"n": 1})
    assert not saved.durable
    assert str(spare / "threader.json") in saved.problem
    assert "until the next reboot" in saved.problem
    loaded = Store(state, spare).load("threader")
    assert loaded.document == {"n": 1}
    assert "is not a folder" in loaded.problem


async def test_without_any_place_it_is_kept_in_memory_and_says_so(tmp_path: Path) -> None:
    state, spare = folders(tmp_path)
    state.write_text("")
    spare.write_text("")
    for store in (Store(state), Store(state, spare)):
        saved = await store.save("threader", {"n": 1})
        assert not saved.durable
        assert saved.problem.endswith("kept in memory only")


async def test_the_newer_of_both_places_wins(tmp_path: Path) -> None:
    state, spare = folders(tmp_path)
    store = Store(state, spare)
    await store.save("threader", {"n": 1})
    state.rename(tmp_path / "aside")
    state.write_text("")
    await store.save("threader", {"n": 2})
    state.unlink()
    (tmp_path / "aside").rename(state)
    again = Store(state, spare)
    assert again.load("threader").document == {"n": 2}
    # And once the state folder works again, it is ahead and the other copy is gone.
    assert (await again.save("threader", {"n": 3})).durable
    assert Store(state, spare).load("threader").document == {"n": 3}
    assert names(spare) == []


async def test_a_store_that_saves_before_it_loads_still_counts_on(tmp_path: Path) -> None:
    for number in range(3):
        await Store(tmp_path).save("threader", {"n": number})
    assert json.loads((tmp_path / "threader.json").read_text())["counter"] == 3


BROKEN = {
    "empty": b"",
    "binary": os.urandom(300),
    "cut": b'{"version":1,"pool":"threader","counter":4,"docum',
    "list": b"[]",
    "future": b'{"version":2,"pool":"threader","counter":4,"document":{}}',
    "other pool": b'{"version":1,"pool":"other","counter":4,"document":{}}',
    "no document": b'{"version":1,"pool":"threader","counter":4,"document":7}',
    "counter": b'{"version":1,"pool":"threader","counter":true,"document":{}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_what_cannot_be_used_is_moved_aside(tmp_path: Path, kind: str) -> None:
    (tmp_path / "threader.json").write_bytes(BROKEN[kind])
    store = Store(tmp_path)
    loaded = store.load("threader")
    assert loaded.document is None
    assert "cannot be used" in loaded.problem
    [aside] = names(tmp_path)
    assert aside.startswith("threader.json.corrupt-")
    assert aside in loaded.problem
    assert (tmp_path / aside).read_bytes() == BROKEN[kind]
    assert (await store.save("threader", {"n": 1})).durable
    assert store.load("threader").document == {"n": 1}


def test_two_broken_files_in_one_second_are_both_kept(tmp_path: Path) -> None:
    for content in ("one", "two", "three"):
        (tmp_path / "threader.json").write_text(content)
        assert Store(tmp_path).load("threader").document is None
    assert sorted(p.read_text() for p in tmp_path.iterdir()) == ["one", "three", "two"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
async def test_what_is_not_a_file_is_moved_aside_without_waiting(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "threader.json")
    store = Store(tmp_path)
    assert "not a regular file" in store.load("threader").problem
    assert (await store.save("threader", {"n": 1})).durable


async def test_a_broken_file_does_not_hide_the_good_one(tmp_path: Path) -> None:
    state, spare = folders(tmp_path)
    await Store(spare).save("threader", {"n": 1})
    state.mkdir()
    (state / "threader.json").write_text("")
    loaded = Store(state, spare).load("threader")
    assert loaded.document == {"n": 1}
    assert "empty" in loaded.problem


async def test_what_is_not_json_is_told_and_the_old_file_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.save("threader", {"n": 1})
    for document in ({"n": object()}, {"n": float("nan")}):
        saved = await store.save("threader", document)
        assert not saved.durable
        assert "JSON" in saved.problem
    assert store.load("threader").document == {"n": 1}


async def test_many_saves_at_once_end_with_the_last(tmp_path: Path) -> None:
    store = Store(tmp_path)
    saves = [store.save("threader", {"n": number}) for number in range(50)]
    assert all(saved.durable for saved in await asyncio.gather(*saves))
    assert store.load("threader").document == {"n": 49}


class StuckDisk:
    """Every write under ``folder`` waits until ``free`` is set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free = threading.Event()
        self.waiting = 0

    def write(self, path: Path, data: bytes) -> None:
        if path.parent == self.folder:
            self.waiting += 1
            self.free.wait(30)
        write_atomic(path, data)


async def test_a_stuck_disk_does_not_stop_anybody_and_catches_up(tmp_path: Path) -> None:
    state, spare = folders(tmp_path)
    disk = StuckDisk(state)
    store = Store(state, spare, deadline_s=0.2, write=disk.write)
    try:
        first = await store.save("threader", {"n": 1})
        assert not first.durable
        assert "could not be written within" in first.problem
        for number in range(2, 6):
            assert not (await store.save("threader", {"n": number})).durable
        assert disk.waiting == 1, "one thread for one file, however long it hangs"
        assert Store(state, spare).load("threader").document == {"n": 5}
    finally:
        disk.free.set()
    # Nobody saves again, and still the newest gets onto the disk.
    await eventually_async(lambda: Store(state).load("threader").document == {"n": 5})
    assert (await store.save("threader", {"n": 6})).durable


async def test_another_pool_does_not_wait_for_the_stuck_one(tmp_path: Path) -> None:
    free = threading.Event()

    def write(path: Path, data: bytes) -> None:
        if path.name == "stuck.json":
            free.wait(30)
        write_atomic(path, data)

    store = Store(tmp_path, deadline_s=5, write=write)
    stuck = asyncio.create_task(store.save("stuck", {}))
    try:
        assert (await store.save("other", {})).durable
        assert not stuck.done()
    finally:
        free.set()
    assert (await stuck).durable


async def test_an_error_in_the_folder_sync_is_not_called_durable(tmp_path: Path) -> None:
    def write(path: Path, data: bytes) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    saved = await Store(tmp_path, write=write).save("threader", {})
    assert not saved.durable
    assert "Input/output error" in saved.problem


def test_the_fallback_is_the_folder_systemd_gave(tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": f"{tmp_path}:/elsewhere"}
    assert default_fallback(environ) == tmp_path
    assert default_fallback({"RUNTIME_DIRECTORY": "/proc/none/there"}) is None
