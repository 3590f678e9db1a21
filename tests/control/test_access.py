"""Who may do what: real processes of other users."""

import asyncio
import grp
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from healthguard.control.access import access_for
from healthguard.control.server import ControlServer
from tests.control.fakes import RESULT, SECRET, FakeGuard, proposal_view

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")

NOBODY = 65534
STAFF = grp.getgrnam("staff").gr_gid

# Becomes somebody else after it was started: the interpreter may lie where only root can go.
CLIENT = """
import http.client, os, socket, sys
path, method, target, gid, *groups = sys.argv[1:]
os.setgroups(list(map(int, groups)))
os.setgid(int(gid))
os.setuid(65534)
connection = http.client.HTTPConnection("x")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
connection.request(method, target)
answer = connection.getresponse()
print(answer.status)
print(answer.read().decode())
"""


async def ask_as(
    path: Path, method: str, target: str, groups: list[int], gid: int = NOBODY
) -> tuple[int, Any]:
    def run() -> str:
        return subprocess.run(
            [
                sys.executable,
                "-I",
                "-c",
                CLIENT,
                str(path),
                method,
                target,
                *map(str, (gid, *groups)),
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout

    status, _, body = (await asyncio.to_thread(run)).partition("\n")
    return int(status), json.loads(body)


@needs_root
async def test_a_foreign_user_may_read(server: ControlServer) -> None:
    status, body = await ask_as(server.path, "GET", "/v1/status", [])
    assert (status, "threader" in body["pools"]) == (200, True)


@needs_root
async def test_a_foreign_user_may_not_change(server: ControlServer, guard: FakeGuard) -> None:
    for target in ("/v1/pools/threader/ack", "/v1/reload"):
        status, body = await ask_as(server.path, "POST", target, [])
        assert (status, body["error"]["code"], body["exit_code"]) == (403, "forbidden", 3)
        assert "staff, no-such-group (does not exist on this host)" in body["error"]["message"]
    assert not guard.orders


@needs_root
@pytest.mark.parametrize(
    ("gid", "groups"),
    [
        pytest.param(STAFF, [], id="primary"),
        pytest.param(NOBODY, [STAFF], id="supplementary"),
        pytest.param(NOBODY, [*range(70_000, 70_400), STAFF], id="one of 401"),
    ],
)
async def test_a_member_of_a_control_group_may_change(
    server: ControlServer, guard: FakeGuard, gid: int, groups: list[int]
) -> None:
    status, _ = await ask_as(server.path, "POST", "/v1/pools/threader/ack", groups, gid)
    assert status == 200
    actor = guard.orders[0]["actor"]
    assert (actor.user, actor.uid) == ("nobody", NOBODY)
    assert actor.pid not in (None, os.getpid())


@needs_root
@pytest.mark.parametrize("groups", [[], [STAFF]])
async def test_answers_of_upstreams_are_only_for_those_who_may_change(
    server: ControlServer, guard: FakeGuard, groups: list[int]
) -> None:
    # The event log that has them is not readable for everybody either.
    guard.tell(id="1", event="switch_started", evidence=[RESULT])
    guard.changes = {"proposal": proposal_view()}
    for target in ("/v1/status", "/v1/pools/threader/why", "/v1/events"):
        status, body = await ask_as(server.path, "GET", target, groups)
        assert status == 200
        assert (SECRET in json.dumps(body)) is bool(groups)


def test_without_groups_the_refusal_says_who_remains() -> None:
    assert access_for([]).refusal() == ("only root and the daemon's own user may give orders")
