"""Where a host in small stands: here, on one CPU, in a network or with a name service of its own.

A place gives the words that a program is started with (each ends in exec, so that its pid stays
that of the program) and the addresses.
"""

import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_nets = itertools.count(1)
CPU = max(os.sched_getaffinity(0))  # the one that is starved
LOCAL = "127.0.0.1"
_BLACK_HOLE = f"127.53.{os.getpid() % 250}.{os.getpid() // 250 % 250 + 1}"


@dataclass(frozen=True, slots=True)
class Place:
    """``guard``, ``nginx``, ``apps``: words before the command. The rest is for the troubles."""

    guard: tuple[str, ...] = ()
    nginx: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    address: str = LOCAL  # of the apps
    named: bool = False  # probes ask for HOST.test
    http: str = LOCAL  # where the guard's metrics are
    holder: int = 0  # a process in the network namespace
    outside: str = ""  # our end of the cable into it
    hosts: Path = Path()  # what /etc/hosts is to the guard


@contextmanager
def here() -> Iterator[Place]:
    """No place of its own."""
    yield Place()


@contextmanager
def one_cpu() -> Iterator[Place]:
    """The guard alone on the last CPU."""
    yield Place(guard=("taskset", "-c", str(CPU)))


@contextmanager
def network(*, apps_inside: bool) -> Iterator[Place]:
    """Guard and nginx in a network namespace, a cable leads out; the apps in it or outside."""
    number = next(_nets)
    name = f"hgd{os.getpid() % 10000}x{number}"
    near, far = (f"10.{200 + os.getpid() % 50}.{number}.{end}" for end in (1, 2))
    alive = ["unshare", "-n", "sh", "-c", "echo; exec cat"]  # until its input ends, as with us
    pipe = subprocess.PIPE
    with subprocess.Popen(alive, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        inside = ("nsenter", "-t", str(holder.pid), "-n")
        for line in (
            f"ip link add {name} type veth peer name cable netns {holder.pid}",
            f"ip addr add {near}/24 dev {name}",
            f"ip link set {name} up",
        ):
            subprocess.run(line.split(), check=True)
        for line in (f"addr add {far}/24 dev cable", "link set cable up", "link set lo up"):
            subprocess.run([*inside, "ip", *line.split()], check=True)
        words = inside if apps_inside else ()
        address = LOCAL if apps_inside else near
        try:
            yield Place(inside, inside, words, address, http=far, holder=holder.pid, outside=name)
        finally:
            holder.kill()  # the last one in the namespace: cable and all are gone with it


@contextmanager
def names(root: Path) -> Iterator[Place]:
    """The apps have names; whoever is not in ``hosts`` is asked for at a server that is silent."""
    root.mkdir(parents=True, exist_ok=True)
    files = {
        "hosts": HOSTS,
        "resolv.conf": f"nameserver {_BLACK_HOLE}\noptions timeout:1 attempts:1\n",
        "nsswitch.conf": "hosts: files dns\n",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    mounts = " && ".join(f"mount --bind {root}/{name} /etc/{name}" for name in files)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((_BLACK_HOLE, 53))
        prefix = ("unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh")
        yield Place(guard=prefix, named=True, hosts=root / "hosts")


HOSTS = "127.0.0.1 localhost blue.test green.test\n"
