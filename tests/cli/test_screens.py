"""What people see, and how it ends."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from healthguard.core.model import Outcome
from tests.cli.conftest import Cli
from tests.control.fakes import FakeGuard, pool_view, proposal_view
from tests.support.eventually import eventually_async
from tests.support.views import dependency


async def test_status_is_an_aligned_table_without_colours_in_a_pipe(cli: Cli) -> None:
    ended = await cli("status")
    lines = ended.out.splitlines()
    header, threader, billing = lines[4:7]
    for word in ("ACTIVE", "PHASE", "HOLD", "ROLLBACK", "UPSTREAMS"):
        at = header.index(word)
        assert threader[at - 1] == billing[at - 1] == " "
        assert threader[at] == billing[at] != " "
    assert "\x1b" not in ended.out
    for said in (
        "configuration is INVALID",
        "the last reload of /etc/hg.yaml failed",
        "the switcher works with another one",
        "threader: latched",
        "threader: paused for another 10m by alice: db work",
        "threader: blue is baking, 1m 30s left",
        "threader: green has been known bad",
        "threader: hold standby_not_up: green has 0 of 2 needed passes",
    ):
        assert said in ended.out


async def test_status_of_one_pool_shows_its_probes(cli: Cli) -> None:
    ended = await cli("status", "threader")
    assert "billing" not in ended.out
    assert "120 passes" in ended.out
    assert "fail, status, expected 200-299, status 503, 4.0 ms" in ended.out


async def test_why_is_everything_about_a_pool(cli: Cli) -> None:
    ended = await cli("why", "threader")
    for said in (
        "threader: blue is active since 2024-05-01 11:00:00+00:00",
        "proven by the marker",
        "rollback unavailable: standby_not_up: green has 0 of 2 needed passes",
        "verdict       hold",
        "detection_ms  2.1s",
        "evidence      health: fail, status, expected 200-299, status 503, 0.8 ms",
        "budget: 1 of 2 used per 10m, 1 of 4 today",
        "standby_not_up  CLOSED   green has 0 of 2 needed passes",
        "config_invalid  pending  not tested",
        "disabled        open     no such file",
        "green must pass 2 more times",
        "healthguard switch threader green --force",
    ):
        assert said in ended.out, ended.out


async def test_status_and_why_show_an_open_proposal_and_how_to_approve_it(
    cli: Cli, guard: FakeGuard
) -> None:
    guard.changes = {"proposal": proposal_view()}
    for words in (("status",), ("status", "threader"), ("why", "threader")):
        out = (await cli(*words)).out
        assert "PROPOSAL blue -> green has waited for approval for 2h: blue has been failing" in out
        assert "approve it: healthguard approve threader --id threader-k3-7" in out
    by_hand = out.split("by hand\n")[1].splitlines()
    assert by_hand[0].strip() == "healthguard approve threader --id threader-k3-7"
    assert by_hand[1].strip() == "healthguard reject threader"


async def test_status_and_why_show_releases(cli: Cli, guard: FakeGuard) -> None:
    upstreams = pool_view("threader").upstreams
    green = replace(upstreams["green"], release="1.5.0", release_status="bad")
    guard.changes = {"upstreams": {**upstreams, "green": green}}
    assert "blue up, green down (1.5.0, bad)" in (await cli("status")).out
    assert "standby (1.5.0, bad)" in (await cli("status", "threader")).out
    assert "standby (1.5.0, bad)" in (await cli("why", "threader")).out


async def test_status_shows_dependencies_in_the_way_and_why_all(cli: Cli, guard: FakeGuard) -> None:
    guard.changes = {
        "dependencies": {
            "database": dependency("down", True, "fail", "refused"),
            "identity": dependency("down", False, "fail", "refused"),
            "mail": dependency("up", False),
        }
    }
    status = (await cli("status", "threader")).out
    failed = r"\(fail, refused, 1\.5 ms, \S+ \S+ ago\)"
    assert re.search(rf"dependency database is down {failed}: no automatic switch", status)
    assert re.search(rf"dependency identity is down {failed}: no veto, see `why`", status)
    assert "mail" not in status
    why = (await cli("why", "threader")).out
    assert re.search(r"database +down +VETOES +fail", why)
    assert re.search(r"mail +up +no veto +pass", why)


async def test_proposals_say_what_why_and_how(cli: Cli, guard: FakeGuard) -> None:
    ended = await cli("proposals")
    assert (ended.code, ended.out) == (0, "no proposal is open\n")
    guard.open = [proposal_view(), proposal_view("billing")]
    assert (await cli("proposals")).out.splitlines()[:6] == [
        "threader: blue -> green, open for 2h, id threader-k3-7",
        "  why      blue has been failing for 3s: 3 checks in a row failed: connection refused",
        "  held by  known_bad, mode",
        "  approve  healthguard approve threader --id threader-k3-7",
        "  reject   healthguard reject threader",
        "billing: blue -> green, open for 2h, id threader-k3-7",
    ]


async def test_releases_are_a_table_with_the_latest_first(cli: Cli, guard: FakeGuard) -> None:
    lines = (await cli("releases", "threader")).out.splitlines()
    assert [line.split() for line in lines] == [
        ["UPSTREAM", "RELEASE", "STATUS", "RUNS", "NOW", "FOR", "WHY"],
        ["blue", "1.5.0", "bad", "2h", "it", "failed"],
        ["1.4.0", "good", "yes", "2h", "passed", "its", "bake"],
        ["green", "-", "-", "-", "-"],
    ]
    guard.ledger = replace(guard.ledger, configured=False)
    assert "set `release:`" in (await cli("releases", "threader")).err


async def test_history_tells_of_releases_and_proposals(cli: Cli, guard: FakeGuard) -> None:
    guard.tell(
        **{"id": "1", "ts": 0, "event": "proposal_opened", "pool": "threader", "from": "blue"},
        **{"to": "green", "reason": "down", "command": "healthguard approve threader --id 1"},
    )
    guard.tell(
        **{"id": "2", "ts": 0, "event": "release_marked", "pool": "threader"},
        **{"upstream": "green", "release": "1.5.0", "mark": "new", "reason": "first seen"},
    )
    out = (await cli("history")).out
    assert "blue -> green; down; healthguard approve threader --id 1" in out
    assert "green; 1.5.0; new; first seen" in out


async def test_missing_facts_are_dashes(cli: Cli, guard: FakeGuard) -> None:
    guard.bare = True
    status = await cli("status")
    assert (status.code, status.err) == (0, "")
    assert status.out.splitlines()[-1].split() == ["billing", *"-------"]
    guard.ledger, guard.open = {}, [{}]
    for words in (
        ("status", "threader"),
        ("why", "threader"),
        ("releases", "threader"),
        ("proposals",),
    ):
        ended = await cli(*words)
        assert (ended.code, ended.err) == (0, "")


async def test_a_newer_daemon_says_more_and_it_is_passed_over(cli: Cli, guard: FakeGuard) -> None:
    guard.is_ready = {"ready": True, "message": "it is", "mood": {"of": "the day"}}
    assert (await cli("ready", "threader")).out == "ready: it is\n"
    assert json.loads((await cli("ready", "threader", "--json")).out) == guard.is_ready


async def test_an_answer_of_another_kind_names_the_place(cli: Cli, guard: FakeGuard) -> None:
    guard.changes = {"gates": "open"}
    for words in (("status",), ("status", "threader"), ("why", "threader"), ("clear", "--all")):
        ended = await cli(*words)
        assert (ended.code, ended.out) == (3, "")
        assert "cannot read the daemon's answer: " in ended.err
        assert "gates: expected a list" in ended.err
    assert (await cli("why", "threader", "--json")).code == 0
    assert (await cli("resume", "--all")).code == 0  # needs nothing but the names


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "threader"),
        ("why", "threader"),
        ("ready", "threader"),
        ("releases", "threader"),
        ("proposals",),
        ("approve", "threader"),
        ("ack", "threader"),
        ("reload",),
        ("switch", "threader", "green"),
    ],
)
async def test_json_is_one_document(cli: Cli, words: tuple[str, ...]) -> None:
    ended = await cli(*words, "--json")
    assert ended.code == 0
    assert isinstance(json.loads(ended.out), dict)


async def test_control_characters_do_not_reach_the_terminal(cli: Cli, guard: FakeGuard) -> None:
    guard.tell(id="1", event="paused", pool="threader", reason="\x1b[2Jgone\n")
    guard.is_ready = {"ready": False, "gate": "lost", "message": "\x1b]0;title\x07"}
    for words in (("history",), ("ready", "threader")):
        ended = await cli(*words)
        assert "\x1b" not in ended.out + ended.err
    assert r"\x1b[2Jgone\n" in (await cli("history")).out


async def test_an_ascii_terminal_is_no_obstacle(cli: Cli, guard: FakeGuard) -> None:
    guard.tell(id="1", event="paused", pool="threader", reason="für Käthe")
    ended = await cli("history", PYTHONIOENCODING="ascii")
    assert (ended.code, r"f\xfcr K\xe4the" in ended.out) == (0, True)


async def test_history_of_the_past(cli: Cli, guard: FakeGuard) -> None:
    ended = await cli("history", "threader", "--since", "1h")
    assert (ended.code, ended.out) == (0, "")
    assert "no events of threader since 1h" in ended.err
    guard.tell(
        **{"id": "t-1", "ts": "2024-05-01T12:00:00.123Z", "event": "switch_completed"},
        **{"pool": "threader", "from": "blue", "to": "green", "trigger": "automatic"},
        **{"detection_ms": 2_100, "timings_ms": {"total": 140}, "durable": False},
    )
    assert (await cli("history", "threader")).out == (
        "2024-05-01 12:00:00+00:00  threader      switch_completed   blue -> green; automatic; "
        "detected in 2.1s; took 140ms; NOT DURABLE: the record could not be written\n"
    )
    as_json = json.loads((await cli("history", "--json")).out)
    assert as_json["id"] == "t-1"


async def test_history_follows_until_the_daemon_stops(cli: Cli, guard: FakeGuard) -> None:
    process = await cli.start("history", "--follow", "--json")
    assert process.stdout is not None
    await eventually_async(lambda: bool(guard.followers))
    guard.tell(id="1", event="paused", pool="threader")
    assert json.loads(await process.stdout.readline())["id"] == "1"
    for queue in guard.followers:
        queue.put_nowait(None)
    _, err = await process.communicate()
    assert process.returncode == 3
    assert b"the daemon has closed the event stream" in err


async def test_history_ends_with_ctrl_c(cli: Cli, guard: FakeGuard) -> None:
    process = await cli.start("history", "--follow")
    await eventually_async(lambda: bool(guard.followers))
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_ctrl_c_while_waiting_says_that_it_goes_on(cli: Cli, guard: FakeGuard) -> None:
    guard.held = asyncio.Event()
    process = await cli.start("rollback", "threader")
    await eventually_async(lambda: bool(guard.orders))
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"stopped waiting; what has begun goes on\n")
    guard.held.set()
    await eventually_async(lambda: guard.finished == 1)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status", 0),
        ("ack threader", 0),
        ("switch threader green --json", 4),
        ("history --follow", 0),
        ("status --watch", 0),
    ],
)
async def test_a_broken_pipe_is_silent_and_does_not_change_the_outcome(
    cli: Cli, guard: FakeGuard, words: str, code: int
) -> None:
    said = b"undone: the workers kept blue\n" if code else b""
    guard.outcome = Outcome(code, "undone", "the workers kept blue")
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "healthguard", "--socket", str(cli.path), *words.split()),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    if "--follow" in words:
        await eventually_async(lambda: bool(guard.followers))
        guard.tell(id="1", event="paused", pool="threader")
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (code, said)


@pytest.mark.parametrize("code", [0, 4])
async def test_a_full_disk_does_not_change_the_outcome(
    cli: Cli, guard: FakeGuard, code: int
) -> None:
    guard.outcome = Outcome(code, "undone" if code else "", "the workers kept blue")
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "healthguard", "--socket", str(cli.path)),
        *("switch", "threader", "green", "--json"),
        stdout=full,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(full)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == code
    assert b"healthguard: stdout cannot be written: No space left on device\n" in err
    assert b"Traceback" not in err


async def test_clear_all_is_json_also_when_there_is_nothing(cli: Cli, guard: FakeGuard) -> None:
    guard.bare = True
    assert json.loads((await cli("clear", "--all", "--json")).out)["cleared"] == []


class Terminal:
    """A command line with a terminal of its own."""

    def __init__(self, path: Path, *words: str, **env: str) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "healthguard", "--socket", str(path), *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **env},
        )
        os.close(slave)

    def until(self, wanted: str, times: int = 1) -> None:
        """Read until ``wanted`` was seen so often; AssertionError after 20 s or at the end."""
        deadline = time.monotonic() + 20
        while self.seen.count(wanted) < times:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._master], [], [], 0.1)[0]:
                self.seen += os.read(self._master, 65_536).decode()

    def end(self) -> int:
        """Wait for the process; what it still says is read."""
        try:
            while True:
                self.seen += os.read(self._master, 65_536).decode()
        except OSError:  # the other side is closed
            os.close(self._master)
        return self.process.wait(20)


async def test_watch_redraws_until_ctrl_c(cli: Cli, guard: FakeGuard) -> None:
    def watch() -> tuple[int, str]:
        terminal = Terminal(cli.path, "status", "--watch", TERM="xterm")
        terminal.until("\x1b[H\x1b[2J", times=2)
        guard.broken = True
        terminal.until("internal: internal error in the daemon")
        guard.broken = False
        terminal.until("blue up, green down", times=6)
        terminal.process.send_signal(signal.SIGINT)
        return terminal.end(), terminal.seen

    code, seen = await asyncio.to_thread(watch)
    assert code == 0
    assert "Traceback" not in seen


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
async def test_colours_are_for_terminals_that_want_them(
    cli: Cli, env: dict[str, str], coloured: bool
) -> None:
    def show() -> tuple[int, str]:
        terminal = Terminal(cli.path, "status", **{"TERM": "xterm", **env})
        return terminal.end(), terminal.seen

    code, seen = await asyncio.to_thread(show)
    assert (code, "\x1b[31m" in seen) == (0, coloured)
