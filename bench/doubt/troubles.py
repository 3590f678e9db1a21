"""What can befall the guard itself: one context manager each, over when it is left.

Only processes of this run are touched, and every trouble has an end of its own.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.doubt.host import Host
from bench.doubt.place import CPU, HOSTS

# Busy for argv[2] seconds on CPU argv[1].
_HOG = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pass
"""
HOGS = 4
LONGEST = 12.0  # seconds a busy process lives, whatever happens to us
_PRIORITY = 2  # real-time: whoever stops and continues others must be on time itself


def punctual() -> None:
    """This thread, but no process that it starts, goes before all others."""
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))


@contextmanager
def nothing(host: Host) -> Iterator[None]:
    yield


@contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    """SIGSTOP; they go on in the same order, microseconds apart."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def stopped(host: Host) -> Iterator[None]:
    """The guard is."""
    with _stopped([host.guard.pid]):
        yield


@contextmanager
def stopped_with_blue(host: Host) -> Iterator[None]:
    """Both are; the guard goes on first."""
    with _stopped([host.guard.pid, host.apps["blue"].pid]):
        yield


@contextmanager
def stopped_with_all(host: Host) -> Iterator[None]:
    """The whole host stands still."""
    with _stopped([host.guard.pid, *(app.pid for app in host.apps.values())]):
        yield


@contextmanager
def again_and_again(host: Host, *pids: int, stop: float, go: tuple[float, float]) -> Iterator[None]:
    """Stopped for ``stop`` seconds, at moments that nobody can foresee."""
    over = threading.Event()

    def pulses() -> None:
        punctual()
        while not over.wait(random.uniform(*go)):
            with _stopped([host.guard.pid, *pids]):
                time.sleep(stop)

    thread = threading.Thread(target=pulses)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def pulses(host: Host) -> Iterator[None]:
    """50 ms, several times a second."""
    with again_and_again(host, stop=0.05, go=(0.02, 0.3)):
        yield


@contextmanager
def stutter(host: Host) -> Iterator[None]:
    """The guard loses 150 ms again and again: more than max_latency, less than the timeout."""
    with again_and_again(host, stop=0.15, go=(0.05, 0.4)):
        yield


@contextmanager
def stutter_with_blue(host: Host) -> Iterator[None]:
    """Guard and blue lose 300 ms together, again and again, as on an overcommitted machine."""
    with again_and_again(host, host.apps["blue"].pid, stop=0.3, go=(0.05, 0.4)):
        yield


@contextmanager
def busy(host: Host) -> Iterator[None]:
    """Four busy processes on the guard's CPU, as important as the guard: a fifth is left to it."""
    with ExitStack() as stack:
        for _ in range(HOGS):
            argv = [sys.executable, "-SE", "-c", _HOG, str(CPU), str(LONGEST)]
            process = stack.enter_context(subprocess.Popen(argv))
            stack.callback(process.kill)
        yield


def _threads(host: Host) -> list[int]:
    return [int(each.name) for each in Path(f"/proc/{host.guard.pid}/task").iterdir()]


@contextmanager
def starved(host: Host) -> Iterator[None]:
    """And the guard is at nice 19: one 270th is left to it."""
    with busy(host):
        _schedule(host, os.SCHED_OTHER, 19)
        try:
            yield
        finally:
            _schedule(host, os.SCHED_OTHER, 0)


@contextmanager
def starved_out(host: Host) -> Iterator[None]:
    """And the guard only gets what nobody else wants: one 1400th."""
    with busy(host):
        _schedule(host, os.SCHED_IDLE, 0)
        try:
            yield
        finally:
            _schedule(host, os.SCHED_OTHER, 0)


def _schedule(host: Host, policy: int, nice: int) -> None:
    for thread in _threads(host):
        os.sched_setscheduler(thread, policy, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, thread, nice)


@contextmanager
def no_descriptors(host: Host) -> Iterator[None]:
    """As many as are open, and not one more."""
    pid = host.guard.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextmanager
def few_descriptors(host: Host) -> Iterator[None]:
    """None, then some for a moment, then none."""
    over = threading.Event()

    def flicker() -> None:
        punctual()
        while not over.is_set():
            with no_descriptors(host):
                over.wait(random.uniform(0.05, 0.3))
            over.wait(random.uniform(0.02, 0.15))

    thread = threading.Thread(target=flicker)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def dead_resolver(host: Host) -> Iterator[None]:
    """The names are known to nobody but a server that never answers."""
    host.place.hosts.write_text("127.0.0.1 localhost\n")
    try:
        yield
    finally:
        host.place.hosts.write_text(HOSTS)


def _link(words: str) -> None:
    subprocess.run(["ip", "link", "set", *words.split()], check=True)


def _inside(host: Host, words: str) -> None:
    enter = ["nsenter", "-t", str(host.place.holder), "-n"]
    subprocess.run([*enter, "ip", "link", "set", *words.split()], check=True)


@contextmanager
def loopback_down(host: Host) -> Iterator[None]:
    _inside(host, "lo down")
    try:
        yield
    finally:
        _inside(host, "lo up")


@contextmanager
def interface_down(host: Host) -> Iterator[None]:
    """This host's own interface: the kernel has no route."""
    _inside(host, "cable down")
    try:
        yield
    finally:
        _inside(host, "cable up")


@contextmanager
def cable_out(host: Host) -> Iterator[None]:
    """No carrier: the route stays, packets go nowhere."""
    _link(f"{host.place.outside} down")
    try:
        yield
    finally:
        _link(f"{host.place.outside} up")
