"""A switch without the daemon, on a real nginx."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from healthguard.assembly import build_switcher
from healthguard.config import load
from healthguard.core.events import Commit
from healthguard.core.model import Done, Outcome, PrepareFact
from healthguard.nginx import lock
from healthguard.nginx.ports import Recovered
from healthguard.standalone.switch import Seams, switch
from tests.support.eventually import eventually
from tests.support.nginx import NginxSandbox, occupied
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


class Host:
    """An nginx, a configuration for it, and the event log."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nginx = NginxSandbox(root / "nginx")
        self.config = root / "healthguard.yaml"
        self.log = root / "log" / "events.jsonl"
        self.log.parent.mkdir()
        self.disable = root / "DISABLE"
        self.write()

    def write(self, **changes: Any) -> None:
        ports = {colour: self.port(colour) for colour in ("blue", "green")}
        pool = {
            "link": str(self.nginx.link()),
            "health": {"fast_interval": "50ms"},
            "upstreams": {
                colour: {
                    "config": self.nginx.file(colour).name,
                    "probes": [{"http": f"http://127.0.0.1:{port}/", "expect": {"body": colour}}],
                }
                for colour, port in ports.items()
            },
            "confirm": {"url": f"http://127.0.0.1:{self.nginx.marker_ports['app']}/app"},
            **changes,
        }
        whole = {
            "nginx": {
                "config": str(self.nginx.config),
                "reload": "signal",
                "confirm_timeout": "3s",
            },
            "daemon": {
                "state_dir": str(self.root / "state"),
                "event_log": str(self.log),
                "control_socket": str(self.root / "control.sock"),
            },
            "pools": {"app": pool},
        }
        self.config.write_text(yaml.safe_dump(whole))

    def port(self, colour: str) -> int:
        text = self.nginx.file(colour).read_text()
        return int(text.split("127.0.0.1:")[1].split(";")[0])

    def switch(self, to: str, *, force: bool = False, dry_run: bool = False) -> Outcome:
        seams = Seams(disable_file=self.disable)
        return switch(self.config, "app", to, "because", force, dry_run, seams)

    def events(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    # Not pytest's folder: another user must be able to come as far as the log.
    with tempfile.TemporaryDirectory(prefix="healthguard-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("RUNTIME_DIRECTORY", f"{folder}/run")
        made = Host(Path(folder))
        with made.nginx:
            yield made


def test_it_switches_and_leaves_the_events(host: Host) -> None:
    outcome = switch(host.config, "app", "green", "because", False, False)
    assert outcome.code == 0, outcome
    assert outcome.data["changed"]
    assert (host.nginx.linked(), host.nginx.get(), host.nginx.marker()) == ("green",) * 3
    started, completed = host.events()
    assert started["event"] == "switch_started"
    assert completed["event"] == "switch_completed"
    for event in (started, completed):
        assert (event["from"], event["to"], event["pool"]) == ("blue", "green", "app")
        assert (event["trigger"], event["reason"]) == ("manual", "because")
        assert event["standalone"]
        assert event["actor"]["uid"] == os.getuid()
        assert event["actor"]["pid"] == os.getpid()
    assert completed["switch"] == started["id"] == outcome.data["id"]
    assert completed["confirm"] == "proven"
    assert {"prepare", "swap", "reload", "confirm", "total"} <= set(completed["timings_ms"])
    assert host.switch("blue").code == 0, "and back"


def test_what_is_active_already_is_left_alone(host: Host) -> None:
    outcome = host.switch("blue")
    assert (outcome.code, outcome.data["changed"]) == (0, False)
    assert host.names() == []


def test_what_the_link_names_but_nginx_does_not_use_is_reloaded(host: Host) -> None:
    host.nginx.point("green")
    assert host.nginx.get() == "blue"
    outcome = host.switch("green")
    assert outcome.code == 0, outcome
    assert host.nginx.get() == "green"
    assert host.names() == ["switch_started", "switch_completed"]


def test_a_dry_run_changes_nothing_and_shows_the_gates(host: Host) -> None:
    outcome = host.switch("green", dry_run=True)
    assert (outcome.code, outcome.data["dry_run"]) == (0, True)
    gates: Any = outcome.data["gates"]
    assert [gate["gate"] for gate in gates if gate["closed"]] == []
    assert host.nginx.linked() == "blue"
    assert host.names() == []
    assert not (host.root / "state").exists()


@pytest.mark.parametrize(
    ("pool", "upstream", "said"),
    [("apps", "green", "did you mean 'app'"), ("app", "gren", "did you mean 'green'")],
)
def test_unknown_names_are_usage(host: Host, pool: str, upstream: str, said: str) -> None:
    outcome = switch(host.config, pool, upstream, "", False, False)
    assert outcome.code == 2
    assert said in outcome.message


def test_a_bad_configuration_is_usage(host: Host) -> None:
    host.config.write_text("nonsense: 1\n")
    outcome = host.switch("green")
    assert (outcome.code, outcome.error) == (2, "config")
    assert "nonsense" in outcome.message


def test_disabled_is_a_gate_that_force_passes(host: Host) -> None:
    host.disable.write_text("maintenance")
    outcome = host.switch("green")
    assert (outcome.code, outcome.error) == (1, "disabled")
    assert "maintenance" in outcome.message
    assert host.names() == ["order_refused"]
    assert host.events()[0]["gate"] == "disabled"
    forced = host.switch("green", force=True)
    assert forced.code == 0, forced
    assert "disabled" in str(forced.data["warnings"])
    assert host.nginx.linked() == "green"


def test_a_standby_that_is_not_up_is_a_gate_that_force_passes(host: Host) -> None:
    text = host.nginx.file("green").read_text()
    host.nginx.file("green").write_text(text.replace(str(host.port("green")), str(free_port())))
    host.write()
    outcome = host.switch("green")
    assert (outcome.code, outcome.error) == (1, "standby_not_up")
    assert "refused" in outcome.message
    assert host.nginx.linked() == "blue"
    forced = host.switch("green", force=True)
    assert forced.code == 0, forced
    assert host.nginx.marker() == "green"


def test_a_broken_candidate_is_refused_even_with_force(host: Host) -> None:
    host.nginx.file("green").write_text("nonsense;\n" + host.nginx.file("green").read_text())
    for force in (False, True):
        outcome = host.switch("green", force=force)
        assert (outcome.code, outcome.error) == (1, "config_invalid")
        assert "nonsense" in outcome.message
    assert host.nginx.linked() == "blue"


def test_a_link_that_is_a_file_is_refused_even_with_force(host: Host) -> None:
    content = host.nginx.file("blue").read_text()
    host.nginx.link().unlink()
    host.nginx.link().write_text(content)
    outcome = host.switch("green", force=True)
    assert (outcome.code, outcome.error) == (1, "link_unmanaged")
    assert host.nginx.link().read_text() == content


def test_a_stopped_nginx_is_refused_even_with_force(host: Host) -> None:
    assert host.nginx.master is not None
    os.kill(host.nginx.master, signal.SIGQUIT)
    eventually(lambda: not host.nginx.pid_file.exists())
    outcome = host.switch("green", force=True)
    assert (outcome.code, outcome.error) == (1, "nginx_down")
    assert host.nginx.linked() == "blue"


def test_another_switch_of_this_nginx_is_a_gate(host: Host) -> None:
    held = lock.try_lock(host.nginx.config, lock.ACT)
    assert isinstance(held, lock.Held)
    with held:
        outcome = host.switch("green")
    assert (outcome.code, outcome.error) == (1, "switch_in_flight")
    assert str(os.getpid()) in outcome.message
    assert host.switch("green").code == 0


def test_what_nginx_refuses_silently_is_undone(host: Host) -> None:
    port = free_port()
    green = host.nginx.file("green")
    green.write_text(green.read_text() + f"server {{ listen 127.0.0.1:{port}; }}\n")
    with occupied(port):
        outcome = host.switch("green")
    assert outcome.code == 4, outcome
    assert (host.nginx.linked(), host.nginx.get()) == ("blue", "blue")
    assert host.names() == ["switch_started", "switch_undone"]


@pytest.mark.parametrize("origin_up", [True, False])
def test_an_unclear_end_is_undone_only_if_there_is_something_good_to_go_back_to(
    host: Host, origin_up: bool
) -> None:
    probes = {"blue": host.port("blue") if origin_up else free_port(), "green": host.port("green")}
    upstreams = {
        colour: {"config": host.nginx.file(colour).name, "probes": [{"tcp": f"127.0.0.1:{port}"}]}
        for colour, port in probes.items()
    }
    silent = {"url": f"http://127.0.0.1:{free_port()}/app"}
    host.write(confirm=silent, upstreams=upstreams)
    outcome = host.switch("green")
    assert outcome.data["confirm"] == "unclear", outcome
    # Back on what was proven before, and the reload was seen: undone. Left on the new one with
    # the marker silent: a person must look.
    end = (4, "switch_undone") if origin_up else (5, "switch_lost")
    assert (outcome.code, host.names()[-1]) == end
    there = "blue" if origin_up else "green"
    assert (host.nginx.linked(), host.nginx.get()) == (there, there)


def test_an_event_log_that_cannot_be_written_is_told_and_stops_nothing(host: Host) -> None:
    host.log.mkdir()
    outcome = host.switch("green")
    assert outcome.code == 0, outcome
    assert "missing from the event log" in str(outcome.data["warnings"])
    assert host.nginx.get() == "green"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_root_writes_the_log_as_the_owner_of_its_folder(host: Host) -> None:
    os.chown(host.log.parent, 65534, 65534)
    precious = host.root / "precious"
    precious.write_text("")
    assert host.switch("green").code == 0
    assert host.log.stat().st_uid == 65534
    assert host.names() == ["switch_started", "switch_completed"]
    host.log.unlink()
    host.log.symlink_to(precious)
    assert "missing from the event log" in str(host.switch("blue").data["warnings"])
    assert precious.read_text() == "", "root was not led elsewhere"


def test_beside_a_daemon_it_says_that_the_daemon_should_be_asked(host: Host) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(host.root / "control.sock"))
        daemon.listen()
        outcome = host.switch("green")
    assert outcome.code == 0, outcome
    assert "healthguard switch app green" in str(outcome.data["warnings"])
    assert "the daemon is running" in str(outcome.data["warnings"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_the_guard_of_another_user_is_not_used_behind_its_back(host: Host) -> None:
    (host.root / "state").mkdir()
    os.chown(host.root / "state", 65534, 65534)
    outcome = host.switch("green")
    assert (outcome.code, outcome.error) == (3, "forbidden")
    assert "65534" in outcome.message
    assert host.nginx.linked() == "blue"


COMMAND = """
import sys
from pathlib import Path
from healthguard.standalone.switch import Seams, switch
outcome = switch(Path(sys.argv[1]), "app", "green", seams=Seams(disable_file=Path(sys.argv[2])))
print(outcome.message)
sys.exit(outcome.code)
"""


def start(host: Host) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(host.config), str(host.disable)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_key_press_in_the_middle_lets_it_end(host: Host) -> None:
    port = free_port()
    green = host.nginx.file("green")
    green.write_text(green.read_text() + f"server {{ listen 127.0.0.1:{port}; }}\n")
    with occupied(port):  # makes the confirmation last seconds
        process = start(host)
        eventually(lambda: host.nginx.linked() == "green", within=20, step=0.005)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(number)
        said, warned = process.communicate(timeout=40)
    assert process.returncode == 4, said + warned
    assert "finishing the running switch first" in warned
    assert host.nginx.linked() == "blue"
    assert host.names() == ["switch_started", "switch_undone"]


def test_killed_in_the_middle_the_next_one_puts_it_right_first(host: Host) -> None:
    port = free_port()
    green = host.nginx.file("green")
    good = green.read_text()
    green.write_text(good + f"server {{ listen 127.0.0.1:{port}; }}\n")
    with occupied(port):
        process = start(host)
        eventually(lambda: host.nginx.linked() == "green", within=20, step=0.005)
        process.kill()
        process.communicate(timeout=20)
    green.write_text(good)
    outcome = host.switch("green")
    assert outcome.code == 0, outcome
    assert (host.nginx.linked(), host.nginx.get()) == ("green", "green")
    assert not [p for p in host.nginx.links_dir.iterdir() if p.name.startswith(".")]
    assert stat.S_ISLNK(host.nginx.link().lstat().st_mode)


class Odd:
    """Prepares like the real one; its commit ends as ``end`` says."""

    def __init__(self, host: Host, end: Done | Exception) -> None:
        self._real = build_switcher(load(host.config))
        self._end = end

    async def prepare(self, pool: str, upstream: str) -> PrepareFact:
        return await self._real.prepare(pool, upstream)

    async def commit(self, _order: Commit) -> Done:
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    async def reconcile(self) -> tuple[Recovered, ...]:
        return ()


def test_an_end_that_the_switcher_does_not_know_is_found_out(host: Host) -> None:
    """Its connection broke: link and workers tell, and nobody waits for ever."""
    seams = Seams(host.disable, Odd(host, Done("")))
    outcome = switch(host.config, "app", "green", "because", seams=seams)
    assert (outcome.code, outcome.error) == (4, "undone"), outcome
    assert host.names() == ["switch_started", "switch_undone"]


def test_a_switcher_that_breaks_leaves_it_to_a_person(host: Host) -> None:
    seams = Seams(host.disable, Odd(host, RuntimeError("broken")))
    outcome = switch(host.config, "app", "green", "because", seams=seams)
    assert (outcome.code, outcome.error) == (5, "lost"), outcome
    assert "broken" in outcome.message
