"""The life of the package: installed, configured, upgraded, removed, purged."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.conftest import cannot
from tests.systemd.host import CONFIG, POOL, Host


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package, called 99.0."""
    folder = tmp_path_factory.mktemp("newer")
    tree, made = folder / "tree", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN/control"
    text = control.read_text()
    control.write_text(
        "".join(
            f"{'Version: 99.0' if x.startswith('Version:') else x}\n" for x in text.splitlines()
        )
    )
    sample = tree / "etc/healthguard/healthguard.yaml"
    sample.write_text(sample.read_text() + "# of 99.0\n")
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made]
    subprocess.run(command, check=True, capture_output=True)
    return made


def test_from_install_to_purge(bare: Host, package: Path, newer: Path) -> None:
    host = bare
    host.prepare_nginx()
    host.put_package(package)
    # Installed: nothing runs but the switcher's door, the sample is not started.
    assert host.show("healthguard", "ActiveState")["ActiveState"] == "inactive"
    assert host.show("healthguard-switcher.socket", "ActiveState")["ActiveState"] == "active"
    assert host.m.sh("getent passwd healthguard | cut -d: -f6-").strip() == (
        "/nonexistent:/usr/sbin/nologin"
    )
    assert "/run/healthguard-switcher.sock" in host.read("/etc/healthguard/healthguard.yaml")
    assert host.cli("check", "--offline").returncode == 0
    assert host.m.sh("stat -c '%U:%G %a' /var/log/healthguard").strip() == (
        "healthguard:healthguard 750"
    )

    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG)
    host.m.sh("systemctl enable -q --now healthguard")
    for color in ("blue", "green"):
        assert host.cli("good", POOL, color).returncode == 0
    assert host.cli("pause", POOL, "--for", "1h", "--reason", "upgrade").returncode == 0
    before = host.main_pid()

    # Upgraded: what ran is restarted, with its memory and the edited configuration.
    said = host.put_package(newer, "newer.deb")
    assert "rror" not in said, said
    assert host.main_pid() not in (0, before)
    assert host.status()["paused"]
    assert "mode: auto" in host.read("/etc/healthguard/healthguard.yaml")
    assert host.m.sh("logrotate -d /etc/logrotate.d/healthguard 2>&1 | grep -ci error || true") == (
        "0\n"
    )
    host.m.sh("logrotate -f /etc/logrotate.d/healthguard")
    assert host.cli("resume", POOL).returncode == 0
    assert host.cli("history", POOL, "--since", "1h").stdout.count("paused") >= 1
    assert host.m.sh("ls /var/log/healthguard").split() == ["events.jsonl", "events.jsonl.1"]

    # Removed: the guard ends, nginx and the link go on, configuration and history stay.
    host.m.sh("dpkg -r healthguard")
    assert host.marker() == "blue"
    assert host.show("healthguard", "LoadState")["LoadState"] in ("not-found", "masked")
    assert host.m.sh("ls /usr/lib/healthguard 2>&1 || true").count("No such file") == 1
    host.m.sh(
        "test -s /etc/healthguard/healthguard.yaml && test -s /var/log/healthguard/events.jsonl"
    )

    # Purged: nothing of it is left but the user; nginx is as it was.
    host.m.sh("dpkg -P healthguard")
    left = host.m.sh(
        "ls -d /etc/healthguard /var/lib/healthguard* /var/log/healthguard /run/healthguard*"
        " /etc/logrotate.d/healthguard /etc/systemd/system/*/healthguard* 2>/dev/null || true"
    )
    assert left == ""
    assert (host.link(), host.marker()) == ("threader_blue.conf", "blue")
    assert host.m.out("systemctl", "is-system-running", code=None).strip() == "running"


def test_lintian_finds_no_error(package: Path) -> None:
    if shutil.which("lintian") is None:
        cannot("lintian is not installed")
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
