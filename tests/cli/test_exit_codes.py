"""The exit code is the outcome."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from healthguard.core.model import Outcome
from tests.cli.conftest import Cli
from tests.control.fakes import FakeGuard
from tests.support.eventually import eventually_async

SWITCH = ("switch", "threader", "green")


async def test_0_done(cli: Cli, guard: FakeGuard) -> None:
    ended = await cli(*SWITCH, "--reason", "release 42", "--force", "--dry-run")
    assert (ended.code, ended.out, ended.err) == (0, "threader: green is active\n", "")
    del guard.orders[0]["actor"]
    assert guard.orders == [
        {
            "pool": "threader",
            "verb": "switch",
            "upstream": "green",
            "reason": "release 42",
            "force": True,
            "dry_run": True,
        }
    ]


async def test_0_an_approval_and_a_rejection(cli: Cli, guard: FakeGuard) -> None:
    assert (await cli("approve", "threader", "--id", "t-7", "--reason", "checked")).code == 0
    assert (await cli("approve", "threader")).code == 0
    assert (await cli("reject", "threader", "--reason", "no")).code == 0
    assert (await cli("reject", "threader")).code == 0
    for each in guard.orders:
        del each["actor"]
    assert guard.orders == [
        {"pool": "threader", "verb": "approve", "proposal": "t-7", "reason": "checked"},
        {"pool": "threader", "verb": "approve"},
        {"pool": "threader", "verb": "reject", "reason": "no"},
        {"pool": "threader", "verb": "reject"},
    ]


async def test_1_no_proposal_says_where_to_look(cli: Cli, guard: FakeGuard) -> None:
    guard.outcome = Outcome(1, "no_proposal", "no proposal is open")
    ended = await cli("approve", "threader")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "refused: no_proposal: no proposal is open",
        "  what to do: see what is open: healthguard proposals",
    ]


async def test_1_refused_names_the_gate_and_what_to_do(cli: Cli, guard: FakeGuard) -> None:
    guard.outcome = Outcome(1, "standby_not_up", "green has 0 of 2 needed passes")
    ended = await cli(*SWITCH)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "refused: standby_not_up: green has 0 of 2 needed passes",
        "  what to do: green must pass its probes; or switch --force, at your own risk",
    ]


async def test_1_what_to_do_is_a_command_to_copy(cli: Cli, guard: FakeGuard) -> None:
    guard.is_ready = {"ready": False, "gate": "known_bad", "target": "green"}
    assert "`healthguard clear threader green`" in (await cli("ready", "threader")).err
    guard.outcome = Outcome(1, "known_bad", "green was left 3 s ago")
    assert "`healthguard clear threader UPSTREAM`" in (await cli("rollback", "threader")).err


async def test_1_a_dry_run_that_is_refused_shows_the_gates_too(cli: Cli, guard: FakeGuard) -> None:
    gate = {"gate": "standby_not_up", "closed": True, "pending": False, "evidence": "green is down"}
    guard.outcome = Outcome(1, "standby_not_up", "green is down", {"gates": [gate]})
    ended = await cli(*SWITCH, "--dry-run")
    assert ended.code == 1
    assert ended.out.split() == ["standby_not_up", "CLOSED", "green", "is", "down"]
    assert ended.err.startswith("refused: standby_not_up")


async def test_2_an_unknown_upstream(cli: Cli) -> None:
    ended = await cli("switch", "threader", "gren")
    assert ended.code == 2
    assert "did you mean 'green'? (known: blue, green)" in ended.err


async def test_2_an_unknown_pool(cli: Cli) -> None:
    for words in (("status", "threadr"), ("why", "threadr"), ("history", "threadr")):
        ended = await cli(*words)
        assert (ended.code, ended.out) == (2, "")
        assert "did you mean 'threader'? (known: threader, billing)" in ended.err


async def test_2_a_bad_configuration_shows_all_its_errors(cli: Cli, guard: FakeGuard) -> None:
    guard.outcome = Outcome(
        2,
        "config_rejected",
        "a.yaml:1: x\na.yaml:2: y",
        {"problems": ["a.yaml:1: x", "a.yaml:2: y"]},
    )
    ended = await cli("reload")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "healthguard: 2 problems; nothing was changed",
        "  a.yaml:1: x",
        "  a.yaml:2: y",
    ]


async def test_3_no_daemon_says_what_to_do(cli: Cli, folder: Path) -> None:
    for words in (("status",), SWITCH, ("history",), ("pause", "--all", "--for=1h", "--reason=x")):
        ended = await cli("--socket", str(folder / "none.sock"), *words)
        assert (ended.code, ended.out) == (3, "")
        assert f"no daemon at {folder}/none.sock: no such file" in ended.err
        assert "start it: systemctl start healthguard" in ended.err


async def test_3_a_dead_daemon(cli: Cli, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "dead.sock"))
    ended = await cli("ready", "threader", "--socket", str(folder / "dead.sock"))
    assert ended.code == 3
    assert "nothing is listening there" in ended.err


async def test_3_not_permitted(cli: Cli, guard: FakeGuard) -> None:
    guard.outcome = Outcome(3, "forbidden", "only root")
    ended = await cli(*SWITCH)
    assert (ended.code, ended.err) == (3, "not permitted: only root\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
async def test_3_may_not_connect(cli: Cli) -> None:
    program = (
        "import os, shutil, sys\n"  # all that is imported later, while root can still read it
        "from healthguard.cli import reading, main\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    # The folder is 0700, as tempfile makes it.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "--socket", str(cli.path), "status"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 3
    assert b"no permission to connect to" in err


async def test_4_undone(cli: Cli, guard: FakeGuard) -> None:
    guard.outcome = Outcome(4, "undone", "the workers kept blue; the link is back")
    ended = await cli(*SWITCH)
    assert (ended.code, ended.err) == (4, "undone: the workers kept blue; the link is back\n")


async def test_5_lost(cli: Cli, guard: FakeGuard) -> None:
    guard.outcome = Outcome(5, "lost", "the undo failed as well")
    ended = await cli("rollback", "threader")
    assert ended.code == 5
    assert ended.err.splitlines() == [
        "LOST: lost: the undo failed as well",
        "  a person must look now: healthguard why threader",
    ]


async def test_5_a_mistake_of_the_daemon_during_an_order(cli: Cli, guard: FakeGuard) -> None:
    guard.broken = True
    assert (await cli("ack", "threader")).code == 5
    assert (await cli("status")).code == 3


async def test_6_waited_too_long_prints_the_id(cli: Cli, guard: FakeGuard) -> None:
    guard.held = asyncio.Event()
    guard.tell(id="threader-7", event="switch_started", pool="threader")
    ended = await cli(*SWITCH, "--timeout", "200ms")
    assert (ended.code, ended.out) == (6, "threader-7\n")
    assert "healthguard history threader --follow" in ended.err
    assert guard.finished == 0
    guard.held.set()
    await eventually_async(lambda: guard.finished == 1)


async def test_6_an_order_whose_outcome_never_came(cli: Cli, folder: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(hang_up, str(folder / "odd.sock")):
        ended = await cli(*SWITCH, "--socket", str(folder / "odd.sock"))
        assert ended.code == 6
        assert "it may have been carried out; check: healthguard why threader" in ended.err
        ended = await cli("status", "--socket", str(folder / "odd.sock"))
        assert ended.code == 3


async def test_several_pools_end_with_the_worst(cli: Cli, guard: FakeGuard) -> None:
    guard.outcomes["billing"] = Outcome(1, "paused", "is paused longer already")
    ended = await cli("pause", "--all", "--for", "1h30m", "--reason", "db")
    assert ended.code == 1
    assert ended.out == "threader: green is active\n"
    assert "refused: paused: is paused longer already" in ended.err
    assert [(o["pool"], o["for_ms"], o["reason"]) for o in guard.orders] == [
        ("threader", 5_400_000, "db"),
        ("billing", 5_400_000, "db"),
    ]


@pytest.mark.parametrize(
    ("ready", "code"), [({"ready": True}, 0), ({"ready": False, "gate": "no_target"}, 1), ({}, 1)]
)
async def test_ready_is_0_or_1(
    cli: Cli, guard: FakeGuard, ready: dict[str, object], code: int
) -> None:
    guard.is_ready = ready
    ended = await cli("ready", "threader")
    assert ended.code == code
    if ready.get("gate"):
        assert "not ready: no_target" in ended.err
        assert (
            "what to do: if an upstream is a safe way back: `healthguard good threader UPSTREAM`"
            in ended.err
        )
