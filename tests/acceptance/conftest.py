"""A host in small for each story: nginx, two apps, the daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Blue is active, both colours are up, nothing is vouched for yet."""
    with World(tmp_path) as running:
        yield running.settled()


@pytest.fixture
def stable(tmp_path: Path) -> Iterator[World]:
    """Blue is active; green is `stable`, so there is always a place to go to from blue."""
    with World(tmp_path, pool={"stable": "green"}) as running:
        running.settled().wait_pool(rollback_ready=True)
        yield running
