"""The pieces of the demo: files, apps, nginx, client; without the guard."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from healthguard.demo.load import Load
from healthguard.demo.process import Child
from healthguard.demo.sandbox import DemoError, Sandbox, free_ports
from tests.support.eventually import eventually, eventually_async


class WithoutGuard(Sandbox):
    """The sandbox as it is before the guard comes."""

    async def _start_guard(self) -> None:
        pass


@pytest.fixture
async def sandbox() -> AsyncIterator[WithoutGuard]:
    async with WithoutGuard() as it:
        yield it


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def post(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(url) as answer:
        assert answer.status == 200


def master(sandbox: Sandbox) -> int:
    return int((sandbox.folder / "nginx.pid").read_text())


async def test_the_site_serves_blue_and_the_marker_says_so(sandbox: WithoutGuard) -> None:
    assert await get(sandbox.site) == (200, "blue 1.4.1: ok\n")
    assert await get(f"http://127.0.0.1:{sandbox.ports.marker}/demo") == (200, "blue")


async def test_a_moved_link_and_a_reload_serve_green(sandbox: WithoutGuard) -> None:
    new = sandbox.link.with_name(".new")
    new.symlink_to("demo_green.conf")
    new.replace(sandbox.link)
    os.kill(master(sandbox), signal.SIGHUP)

    async def green() -> bool:
        marker = f"http://127.0.0.1:{sandbox.ports.marker}/demo"
        return await get(marker) == (200, "green")

    await eventually_async(green)
    assert sandbox.active() == "demo_green.conf"


async def test_the_configuration_passes_nginx_by_itself(sandbox: WithoutGuard) -> None:
    test = await asyncio.create_subprocess_exec(
        *(sandbox.binary, "-t", "-c", str(sandbox.folder / "nginx.conf")),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await test.communicate()
    assert test.returncode == 0, said
    assert b"warn" not in said


async def test_a_broken_app_fails_until_it_is_mended(sandbox: WithoutGuard) -> None:
    await post(f"{sandbox.app('blue')}/break")
    assert (await get(sandbox.site))[0] == 500
    assert (await get(f"{sandbox.app('blue')}/healthz"))[0] == 500
    await post(f"{sandbox.app('blue')}/mend")
    assert (await get(sandbox.site))[0] == 200


async def test_the_client_tells_good_answers_from_bad_ones(sandbox: WithoutGuard) -> None:
    async with Load(sandbox.site) as load:
        await eventually_async(lambda: load.release() == "1.4.1")
        assert load.last_failure() is None
        await post(f"{sandbox.app('blue')}/break")
        await eventually_async(lambda: load.count(ok=False) > 5)
    assert set(load.failures()) == {"HTTP 500"}
    assert load.count(ok=True) + load.count(ok=False) == len(load.samples)


async def test_the_client_counts_silence_as_failure() -> None:
    (nobody,) = free_ports(1)
    async with Load(f"http://127.0.0.1:{nobody}/") as load:
        await eventually_async(lambda: load.count(ok=False) > 5)
    assert set(load.failures()) == {"no answer"}
    assert load.release() == ""


async def test_nothing_is_left_when_the_start_fails() -> None:
    class Broken(WithoutGuard):
        async def _start_nginx(self) -> None:
            raise DemoError("no nginx today")

    broken = Broken()
    with pytest.raises(DemoError, match="no nginx today"):
        await broken.__aenter__()
    assert not broken.folder.exists()  # and no process: the fixture for every test looks


async def test_a_child_that_ignores_us_is_killed(tmp_path: Path) -> None:
    child = Child("stubborn", tmp_path / "log")
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(99)"
    await child.start([sys.executable, "-c", script], stdout=asyncio.subprocess.PIPE)
    assert await child.line() == "1"
    await child.stop(within=0.1)
    assert not child.running()


def test_processes_end_even_when_the_demo_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from healthguard.demo.process import Child

        async def main():
            child = Child("sleeper", Path(sys.argv[1]))
            await child.start(["sleep", "99"])
            print(child.pid, flush=True)
            await asyncio.sleep(99)

        asyncio.run(main())
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    eventually(lambda: not _lives(pid), what="the child has ended")


def _lives(pid: int) -> bool:
    """A zombie that nobody collects is dead all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
