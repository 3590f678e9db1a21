"""Reading /proc: who a process is, without rights over it."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``start`` counts clock ticks since boot: with the pid it is an identity."""

    pid: int
    parent: int
    start: int
    state: str


def process(pid: int) -> Process | None:
    """The process ``pid``, or None if there is none (a zombie is none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too.
    fields = text[text.rfind(")") + 2 :].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), fields[0])


def title(pid: int) -> str:
    """What the process calls itself; "" if it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def owner(pid: int) -> int | None:
    """The effective uid of the process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[2])
    return None


def children(pid: int) -> list[int]:
    """Pids of the direct children, by the kernel's own list, else by looking at everybody."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        if process(pid) is None:
            return []
        return [each.pid for each in everybody() if each.parent == pid]
    except OSError:
        return []


def everybody() -> list[Process]:
    """All processes that can be seen."""
    found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    return [each for each in found if each is not None]


def same_mounts(pid: int) -> bool | None:
    """True if ``pid`` lives in our mount namespace; None when we may not know."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")  # noqa: PTH115
    except OSError:
        return None


def boot_id() -> str:
    """The kernel's name for this boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
