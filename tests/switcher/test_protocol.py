"""What the switcher answers, to good clients and to bad ones."""

import hashlib
import json
import os
import socket
import subprocess
import sys

import pytest

from tests.support.eventually import eventually
from tests.switcher.service import Service, read_answer, talk

COMMIT = {
    "do": "commit",
    "switch_id": "t-1",
    "pool": "threader",
    "ticket": "x",
    "origin": "blue",
    "to": "green",
    "undo_unclear": False,
}


def test_prepare_commit_result(service: Service) -> None:
    digest = hashlib.sha256(service.config.read_bytes()).hexdigest()
    tested = service.ask(do="prepare", pool="threader", upstream="green")
    assert tested["test"]["ticket"] == "ticket-green"
    assert tested["config"] == {"digest": digest, "problem": ""}
    done = service.ask(**COMMIT)["done"]
    assert (done["outcome"], done["recovered"]) == ("completed", False)
    again = service.ask(do="result", switch_id="t-1")["recovered"]
    assert (again["pool"], again["to"]) == ("threader", "green")
    assert again["done"]["recovered"]
    assert service.ask(**COMMIT)["done"]["recovered"], "the same id again is not done again"
    assert service.acts() == ["prepare threader green", "begun t-1", "ended t-1"]


def test_several_requests_on_one_connection(service: Service) -> None:
    with service.connect() as client:
        for _ in range(3):
            assert talk(client, b'{"do":"ping"}\n')["pong"]


def test_results_survive_the_service(service: Service) -> None:
    service.ask(**COMMIT)
    service.kill9()
    service.start()
    assert service.ask(do="result", switch_id="t-1")["recovered"]["done"]["outcome"] == "completed"
    [last] = service.ask(do="reconcile")["recovered"]
    assert (last["switch_id"], last["done"]["recovered"]) == ("t-1", True)


BAD = {
    "garbage": b"\x00\xff\x17 garbage\n",
    "empty line": b"\n",
    "list": b"[1]\n",
    "no verb": b"{}\n",
    "unknown verb": b'{"do":"rm -rf"}\n',
    "verb of a wrong type": b'{"do":["ping"]}\n',
    "unknown field": b'{"do":"ping","x":1}\n',
    "missing field": b'{"do":"prepare","pool":"threader"}\n',
    "wrong type": b'{"do":"prepare","pool":"threader","upstream":7}\n',
    "number for bool": json.dumps({**COMMIT, "undo_unclear": 1}).encode() + b"\n",
    "no id": json.dumps({**COMMIT, "switch_id": ""}).encode() + b"\n",
    "long id": json.dumps({**COMMIT, "switch_id": "x" * 201}).encode() + b"\n",
    "deep": b"[" * 50_000 + b"\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_requests_are_refused_with_a_reason(service: Service, kind: str) -> None:
    with service.connect() as client:
        answer = talk(client, BAD[kind])
        assert answer["error"]["code"] == "bad_request"
        assert answer["error"]["message"]
        assert client.recv(1) == b"", "and the connection is closed"
    assert service.ask(do="ping")["pong"]
    assert service.acts() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pool": "../etc"}, "unknown_pool"),
        ({"to": "red"}, "unknown_upstream"),
        ({"origin": "red"}, "unknown_upstream"),
    ],
)
def test_what_is_not_configured_is_refused(
    service: Service, change: dict[str, str], code: str
) -> None:
    assert service.ask(**{**COMMIT, **change})["error"]["code"] == code
    assert service.acts() == []


def test_a_prepare_of_something_unknown_is_refused(service: Service) -> None:
    answer = service.ask(do="prepare", pool="threader", upstream="../../evil")
    assert answer["error"]["code"] == "unknown_upstream"


def test_a_request_without_end_is_cut(service: Service) -> None:
    with service.connect() as client:
        client.sendall(b"x" * 70_000)
        assert read_answer(client)["error"]["code"] == "too_large"
    assert service.ask(do="ping")["pong"]


@pytest.mark.parametrize("said", [b"", b'{"do":"pi'], ids=["silent", "half"])
def test_slow_clients_are_cut(service: Service, said: bytes) -> None:
    with service.connect() as client:
        client.sendall(said)
        assert read_answer(client)["error"]["code"] == "timeout"
        assert client.recv(1) == b""


def test_the_ninth_connection_is_told_so(service: Service) -> None:
    many = [service.connect() for _ in range(9)]
    try:
        assert read_answer(many[8])["error"]["code"] == "busy"
    finally:
        for client in many:
            client.close()
    eventually(lambda: "pong" in service.ask(do="ping"), within=10)


STRANGER = """
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    client.connect(sys.argv[1])
except PermissionError:
    print("permission")
    sys.exit()
client.sendall(b'{"do":"ping"}\\n')
print(client.recv(65536).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_strangers_are_kept_out_twice(service: Service) -> None:
    command = [sys.executable, "-c", STRANGER, str(service.path)]

    def ask() -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert ask().strip() == "permission", "by the mode of the socket"
    service.path.chmod(0o666)
    assert json.loads(ask())["error"]["code"] == "forbidden"
    assert "refused a request from uid 65534" in service.log()
    service.path.chmod(0o600)


def test_a_live_socket_is_never_taken_away(service: Service) -> None:
    inode = service.path.stat().st_ino
    second = subprocess.run(
        service.command(), env=service.environ, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "another switcher already uses this socket" in second.stderr
    # Neither without the lock file.
    (service.path.parent / f".{service.path.name}.lock").unlink()
    third = subprocess.run(
        service.command(), env=service.environ, capture_output=True, text=True, check=False
    )
    assert third.returncode == 1
    assert "another process is listening" in third.stderr
    assert service.path.stat().st_ino == inode
    assert service.ask(do="ping")["pong"]


def test_a_dead_socket_is_replaced_and_a_file_is_not(stopped: Service) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stopped.path))
    stopped.start()
    assert stopped.ask(do="ping")["pong"]
    stopped.kill9()
    stopped.path.unlink()
    stopped.path.write_text("precious")
    ended = subprocess.run(
        stopped.command(), env=stopped.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert stopped.path.read_text() == "precious"


def test_without_a_socket_to_listen_on_it_says_so(stopped: Service) -> None:
    ended = subprocess.run(
        stopped.command("-"), env=stopped.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "inline" in ended.stderr


def test_the_socket_of_the_configuration(stopped: Service) -> None:
    text = stopped.config.read_text()
    stopped.config.write_text(f"nginx:\n  switcher: {stopped.path}\n{text}")
    with stopped.log_file.open("ab") as log:
        stopped.process = subprocess.Popen(stopped.command("-"), env=stopped.environ, stderr=log)
    eventually(stopped.listens, within=20)
    assert stopped.path.stat().st_mode & 0o777 == 0o600
