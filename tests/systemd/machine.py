"""A machine of one's own: a really booted systemd in namespaces, writable, thrown away afterwards.

Works as root on hosts with and without systemd, cgroups v1, hybrid or v2. Nothing of the host is
changed but a cgroup of its own below the v2 hierarchy. No network but the machine's loopback.
"""

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.eventually import eventually

_ENV = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    *("HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"),
)

# Lives as long as the machine, over its reboots: holds the mounts, and is the parent of what
# boots. When the tests die its input ends, and it takes everything with it.
_HOLDER = r"""
set -eu
mount -t tmpfs -o mode=755 tmpfs "$WORK"
mkdir "$WORK/up" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$WORK/up,workdir=$WORK/work" "$WORK/root"
umount -R /sys/fs/cgroup 2>/dev/null || true   # here only: hides cgroups v1 from the guest
mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$NAME"
echo held
while read -r word; do
  case $word in boot)
    ( echo $BASHPID >"/sys/fs/cgroup/$NAME/cgroup.procs"
      exec systemd-nspawn --quiet --boot --register=no --keep-unit --private-network \
        --console=pipe --link-journal=no --capability=CAP_BPF,CAP_PERFMON \
        --system-call-filter="bpf keyctl add_key" --machine="$NAME" --directory="$WORK/root" \
        </dev/null >>"$LOG" 2>&1 ) &
    echo "pid $!" ;;
  esac
done
kill -KILL $(jobs -p) 2>/dev/null || true
wait || true
find "/sys/fs/cgroup/$NAME" -depth -type d -exec rmdir {} + 2>/dev/null || true
"""


class CannotBoot(Exception):
    """Why this host cannot boot a systemd of its own."""


class Machine:
    """One machine. Use ``with``; ``boot`` it; ``power_loss`` and ``boot`` again as you like."""

    def __init__(self, lower: Path, name: str = "guest") -> None:
        """``lower``: the root filesystem, which stays as it is. ``name``: another beside it."""
        self._lower = lower
        self._name = f"healthguard-{name}-{os.getpid()}"
        self._folder = Path(tempfile.mkdtemp(prefix="healthguard-machine-"))
        self._log = self._folder / "console"
        self._holder: subprocess.Popen[str] | None = None
        self._supervisor = 0
        self._leader = 0

    def __enter__(self) -> "Machine":
        if os.geteuid() != 0:
            raise CannotBoot("needs root")
        work = self._folder / "work"
        work.mkdir()
        self._folder.chmod(0o755)
        environ = {"WORK": work, "LOWER": self._lower, "NAME": self._name, "LOG": self._log}
        command = ["unshare", "--mount", "--propagation=private", "bash", "-c", _HOLDER]
        with self._log.open("a") as log:
            self._holder = subprocess.Popen(
                command,
                env={**os.environ, **{key: str(value) for key, value in environ.items()}},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        if self._answer() != "held":
            said = self._log.read_text()
            self.__exit__()
            raise CannotBoot(f"no mounts or cgroup of its own: {said[-1000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        holder = self._holder
        if holder is not None and holder.stdin is not None and holder.stdout is not None:
            if self._leader:
                self.power_loss()
            with suppress(BrokenPipeError):
                holder.stdin.close()
            try:
                holder.wait(20)
            finally:
                holder.kill()
                holder.stdout.close()
        self._log.unlink(missing_ok=True)
        with suppress(OSError):
            (self._folder / "work").rmdir()
            self._folder.rmdir()

    # ------------------------------------------------------------ on and off

    def boot(self) -> str:
        """Switch it on; returns when its start jobs are done: ``running`` or ``degraded``."""
        assert self._holder is not None
        assert self._holder.stdin is not None
        self._holder.stdin.write("boot\n")
        self._holder.stdin.flush()
        self._supervisor = int(self._answer().removeprefix("pid "))
        try:
            eventually(self._find_leader, within=30)
            eventually(lambda: self.try_run("test", "-S", "/run/systemd/private") == 0, within=30)
        except AssertionError:
            raise CannotBoot(f"systemd did not boot: {self.console()[-2000:]}") from None
        return self.out("systemctl", "is-system-running", "--wait", code=None).strip()

    def power_loss(self) -> None:
        """Everything in it is gone at this moment; its disk is what it was."""
        os.kill(self._leader, signal.SIGKILL)
        self._leader = 0
        eventually(lambda: not Path(f"/proc/{self._supervisor}/comm").exists(), within=20)

    def console(self) -> str:
        """What nspawn and the kernel log of the guest have said."""
        return self._log.read_text(errors="replace")

    def _answer(self) -> str:
        assert self._holder is not None
        assert self._holder.stdout is not None
        return self._holder.stdout.readline().strip()

    def _find_leader(self) -> bool:
        try:
            words = Path(f"/proc/{self._supervisor}/task/{self._supervisor}/children").read_text()
        except OSError:
            raise CannotBoot(f"systemd-nspawn has ended: {self.console()[-2000:]}") from None
        for pid in words.split():
            with suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                inner = next(x for x in status.splitlines() if x.startswith("NSpid:")).split()[-1]
                if inner == "1" and status.startswith("Name:\tsystemd\n"):
                    self._leader = int(pid)
                    return True
        return False

    # ------------------------------------------------------------ inside

    def inside(self, *command: str) -> list[str]:
        """``command`` as root in the machine, as words to start here."""
        where = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        return [*where, "--", "/usr/bin/env", "-i", *_ENV, *command]

    def run(
        self, *command: str, timeout: float = 60, given: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        return subprocess.run(
            self.inside(*command),
            capture_output=True,
            text=True,
            timeout=timeout,
            input=given or "",
            check=False,
        )

    def try_run(self, *command: str) -> int:
        """Its exit status."""
        return self.run(*command).returncode

    def out(self, *command: str, code: int | None = 0, timeout: float = 60) -> str:
        """What it printed; another exit status than ``code`` fails (None: any is right)."""
        done = self.run(*command, timeout=timeout)
        if code is not None:
            said = f"{done.stdout}{done.stderr}"
            assert done.returncode == code, f"{shlex.join(command)}: {done.returncode}\n{said}"
        return done.stdout

    def sh(self, script: str, *, code: int | None = 0, timeout: float = 60) -> str:
        """The same for a line of shell."""
        return self.out("sh", "-c", script, code=code, timeout=timeout)

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """A file of root in the machine; its folders are made."""
        data = text.encode() if isinstance(text, str) else text
        script = (
            'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
        )
        command = self.inside("sh", "-c", script, "write", path, f"{mode:o}")
        subprocess.run(command, input=data, check=True, timeout=60)

    def read(self, path: str) -> str:
        """The text of a file in the machine."""
        return self.out("cat", path)

    def spawn(self, *command: Sequence[str] | str) -> "subprocess.Popen[str]":
        """Start it and do not wait; stdout is a pipe."""
        words = [str(word) for word in command]
        return subprocess.Popen(
            self.inside(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_until(self, script: str, within: float = 20) -> None:
        """Until this line of shell succeeds in the machine."""
        began = time.monotonic()
        while (done := self.run("sh", "-c", script)).returncode != 0:
            waited = time.monotonic() - began
            assert waited < within, f"not within {within} s: {script}\n{done.stdout}{done.stderr}"
            time.sleep(0.05)
