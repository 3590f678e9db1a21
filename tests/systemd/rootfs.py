"""A root filesystem with Debian's systemd, dbus and nginx, made once and kept outside the clone."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SUITE = os.environ.get("HEALTHGUARD_TEST_SUITE", "bookworm")  # systemd 252; trixie has 257
PACKAGES = "systemd,systemd-sysv,dbus,nginx-light,python3-venv,procps,logrotate,strace"
_MASKED = (
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "console-getty.service",
    "getty.target",
)
# Nobody reads these here, and unpacking them takes a third of the time.
_LEAN = (
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=force-unsafe-io",
)


class CannotBuild(Exception):
    """Why there is no root filesystem."""


def cache() -> Path:
    """Where it is kept; HEALTHGUARD_TEST_CACHE says otherwise."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HEALTHGUARD_TEST_CACHE") or home / "healthguard-systemd")


def rootfs() -> Path:
    """The folder; made by the first who asks (half a minute). CannotBuild."""
    key = hashlib.sha256(f"{SUITE} {PACKAGES} {_MASKED} {_LEAN}".encode()).hexdigest()[:12]
    root = cache() / f"{SUITE}-{key}"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _build(root)
    return root


def _build(root: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise CannotBuild("mmdebstrap is not installed")
    raw = root.with_suffix(".new")
    shutil.rmtree(raw, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", *_LEAN]
    done = subprocess.run(
        [*command, f"--include={PACKAGES}", SUITE, str(raw)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(raw, ignore_errors=True)
        raise CannotBuild(f"mmdebstrap: {done.stderr[-2000:]}")
    raw.chmod(0o755)  # else nobody but root could enter /
    for unit in _MASKED:
        (raw / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (raw / "etc/resolv.conf").write_text("")
    (raw / "etc/machine-id").write_text("")
    (raw / "etc/hostname").write_text("guest\n")
    (raw / "var/log/journal").mkdir(exist_ok=True)  # kept over a power loss
    raw.rename(root)
