"""What was begun is finished; what was killed is found again; how the service starts and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.switcher.service import CONFIG, Service, read_answer
from tests.switcher.test_protocol import COMMIT

LINE = json.dumps(COMMIT).encode() + b"\n"


def begin(service: Service) -> socket.socket:
    """A client whose commit is under way and held there."""
    service.hold()
    client = service.connect()
    client.sendall(LINE)
    eventually(lambda: service.acts() == ["begun t-1"])
    return client


def test_a_commit_is_finished_without_its_client(service: Service) -> None:
    begin(service).close()
    service.release()
    eventually(lambda: service.acts() == ["begun t-1", "ended t-1"])
    answer = service.ask(do="result", switch_id="t-1")
    assert answer["recovered"]["done"]["outcome"] == "completed"


def test_asking_for_the_result_waits_for_the_end(service: Service) -> None:
    begin(service).close()
    with service.connect() as client, service.connect() as same:
        client.sendall(b'{"do":"result","switch_id":"t-1"}\n')
        same.sendall(LINE)
        service.release()
        assert read_answer(client)["recovered"]["done"]["outcome"] == "completed"
        assert read_answer(same)["done"]["outcome"] == "completed", "joined, not done twice"
    assert service.acts() == ["begun t-1", "ended t-1"]


def test_sigterm_waits_for_the_commit_and_its_answer(service: Service) -> None:
    client = begin(service)
    service.send(signal.SIGTERM)
    eventually(lambda: not service.listens(), what="nobody new is let in")
    assert service.process is not None
    assert service.process.poll() is None
    service.release()
    assert read_answer(client)["done"]["outcome"] == "completed"
    assert service.wait() == 0
    assert not service.path.exists()
    client.close()


def test_killed_in_the_middle_it_is_reconciled_at_the_next_start(service: Service) -> None:
    client = begin(service)
    service.kill9()
    client.close()
    service.release()
    service.start()
    eventually(lambda: service.acts() == ["begun t-1", "recovered t-1"])
    done = service.ask(do="result", switch_id="t-1")["recovered"]["done"]
    assert (done["outcome"], done["message"]) == ("completed", "put right")
    assert "t-1: recovered" in service.log()


def test_sigterm_waits_for_the_reconcile_of_the_start(service: Service) -> None:
    begin(service).close()
    service.kill9()
    service.hold("hold-reconcile")
    service.start()
    service.send(signal.SIGTERM)
    eventually(lambda: not service.listens())
    assert service.process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(0.5)
    service.release("hold-reconcile")
    assert service.wait() == 0
    assert service.acts() == ["begun t-1", "recovered t-1"]


def test_two_commits_are_done_one_after_the_other(service: Service) -> None:
    first = begin(service)
    with service.connect() as second:
        second.sendall(LINE.replace(b"t-1", b"t-2"))
        assert service.ask(do="ping")["pong"], "others are served meanwhile"
        assert service.acts() == ["begun t-1"]
        service.release()
        assert read_answer(second)["done"]["outcome"] == "completed"
    assert service.acts() == ["begun t-1", "ended t-1", "begun t-2", "ended t-2"]
    first.close()


def test_who_leaves_while_waiting_gets_nothing_done(service: Service) -> None:
    first = begin(service)
    second = service.connect()
    second.sendall(LINE.replace(b"t-1", b"t-2"))
    service.ask(do="ping")
    second.close()
    service.release()
    done = service.ask(do="result", switch_id="t-2").get("recovered", {}).get("done")
    assert done is None or done["outcome"] == "refused"
    read_answer(first)
    eventually(lambda: service.acts() == ["begun t-1", "ended t-1"])
    assert "begun t-2" not in service.acts()
    first.close()


def test_a_request_found_after_its_client_has_left_is_not_begun(service: Service) -> None:
    service.send(signal.SIGSTOP)
    with service.connect() as client:
        client.sendall(LINE)
    service.send(signal.SIGCONT)
    eventually(lambda: "the requester had disconnected" in service.log())
    assert service.acts() == []
    done = service.ask(do="result", switch_id="t-1")["recovered"]["done"]
    assert (done["outcome"], done["gate"]) == ("refused", "switcher_unavailable")


def test_what_was_given_up_is_not_begun_later(service: Service) -> None:
    answer = service.ask(do="result", switch_id="t-1")
    assert answer["error"]["code"] == "unknown_switch"
    assert service.ask(**COMMIT)["done"]["outcome"] == "refused"
    assert service.acts() == []


def test_a_switcher_that_fails_is_not_taken_for_a_refusal(service: Service) -> None:
    done = service.ask(**{**COMMIT, "ticket": "explode"})["done"]
    assert done["outcome"] == ""
    assert "is unknown" in done["message"]
    assert "boom" in service.log()
    assert service.ask(do="ping")["pong"]
    [found] = service.ask(do="reconcile")["recovered"]
    assert found["switch_id"] == "t-1"


# --------------------------------------------------------------- the configuration


def test_a_broken_edit_does_not_stop_a_switch(service: Service) -> None:
    digest = service.ask(do="ping")["config"]["digest"]
    service.config.write_text(CONFIG + "nonsense: 1\n")
    answer = service.ask(do="ping")
    assert answer["config"]["digest"] == digest
    assert "nonsense" in answer["config"]["problem"]
    assert service.ask(**COMMIT)["done"]["outcome"] == "completed"
    # Nor after a restart, nor without any file.
    service.kill9()
    service.start()
    assert service.ask(do="ping")["config"]["digest"] == digest
    service.config.unlink()
    assert service.ask(do="prepare", pool="threader", upstream="green")["test"]["ticket"]
    assert "last valid configuration" in service.log()


def test_a_good_edit_is_used_at_once(service: Service) -> None:
    digest = service.ask(do="ping")["config"]["digest"]
    service.config.write_text(CONFIG.replace("green", "red"))
    answer = service.ask(do="prepare", pool="threader", upstream="red")
    assert answer["test"]["ticket"]
    assert answer["config"]["digest"] != digest
    assert service.ask(**COMMIT)["error"]["code"] == "unknown_upstream"


def test_without_any_valid_configuration_nothing_is_done(service: Service) -> None:
    service.kill9()
    for file in service.state.glob("last-valid*"):
        file.unlink()
    service.config.write_text("{")
    service.start()
    assert service.ask(**COMMIT)["error"]["code"] == "no_config"
    service.config.write_text(CONFIG)
    assert service.ask(**COMMIT)["done"]["outcome"] == "completed"


def test_a_file_that_others_may_write_is_not_obeyed(service: Service) -> None:
    service.ask(do="ping")
    service.config.chmod(0o666)
    service.config.write_text(CONFIG.replace("green", "red"))
    assert "the file is writable by group or others" in service.ask(do="ping")["config"]["problem"]
    assert "error" in service.ask(do="prepare", pool="threader", upstream="red")
    service.config.chmod(0o644)
    service.config.parent.chmod(0o777)
    service.config.write_text(CONFIG.replace("green", "red "))
    assert (
        "the folder is writable by group or others" in service.ask(do="ping")["config"]["problem"]
    )


def test_a_full_or_missing_state_folder_does_not_stop_a_switch(service: Service) -> None:
    service.kill9()
    # The fake needs a place of its own; the store's file cannot be written.
    (service.state / "switches.json").unlink(missing_ok=True)
    (service.state / "switches.json").mkdir()
    (service.state / "switches.json" / "x").touch()
    service.start()
    assert service.ask(**COMMIT)["done"]["outcome"] == "completed"
    assert "recovered" in service.ask(do="result", switch_id="t-1")


# --------------------------------------------------------------- socket activation

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "1"
os.execv(sys.argv[2], sys.argv[2:])
"""


