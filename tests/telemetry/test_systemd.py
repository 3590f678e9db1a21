"""sd_notify against a real socket, named and abstract."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.telemetry import Systemd
from healthguard.telemetry.systemd import STATUS_LIMIT


@pytest.fixture(params=["named", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """What systemd listens on."""
    abstract = request.param == "abstract"
    name = f"@healthguard-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if abstract else name)
        sock.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield sock


def heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_the_life_of_a_service(manager: socket.socket) -> None:
    systemd = Systemd(os.environ)
    systemd.ready("threader: blue active")
    assert heard(manager) == "READY=1\nSTATUS=threader: blue active"
    systemd.status("threader: blue active")  # nothing new
    systemd.status("threader: gr\u00fcn\nactive " + "x" * 1000)
    status = heard(manager)
    assert status.startswith("STATUS=threader: gr?n?active xxx")
    assert len(status) == len("STATUS=") + STATUS_LIMIT
    systemd.reloading()
    first, second = heard(manager).split("\n")
    assert (first, second.split("=")[0]) == ("RELOADING=1", "MONOTONIC_USEC")
    assert second.split("=")[1].isdigit()
    systemd.stopping()
    assert heard(manager) == "STOPPING=1"
    systemd.close()
    systemd.status("after the end")


async def test_the_watchdog_is_fed_only_while_there_is_progress(manager: socket.socket) -> None:
    manager.setblocking(False)
    loop = asyncio.get_running_loop()
    progress = True
    asked = asyncio.Event()

    def answer() -> bool:
        asked.set()
        return progress

    systemd = Systemd({**os.environ, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())})
    feeding = asyncio.create_task(systemd.watchdog(answer))
    for _ in range(3):
        assert await loop.sock_recv(manager, 4096) == b"WATCHDOG=1"
    progress = False
    for _ in range(4):
        asked.clear()
        await asyncio.wait_for(asked.wait(), 10)
    fed = 0
    try:
        while True:
            manager.recv(4096)
            fed += 1
    except BlockingIOError:
        pass
    assert fed <= 1  # one may have been on its way
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    systemd.close()


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "60000", "WATCHDOG_PID": "1"}],
)
async def test_without_a_watchdog_nothing_runs(environ: dict[str, str]) -> None:
    systemd = Systemd(environ)
    await asyncio.wait_for(systemd.watchdog(lambda: True), 10)
    systemd.ready("x")
    systemd.stopping()
    systemd.close()


def test_a_manager_that_does_not_read_stops_nobody(manager: socket.socket) -> None:
    """If a message blocked, this test would never end."""
    systemd = Systemd(os.environ)
    for number in range(2_000):
        systemd.status(f"line {number}")
    systemd.close()


def test_a_socket_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    systemd = Systemd(os.environ)
    systemd.ready()
    systemd.close()
