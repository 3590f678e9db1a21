"""`make install`: what scripts/install does on a host under systemd, without a package.

The machine has no network, so that the libraries lie beside the clone as pip fetched them: the
same files with the same hashes. Only where they come from differs from what an operator does.
"""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.systemd.conftest import cannot
from tests.systemd.host import CONFIG, REPOSITORY, Host

CLONE = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt", "requirements-build.txt",
         "healthguard", "scripts", "packaging", "systemd", "etc")  # fmt: skip
INSTALL = "cd /root/clone && PIP_NO_INDEX=1 PIP_FIND_LINKS=/root/wheels scripts/install"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pinned ones as files, from pip's cache or the registry."""
    if sys.version_info[:2] != (3, 11):
        cannot(f"libraries are fetched for {sys.version.split()[0]}, the machine has Python 3.11")
    folder = tmp_path_factory.mktemp("libraries")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-input", "--no-deps"]
    pip += ["--disable-pip-version-check", "--use-pep517", "--no-build-isolation"]
    given = ["--require-hashes", "-r", "requirements.txt", "-r", "requirements-build.txt"]
    subprocess.run([*pip, *given, "-d", folder], cwd=REPOSITORY, check=True, timeout=120)
    return folder


def put(host: Host, source: Path, names: tuple[str, ...], target: str) -> None:
    """Copies files and folders into the machine."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in names:
            tar.add(source / name, name, filter=_clean)
    host.m.write("/root/packed.tar", packed.getvalue())
    host.m.sh(f"mkdir -p {target} && tar -xf /root/packed.tar -C {target} --no-same-owner")


def _clean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry


def test_from_a_clone_to_a_rollback(bare: Host, libraries: Path) -> None:
    host = bare
    host.prepare_nginx()
    put(host, REPOSITORY, CLONE, "/root/clone")
    put(host, libraries, tuple(each.name for each in libraries.iterdir()), "/root/wheels")
    before = host.m.sh("ls -A /etc/nginx /etc/nginx/*; pgrep -f '^nginx: worker'")

    said = host.m.sh(f"{INSTALL} 2>&1", timeout=120)
    assert "is installed; nothing was started" in said
    # Nothing runs, nginx was not touched, and only what the script names is new.
    units = ("healthguard", "healthguard-switcher.socket", "healthguard-switcher.service")
    states = [host.show(unit, "ActiveState")["ActiveState"] for unit in units]
    assert states == ["inactive"] * 3
    assert host.m.sh("ls -A /etc/nginx /etc/nginx/*; pgrep -f '^nginx: worker'") == before
    assert host.m.out("readlink", "/usr/local/bin/healthguard").strip() == (
        "/opt/healthguard/bin/healthguard"
    )
    assert "healthguard:" in host.m.out("getent", "passwd", "healthguard")
    assert "/run/healthguard-switcher.sock" in host.read("/etc/healthguard/healthguard.yaml")
    services = [f"healthguard{each}.service" for each in ("", "-switcher", "-reconcile")]
    verified = host.m.run("systemd-analyze", "verify", "--man=no", *services)
    assert "healthguard" not in verified.stderr, verified.stderr

    # As docs/install.md goes on: the socket, a configuration, check, the guard.
    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG)
    host.m.sh("systemctl enable -q --now healthguard-switcher.socket")
    checked = host.cli("check")
    assert checked.returncode == 0, checked.stdout
    host.m.sh("systemctl enable -q --now healthguard")
    for color in ("blue", "green"):
        assert host.cli("good", "threader", color).returncode == 0
    eventually(lambda: host.cli("ready", "threader").returncode == 0, within=20)
    host.break_app("blue")
    eventually(lambda: host.marker() == "green", within=20)

    # Again, as an upgrade: the configuration is kept, and the guard goes on meanwhile.
    running = host.main_pid()
    host.m.sh(f"{INSTALL} 2>&1", timeout=120)
    assert host.read("/etc/healthguard/healthguard.yaml") == CONFIG
    assert host.main_pid() == running
    host.m.sh("systemctl restart healthguard")
    assert host.status()["active"] == "green"

    # Removed as docs/install.md says: nginx goes on.
    host.m.sh(
        "systemctl disable -q --now healthguard healthguard-switcher.socket healthguard-reconcile;"
        "rm -r /opt/healthguard /usr/local/bin/healthguard /etc/systemd/system/healthguard*;"
        "systemctl daemon-reload"
    )
    assert host.marker() == "green"
    assert host.m.out("systemctl", "is-system-running", code=None).strip() == "running"
