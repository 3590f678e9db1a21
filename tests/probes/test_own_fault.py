"""Our own trouble is inconclusive: late loop, descriptors, ports; and nothing leaks."""

import asyncio
import contextlib
import errno
import gc
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from healthguard.core.model import Answer, Expect
from healthguard.probes import DOUBTS, REASONS, Shared, build
from healthguard.probes.attempt import Attempt
from healthguard.probes.reasons import classify
from healthguard.probes.shared import MAX_THREADS
from healthguard.probes.spec import ExecSpec, TcpSpec
from tests.probes import servers
from tests.probes.conftest import Run, check, http
from tests.probes.servers import ok, serving
from tests.support.eventually import eventually

# A prober of its own process: prints "ready", checks port argv[1] with timeout argv[2] on each
# line of input, prints what it found.
CLIENT = """
import asyncio, sys
import uvloop
from tests.probes.conftest import check, http
from healthguard.probes import build

async def main():
    prober = build(http(int(sys.argv[1]), timeout_ms=int(sys.argv[2])))
    print("ready", flush=True)
    for _ in sys.stdin:
        task = asyncio.create_task(check(prober))
        await asyncio.sleep(0)
        print("started", flush=True)
        found = await task
        print(found.failure or found.inconclusive or found.status, flush=True)

asyncio.Runner(loop_factory=getattr(*{"uvloop": (uvloop, "new_event_loop"),
    "asyncio": (asyncio, "new_event_loop")}[sys.argv[3]])).run(main())
"""

