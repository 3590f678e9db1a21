"""Where no systemd can be booted: a reason to skip here, a failure in CI."""

import pytest

from tests.systemd.conftest import cannot
from tests.systemd.machine import CannotBoot, Machine


def test_ci_fails_rather_than_pass_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no real systemd could be booted here: why"):
        cannot("why")


def test_elsewhere_it_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="why"):
        cannot("why")


def test_a_machine_that_does_not_boot_says_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(CannotBoot, match=r"."), Machine(empty, name="empty") as machine:
        machine.boot()
