"""tcp and exec."""

import contextlib
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from healthguard.probes.spec import ExecSpec, TcpSpec
from tests.probes import servers
from tests.probes.conftest import Run
from tests.probes.servers import serving
from tests.support.eventually import eventually


def test_a_connection_is_a_pass(probe: Run, tmp_path: Path) -> None:
    with serving(servers.silent) as port:
        found = probe(TcpSpec("127.0.0.1", port))
        assert (found.failure, found.inconclusive, found.status) == (None, None, None)
    path = str(tmp_path / "sock")
    with serving(servers.silent, unix=path):
        assert probe(TcpSpec("", 0, path)).failure is None
    assert probe(TcpSpec("", 0, path)).failure == "refused"
    assert probe(TcpSpec("127.0.0.1", port)).failure == "refused"


def test_a_full_queue_does_not_accept(probe: Run) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        found = probe(TcpSpec("127.0.0.1", listener.getsockname()[1], timeout_ms=300))
    assert (found.failure, found.inconclusive) == ("timeout", None)


def shell(script: str, timeout_ms: int = 5000) -> ExecSpec:
    return ExecSpec(("/bin/sh", "-c", script), timeout_ms)


@pytest.mark.parametrize(
    ("spec", "failure", "doubt", "detail"),
    [
        (ExecSpec(("/bin/true",), 5000), None, None, ""),
        (shell("echo oops; exit 3"), "exit", None, "exit status 3"),
        (shell("kill -SEGV $$"), "exit", None, "killed by SIGSEGV"),
        (shell("exec sleep 30", 200), "timeout", None, "killed"),
        (shell("exec yes", 200), "timeout", None, "killed"),
        (shell("trap '' TERM INT; while :; do sleep 1; done", 200), "timeout", None, "killed"),
        (ExecSpec(("/no/such/command",), 5000), None, "no_command", "/no/such/command"),
        (ExecSpec(("/etc/passwd",), 5000), None, "no_permission", "/etc/passwd"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_exec(spec: ExecSpec, failure: Any, doubt: Any, detail: str, probe: Run) -> None:
    found = probe(spec)
    assert (found.failure, found.inconclusive) == (failure, doubt), found
    assert detail in found.detail
    if failure == "exit" and "echo" in spec.argv[-1]:
        assert found.excerpt == "oops\n"


@pytest.mark.parametrize("script", ["sleep 60 & echo $! >{0}; wait", "sleep 60 & echo $! >{0}"])
def test_nothing_of_a_command_outlives_it(script: str, probe: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    probe(shell(script.format(note), 500))
    pid = int(note.read_text())
    eventually(lambda: not _alive(pid), within=5)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_command_has_no_input_and_none_of_our_sockets(probe: Run, monkeypatch: Any) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert probe(shell('read x && exit 1; [ -z "$NOTIFY_SOCKET" ]')).failure is None


def test_it_does_not_wait_for_a_pipe_that_a_grandchild_holds(probe: Run) -> None:
    begun = time.monotonic()
    assert probe(shell("sleep 30 & exit 0")).failure is None
    assert time.monotonic() - begun < 10
