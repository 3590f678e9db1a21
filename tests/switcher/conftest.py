"""A switcher service for each test."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.switcher.service import Service


@pytest.fixture
def stopped() -> Iterator[Service]:
    # Not pytest's folder: other users must be able to come as far as the socket.
    with tempfile.TemporaryDirectory(prefix="healthguard-") as folder:
        Path(folder).chmod(0o755)
        yield from _service(Path(folder))


def _service(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    try:
        yield service
    finally:
        (service.state / "hold").unlink(missing_ok=True)
        if service.log_file.exists():
            sys.stderr.write(service.log())
        if service.process is not None and service.process.poll() is None:
            service.process.send_signal(signal.SIGCONT)
            service.process.kill()
            service.process.wait(10)


@pytest.fixture
def service(stopped: Service) -> Service:
    return stopped.start()
