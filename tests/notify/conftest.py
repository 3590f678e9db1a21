"""Certificates are made once; secrets have a value that no output may hold."""

from pathlib import Path

import pytest

from tests.notify.receivers import certificates


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ca.pem`` and a certificate of every service."""
    return certificates(tmp_path_factory.mktemp("notify-tls"))