SERVER = """
import sys
from tests.probes.servers import serving, ok
with serving(ok()) as port:
    print(port, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def python(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with process:
        yield process
        os.kill(process.pid, signal.SIGCONT)
        process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert line(process) == "started"


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: stopped(pid))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_was_stopped_makes_the_difference(loop: str) -> None:
    with python(SERVER) as server:
        port = line(server)
        with python(CLIENT, port, 500, loop) as client:
            assert line(client) == "ready"
            say(client)
            assert line(client) == "200"
            stop(server.pid)
            say(client)
            assert line(client) == "timeout"
            # Both stopped, the upstream goes on first: what it says comes while we sleep.
            say(client)
            stop(client.pid)
            os.kill(server.pid, signal.SIGCONT)
            time.sleep(1.5)  # the length of the stop, not a wait for something
            os.kill(client.pid, signal.SIGCONT)
            assert line(client) == "loop_late"
            say(client)
            assert line(client) == "200"
            # Only we are stopped, with a check under way that nobody will answer.
            stop(server.pid)
            say(client)
            stop(client.pid)
            time.sleep(1.5)
            os.kill(client.pid, signal.SIGCONT)
            assert line(client) == "loop_late"
            os.kill(server.pid, signal.SIGCONT)


def blocking(seconds: float, *specs: Any) -> Any:
    """A job: start a check of each, block the loop, give the answers."""

    async def job() -> list[Answer]:
        tasks = [asyncio.create_task(check(build(spec))) for spec in specs]
        await asyncio.sleep(0.02)
        time.sleep(seconds)  # noqa: ASYNC251 - the fault under test
        return await asyncio.gather(*tasks)

    return job


def late_answer(conn: Any, stop: threading.Event) -> None:
    servers.request(conn)
    stop.wait(0.15)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_a_blocked_loop_blames_nobody(runner: Any) -> None:
    with serving(servers.silent) as silent, serving(late_answer) as late:
        specs = [
            http(silent, timeout_ms=200),
            http(late, timeout_ms=200),
            ExecSpec(("/bin/sleep", "0.3"), 200),
        ]
        found = runner(blocking(1.0, *specs))
    assert [each.inconclusive for each in found] == ["loop_late"] * 3, found
    assert all(each.failure is None and each.excerpt == "" for each in found)


class Distracted(Attempt):
    """Stopped for a while between its start and its request; nobody answers."""

    def __init__(self, seconds: float) -> None:
        super().__init__(200, Expect())
        self._seconds = seconds

    def _begin(self) -> None:
        time.sleep(self._seconds)

    def _close(self) -> None:
        pass


@pytest.mark.parametrize(("asleep", "doubted"), [(0.12, True), (0.0, False)])
def test_who_asked_late_does_not_blame_the_silence(
    runner: Any, asleep: float, doubted: bool
) -> None:
    """The deadline comes on time, but the upstream had only what was left of the timeout."""

    async def job() -> Answer:
        return await check(Distracted(asleep))

    found = runner(job)
    assert (found.inconclusive, found.failure) == (
        ("loop_late", None) if doubted else (None, "timeout")
    )


def test_an_answer_found_only_at_a_late_deadline_is_doubtful(runner: Any) -> None:
    """Late by less than the limit: silence still is a timeout, an answer that lay there is not."""
    with serving(servers.silent) as silent, serving(late_answer) as late:
        found = runner(blocking(0.3, http(silent, timeout_ms=200), http(late, timeout_ms=200)))
    if found[0].failure == "timeout":  # else this machine has lost 250 ms more
        assert (found[1].failure, found[1].inconclusive) in [(None, "loop_late"), (None, None)]


def test_a_connection_that_opened_while_we_slept_is_doubtful(runner: Any) -> None:
    """A full listen queue is emptied while the loop is blocked; the kernel then connects."""

    def drain() -> None:
        time.sleep(0.3)
        for _ in range(2):
            taken.append(listener.accept()[0])

    taken: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        thread = threading.Thread(target=drain)
        thread.start()
        # The kernel tries again after a second, so it connects between 1.0 and 1.1 s.
        specs = [http(port, timeout_ms=1150), TcpSpec("127.0.0.1", port, timeout_ms=1150)]
        found = runner(blocking(1.3, *specs))
        thread.join()
        for conn in taken:
            conn.close()
    # One of them got the first free place; the other one may still be waiting for its own.
    assert "loop_late" in [each.inconclusive for each in found], found
    assert all(each.inconclusive or each.failure == "timeout" for each in found), found


def test_slow_is_only_believed_when_we_were_awake(runner: Any, probe: Run) -> None:
    expect = Expect(max_latency_us=100_000)
    with serving(late_answer) as late:
        spec = http(late, timeout_ms=3000, expect=expect)
        awake = probe(spec)
        assert (awake.status, awake.inconclusive) == (200, None)
        assert awake.latency_us > 100_000
        assert runner(blocking(0.6, spec))[0].inconclusive == "loop_late"


def test_slow_by_less_than_we_were_away_is_doubtful(runner: Any) -> None:
    """Answered after 150 ms, 160 are allowed; we come back after 200."""
    with serving(late_answer) as late:
        spec = http(late, timeout_ms=3000, expect=Expect(max_latency_us=160_000))
        assert runner(blocking(0.18, spec))[0].inconclusive == "loop_late"


def test_a_silence_needs_no_witness(runner: Any) -> None:
    """We were away when max_latency passed, and awake when the timeout did."""
    with serving(servers.silent) as silent:
        spec = http(silent, timeout_ms=500, expect=Expect(max_latency_us=100_000))
        assert runner(blocking(0.25, spec))[0].failure == "timeout"


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_without_descriptors(runner: Any) -> None:
    async def job() -> list[Answer]:
        probers = [build(spec) for spec in specs]
        gc.collect()  # nothing of earlier tests may give a descriptor back meanwhile
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        taken = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            return [await check(prober) for prober in probers]
        finally:
            for fd in taken:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        specs = [http(port), TcpSpec("127.0.0.1", port), ExecSpec(("/bin/true",))]
        found = runner(job)
    assert [each.inconclusive for each in found] == ["no_descriptors"] * 3, found


def test_nothing_leaks_over_ten_thousand_checks(runner: Any) -> None:
    """Passes, fails and cancels in turn."""

    async def job() -> None:
        kinds = [
            http(good),
            http(bad),
            http(closed),
            TcpSpec("127.0.0.1", good),
            http(good, timeout_ms=1),
        ]
        probers = [build(spec, shared) for spec in kinds * 4]
        await asyncio.gather(*map(check, probers))
        before = descriptors()
        for turn in range(500):
            if turn % 10 == 0:
                for prober in probers:
                    prober.start(lambda _: None)
                    prober.cancel()
            await asyncio.gather(*map(check, probers))
        assert descriptors() <= before + 20  # the server has its own in this process

    shared, closed = Shared(), servers.closed_port()
    with quick(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as good, quick(b"\0\1") as bad:
        runner(job)


def test_a_check_leaves_no_work_for_the_garbage_collector(runner: Any) -> None:
    async def job() -> list[str]:
        probers = [build(http(good)), build(http(bad)), build(TcpSpec("127.0.0.1", good))]
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for prober in probers * 20:
                await check(prober)
            gc.collect()
            left = [type(each) for each in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        ours = ("healthguard", "httptools")
        return [str(each) for each in left if each.__module__.startswith(ours)]

    with serving(ok()) as good, serving(ok(status=b"abc")) as bad:
        assert runner(job) == []


NETWORK = """
import asyncio, subprocess, sys
from healthguard.probes import build
from healthguard.probes.spec import TcpSpec
from tests.probes.conftest import check, http

async def main():
    print((await check(build(http(80)))).inconclusive)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print((await check(build(TcpSpec("192.0.2.1", 80)))).inconclusive)
    print((await check(build(TcpSpec("2001:db8::1", 80)))).inconclusive)
    print((await check(build(http(1)))).failure)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
        ports.write("40000 40000")
    listener = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 9)
    reader, writer = await asyncio.open_connection("127.0.0.1", 9)  # takes the only port
    print((await check(build(http(9)))).inconclusive)
    writer.close()

