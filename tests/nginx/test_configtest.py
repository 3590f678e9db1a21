"""Testing a candidate leaves no trace, sees what nginx would see, and ends in time."""

import asyncio
import os
from pathlib import Path

import pytest

from healthguard.nginx import conf, sibling
from tests.nginx.conftest import Guard, MakeBox
from tests.support.eventually import eventually
from tests.support.nginx import NginxSandbox


@pytest.fixture(params=[True, False], ids=["namespace", "copy"])
def tester(request: pytest.FixtureRequest, make_box: MakeBox) -> Guard:
    """Both ways of testing a candidate."""
    return Guard(make_box(), options={"allow_namespace": request.param})


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Each path under ``root`` with size and inode; apart from our own folders."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if each not in ("state", "locks")]
        for name in names:
            path = Path(folder) / name
            seen = path.lstat()
            size = 0 if path.name.endswith(".log") else seen.st_size
            found[str(path)] = (size, seen.st_ino)
    return found


async def test_good_candidate_passes_and_nothing_was_touched(tester: Guard) -> None:
    before = everything(tester.box.root)
    fact = await tester.prepare()
    assert fact.ticket, fact
    assert everything(tester.box.root) == before


async def test_bad_candidate_is_named_by_file_and_line_and_nothing_was_touched(
    tester: Guard,
) -> None:
    tester.box.file("green").write_text("upstream app { server 127.0.0.1:1; }\nbroken yes;\n")
    before = everything(tester.box.root)
    fact = await tester.prepare()
    assert (fact.ticket, fact.gate) == (None, "config_invalid")
    assert 'unknown directive "broken"' in fact.message
    assert "app_active.conf:2" in fact.message or "app_green.conf:2" in fact.message
    assert everything(tester.box.root) == before
    assert (await tester.prepare("blue")).ticket, "the one that is linked is still good"


async def test_candidate_with_a_new_log_file_does_not_create_it(make_box: MakeBox) -> None:
    box = make_box()
    fresh = box.root / "fresh"
    fresh.mkdir()
    green = box.file("green")
    green.write_text(green.read_text() + f"access_log {fresh}/new.log;\n")
    assert (await Guard(box).prepare()).ticket
    assert list(fresh.iterdir()) == []


async def test_missing_pid_file_is_refused_and_not_created(tester: Guard) -> None:
    tester.box.pid_file.unlink()
    fact = await tester.prepare()
    assert fact.gate == "nginx_down"
    assert not tester.box.pid_file.exists()


async def test_reloads_of_others_never_see_the_candidate(tester: Guard) -> None:
    """Somebody reloads all the time while a valid but unwanted candidate is tested."""
    box = tester.box

    async def reload_always() -> None:
        while True:
            box.reload()
            await asyncio.sleep(0.01)

    async def ask_always() -> set[str]:
        return {await asyncio.to_thread(box.get) for _ in range(100)}

    other = asyncio.create_task(reload_always())
    asking = asyncio.create_task(ask_always())
    for _ in range(10):
        assert (await tester.prepare()).ticket
    seen = await asking
    other.cancel()
    assert seen == {"blue"}


async def test_hanging_test_is_ended_at_the_deadline_with_all_it_started(
    make_box: MakeBox,
) -> None:
    box = make_box()
    green = box.file("green")
    pipe = box.root / "pipe"
    os.mkfifo(pipe)
    green.write_text(green.read_text() + f"include {pipe};\n")
    wrapper = box.root / "nginx-with-child"
    wrapper.write_text(
        f'#!/bin/sh\n[ "$1" = -V ] && exec /usr/sbin/nginx -V\n'
        f"sleep 4711 & echo $! >> {box.root}/children\n"
        'case "$*" in *-T*) /usr/sbin/nginx "$@" & wait ;; *) exec /usr/sbin/nginx "$@" ;; esac\n'
    )
    wrapper.chmod(0o755)
    guard = Guard(box, settings={"binary": wrapper, "test_timeout_ms": 500})
    fact = await guard.prepare()
    assert fact.gate == "config_invalid"
    assert "was killed after 0.5 s" in fact.message
    children = (box.root / "children").read_text().split()
    assert children
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children))


async def test_baseline_is_shared_while_nothing_changed(make_box: MakeBox) -> None:
    box = make_box(pools=("one", "two"))
    counter = box.root / "count"
    wrapper = box.root / "counted"
    wrapper.write_text(
        f'#!/bin/sh\n[ "$1" = -T ] && echo x >> {counter}\nexec /usr/sbin/nginx "$@"\n'
    )
    wrapper.chmod(0o755)
    guard = Guard(box, settings={"binary": wrapper})
    facts = await asyncio.gather(guard.prepare(pool="one"), guard.prepare(pool="two"))
    assert all(fact.ticket for fact in facts)
    assert counter.read_text().count("x") == 3, "one baseline, two candidates"


async def test_binary_that_is_missing_is_said_so(box: NginxSandbox) -> None:
    guard = Guard(box, settings={"binary": box.root / "no-nginx"})
    fact = await guard.prepare()
    assert fact.gate == "config_invalid"
    assert "cannot be run" in fact.message


async def test_nested_include_is_found_by_the_copy_too(make_box: MakeBox) -> None:
    box = make_box(start=False)
    text = box.config.read_text().replace(
        "include upstreams/*_active.conf;", "include nested.conf;"
    )
    box.config.write_text(text)
    (box.root / "nested.conf").write_text('include "upstreams/app_active.conf";\n')
    box.file("green").write_text("broken yes;\n")
    box.start()
    guard = Guard(box, options={"allow_namespace": False})
    fact = await guard.prepare()
    assert 'unknown directive "broken"' in fact.message
    assert sorted(path.name for path in box.root.glob(".*")) == []


async def test_copy_says_so_when_nothing_includes_the_link(make_box: MakeBox) -> None:
    box = make_box(start=False)
    box.config.write_text(
        box.config.read_text().replace("upstreams/*_active.conf", "upstreams/app_blue.conf")
    )
    box.start()
    guard = Guard(box, options={"allow_namespace": False})
    fact = await guard.prepare()
    assert "a switch would have no effect" in fact.message
    assert not conf.includes_link(conf.walk(box.config), box.link())


def test_left_over_copies_of_the_dead_are_removed_and_no_others(tmp_path: Path) -> None:
    dead = tmp_path / ".hg-test-4194305-0123456789ab.conf"
    alive = tmp_path / f".hg-test-{os.getpid()}-0123456789ab.conf"
    foreign = tmp_path / ".hg-test.conf"
    for path in (dead, alive, foreign):
        path.touch()
    assert sibling.clean_leftovers(tmp_path) == (dead,)
    assert alive.exists()
    assert foreign.exists()
