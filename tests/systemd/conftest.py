"""One machine for all tests here, booted once; where none can be booted, CI fails."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.host import REPOSITORY, Host
from tests.systemd.machine import CannotBoot, Machine
from tests.systemd.rootfs import CannotBuild, rootfs


def cannot(why: object) -> None:
    """Locally a reason to skip; in CI silence would be a lie."""
    if os.environ.get("CI"):
        pytest.fail(f"no real systemd could be booted here: {why}", pytrace=False)
    pytest.skip(f"needs a machine that can boot systemd: {why}")


@pytest.fixture(scope="session")
def package() -> Path:
    """The Debian package of the working tree."""
    if sys.version_info[:2] != (3, 11):
        cannot(f"the package is for {sys.version.split()[0]}, the machine has Python 3.11")
    done = subprocess.run(
        [REPOSITORY / "packaging/build"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return REPOSITORY / done.stdout.split()[-1]


@pytest.fixture(scope="session")
def machine(package: Path) -> Iterator[Machine]:
    """A booted machine with nginx and two apps, and nothing of healthguard yet."""
    try:
        with Machine(rootfs()) as machine:
            state = machine.boot()
            assert state == "running", machine.out("systemctl", "--failed")
            Host(machine).prepare_nginx()
            yield machine
    except (CannotBoot, CannotBuild, FileNotFoundError) as why:
        cannot(why)


@pytest.fixture(scope="session")
def installed(machine: Machine, package: Path) -> Host:
    """The same with the guard installed and running."""
    host = Host(machine)
    host.install(package)
    return host


@pytest.fixture
def host(installed: Host) -> Host:
    """The machine in calm: blue is active, green is ready."""
    installed.calm()
    return installed


@pytest.fixture
def bare() -> Iterator[Host]:
    """A machine of its own, freshly booted: two apps, a stock nginx, nothing of healthguard."""
    try:
        with Machine(rootfs(), name="bare") as machine:
            machine.boot()
            yield Host(machine)
    except (CannotBoot, CannotBuild, FileNotFoundError) as why:
        cannot(why)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a session also builds and boots."""
    for item in items:
        if "systemd" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))