asyncio.run(main())
"""


def test_a_broken_network_of_our_own() -> None:
    """In a network namespace: loopback down, no route, no local port left."""
    found = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", NETWORK],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    words = ["no_route", "no_route", "no_route", "refused", "no_local_port"]
    assert found.stdout.split() == words, found.stderr


@pytest.mark.parametrize(
    ("code", "local", "word"),
    [
        (errno.EHOSTUNREACH, False, ("unreachable", None)),
        (errno.EHOSTUNREACH, True, (None, "no_route")),
        (errno.ENETUNREACH, False, (None, "no_route")),
        (errno.ENOBUFS, False, (None, "no_memory")),
        (errno.ENFILE, False, (None, "no_descriptors")),
        (errno.EPERM, False, (None, "no_permission")),
        (errno.EIO, False, (None, "os_error")),
        (errno.ETIMEDOUT, False, ("timeout", None)),
    ],
)
def test_errors_of_the_system(code: int, local: bool, word: Any) -> None:
    assert classify(OSError(code, "x"), local=local) == word


def test_every_word_is_listed() -> None:
    words = {classify(OSError(code, ""), local=False) for code in errno.errorcode}
    assert {failure for failure, _ in words if failure} <= set(REASONS)
    assert {doubt for _, doubt in words if doubt} <= set(DOUBTS)


@contextlib.contextmanager
def quick(reply: bytes) -> Iterator[int]:
    """One thread and a loop of its own, for many connections."""
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    class Speaker(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(reply)
            self.transport.close()

    server = loop.run_until_complete(loop.create_server(Speaker, sock=listener))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.call_later, 0.1, loop.stop)
        thread.join()
        loop.close()


SPECS: list[Any] = [
    lambda port: http(port),
    lambda port: http(port, host="localhost"),
    lambda port: http(port, tls=True, verify=False),
    lambda port: TcpSpec("127.0.0.1", port),
    lambda port: ExecSpec(("/bin/sleep", "30")),
]


@pytest.mark.parametrize("make", SPECS)
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_cancelled_check_says_nothing_and_can_be_started_again(
    make: Any, pause: float, runner: Any
) -> None:
    async def job() -> int:
        said: list[Answer] = []
        prober = build(make(port))
        if pause and isinstance(make(port), TcpSpec):
            return 0  # has answered by then
        # The set of the sockets that are watched stays.
        before = descriptors() + (0 if isinstance(make(port), ExecSpec) else 1)
        for _ in range(3):
            prober.start(said.append)
            with pytest.raises(RuntimeError):
                prober.start(said.append)
            if pause:
                await asyncio.sleep(pause)
            prober.cancel()
            prober.cancel()
        for _ in range(500):
            if descriptors() <= before:
                break
            await asyncio.sleep(0.01)
        assert descriptors() <= before
        return len(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts, nobody else
        port = listener.getsockname()[1]
        assert runner(job) == 0


def test_done_is_never_called_from_inside_start(runner: Any) -> None:
    async def job() -> None:
        for spec in (http(port), http(closed), TcpSpec("127.0.0.1", port), ExecSpec(("/no",))):
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            build(spec).start(future.set_result)
            assert not future.done()
            await future

    closed = servers.closed_port()
    with serving(ok()) as port:
        runner(job)


def test_done_may_start_the_next_check(runner: Any, probe: Run) -> None:
    async def job() -> list[Answer]:
        found: list[Answer] = []
        end = asyncio.Event()
        prober = build(http(port))

        def done(answer: Answer) -> None:
            found.append(answer)
            if len(found) == 50:
                end.set()
            else:
                prober.start(done)

        prober.start(done)
        await end.wait()
        return found

    with serving(ok()) as port:
        assert [each.status for each in runner(job)] == [200] * 50


def test_silent_resolvers_block_neither_others_nor_the_end(runner: Any) -> None:
    gate = threading.Event()

    async def job() -> None:
        shared = Shared()
        for _ in range(MAX_THREADS):
            assert shared.in_thread(gate.wait, lambda _: None)
        named = await check(build(http(port, host="localhost"), shared))
        assert named.inconclusive == "dns"
        assert (await check(build(http(port), shared))).status == 200
        gate.set()
        for _ in range(500):
            again = await check(build(http(port, host="localhost", timeout_ms=2000), shared))
            if again.inconclusive is None:
                return
            await asyncio.sleep(0.01)
        pytest.fail("the threads were never given back")

    with serving(ok()) as port:
        try:
            runner(job)
        finally:
            gate.set()
