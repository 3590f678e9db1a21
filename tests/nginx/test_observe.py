"""A look at a pool: cheap, honest about the marker, shared between pools."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

from tests.nginx.conftest import Guard, MakeBox
from tests.support.eventually import eventually_async
from tests.support.ports import free_port


async def test_marker_that_agrees_is_believed(box_marked: Guard) -> None:
    sight = await box_marked.observer.look("app")
    assert (sight.link.upstream, sight.nginx.state, sight.marker) == ("blue", "running", "blue")


async def test_marker_that_disagrees_with_the_link_is_believed_after_a_run(
    box_marked: Guard,
) -> None:
    box_marked.box.point("green")
    sight = await box_marked.observer.look("app")
    assert (sight.link.upstream, sight.marker) == ("green", "blue")
    box_marked.box.reload()

    async def followed() -> bool:
        return (await box_marked.observer.look("app")).marker == "green"

    assert await eventually_async(followed)


async def test_marker_of_two_minds_is_none_with_a_problem(make_box: MakeBox) -> None:
    box = make_box(start=False)
    site = box.root / "sites" / "app.conf"
    site.write_text(
        'split_clients "$connection" $mixed { 50% blue; * green; }\n'
        + site.read_text().replace('"$hg_app\\n"', '"$mixed\\n"')
    )
    box.start()
    guard = Guard(box, marked=True)
    box.link().unlink()  # nothing the marker could agree with
    problems = {(await guard.observer.look("app")).marker_problem for _ in range(20)}
    assert any("answers disagree" in problem for problem in problems)


async def test_silent_or_strange_marker_is_a_problem(make_box: MakeBox) -> None:
    box = make_box()
    real = box.marker_ports["app"]
    box.marker_ports["app"] = free_port()
    sight = await Guard(box, marked=True).observer.look("app")
    assert sight.marker is None
    assert "cannot be reached" in sight.marker_problem
    box.marker_ports["app"] = box.ports["app"]
    site = box.root / "sites" / "app.conf"
    site.write_text(site.read_text().replace("$hg_app", "purple"))
    box.marker_ports["app"] = real
    box.reload()
    guard = Guard(box, marked=True)

    async def strange() -> bool:
        return "not an upstream of this pool" in (await guard.observer.look("app")).marker_problem

    assert await eventually_async(strange)


async def test_pools_share_one_look_at_nginx(make_box: MakeBox) -> None:
    names = tuple(f"p{i}" for i in range(40))
    box = make_box(pools=names, apps={name: {"blue": 9, "green": 9} for name in names})
    guard = Guard(box)
    await guard.observer.look("p0")
    began = time.process_time()
    for name in names:
        await guard.observer.look(name)
    shared = time.process_time() - began
    began = time.process_time()
    for name in names:
        guard.observer._shared = None
        await guard.observer.look(name)
    assert shared < (time.process_time() - began) / 2


async def test_stamp_ignores_the_link_and_sees_new_files_in_a_glob(guard: Guard) -> None:
    box, files = guard.box, guard.observer._files
    first = files.stamp()
    box.point("green")
    assert files.stamp() == first
    (box.root / "sites" / ".hidden.conf").touch()
    assert files.stamp() == first
    (box.root / "sites" / "new.conf").write_text("# new\n")
    assert files.stamp() != first


async def test_a_stamp_of_very_many_files_does_not_stop_the_loop(guard: Guard) -> None:
    class ManyFiles:
        taken = 0

        def stamp(self) -> str:
            ManyFiles.taken += 1
            time.sleep(0.1)
            return f"stamp {ManyFiles.taken}"

    observer = guard.observer
    observer._files = ManyFiles()  # type: ignore[assignment]
    assert await observer.stamp() == "stamp 1"  # it is not known to be slow yet
    assert await observer.stamp() == "stamp 1"  # and is kept for a while
    observer._stamp_until = 0.0
    both = asyncio.gather(observer.stamp(), observer.stamp())
    turns = 0
    while not both.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert await both == ["stamp 2", "stamp 2"]
    assert turns > 2


async def test_fingerprint_sees_contents_keys_and_the_links_of_other_pools(
    make_box: MakeBox,
) -> None:
    box = make_box(pools=("app", "other"), start=False)
    key = box.root / "key.pem"
    key.write_text("one")
    box.http_extra = f"ssl_certificate_key {key};"
    box.write_main()
    guard = Guard(box)
    files, pool = guard.observer._files, guard.pools["app"]
    seen = [files.fingerprint(pool)]
    box.point("green", "app")
    assert files.fingerprint(pool) == seen[0]
    box.point("green", "other")
    seen.append(files.fingerprint(pool))
    key.write_text("two")
    seen.append(files.fingerprint(pool))
    before = box.file("green").stat()
    text = box.file("green").read_text()
    box.file("green").write_text(text.replace("green", "grean"))
    os.utime(box.file("green"), ns=(before.st_atime_ns, before.st_mtime_ns))
    seen.append(files.fingerprint(pool))
    assert len(set(seen)) == 4


async def test_nginx_that_went_down_or_came_back_is_noticed(guard: Guard) -> None:
    box = guard.box

    async def state() -> str:
        return (await guard.observer.look("app")).nginx.state

    assert await state() == "running"
    assert box.master is not None
    os.kill(box.master, signal.SIGTERM)
    assert await eventually_async(lambda: _is(state, "down"))
    box.start()
    assert await eventually_async(lambda: _is(state, "running"))


async def _is(ask: Callable[[], Awaitable[str]], wanted: str) -> bool:
    return await ask() == wanted