def activate(service: Service, listening: socket.socket, idle_s: float) -> None:
    """Start it as systemd does: the listening socket is its descriptor 3."""
    command = [sys.executable, "-c", ACTIVATE, str(listening.fileno())]
    with service.log_file.open("ab") as log:
        service.process = subprocess.Popen(
            [*command, *service.command("-", idle_s)],
            env=service.environ,
            stderr=log,
            pass_fds=[listening.fileno()],
        )


def listening_at(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(os.fspath(path))
    sock.listen(16)
    return sock


def test_socket_activation_ends_when_idle_and_comes_again(stopped: Service) -> None:
    with listening_at(stopped.path) as listening:
        for _ in range(2):
            with stopped.connect() as client:  # before the service is there
                client.sendall(b'{"do":"ping"}\n')
                activate(stopped, listening, idle_s=0.3)
                assert read_answer(client)["pong"]
            assert stopped.wait() == 0, stopped.log()
        assert stopped.path.exists(), "the socket is systemd's"
        assert stopped.process is not None


def test_it_does_not_end_for_idleness_while_it_works(stopped: Service) -> None:
    with listening_at(stopped.path) as listening:
        activate(stopped, listening, idle_s=0.3)
        begin(stopped).close()
        assert stopped.process is not None
        with pytest.raises(subprocess.TimeoutExpired):
            stopped.process.wait(1.5)
        stopped.release()
        assert stopped.wait() == 0
    assert stopped.acts() == ["begun t-1", "ended t-1"]


def test_a_wrong_descriptor_is_refused(stopped: Service) -> None:
    with socket.socket(socket.AF_INET) as wrong:
        wrong.bind(("127.0.0.1", 0))
        wrong.listen()
        activate(stopped, wrong, idle_s=5)
        assert stopped.wait() == 2
    assert "unix socket" in stopped.log()
