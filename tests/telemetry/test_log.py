"""Log lines: for people, for journald, for machines; and a reader that does not read."""

import asyncio
import fcntl
import json
import logging
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.core.model import Instant, Result
from healthguard.telemetry import Log, Sink, choose_format
from healthguard.telemetry.eventlog import EventLog

from .conftest import Bench
from .test_metrics import SWITCH


@pytest.fixture
def out(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield fd
    os.close(fd)


def written(fd: int) -> str:
    return os.pread(fd, 1 << 20, 0).decode()


def say(fd: int, style: str, level: str, message: str, **fields: object) -> str:
    log = Log(Sink(fd), style=style)
    log.line(level, message, fields)
    log.close()
    log.sink.close()
    return written(fd)


def test_json_lines_carry_the_sentence_and_the_fields(out: int) -> None:
    line = json.loads(say(out, "json", "warning", "threader: blue is down", event="x", fails=3))
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warning",
        "message": "threader: blue is down",
        "event": "x",
        "fails": 3,
    }


def test_journald_gets_a_priority_and_pairs(out: int) -> None:
    line = say(out, "journal", "error", "it is lost", pool="threader", reason="a b", n=1, ts="t")
    assert line == '<3>it is lost pool=threader reason="a b" n=1\n'
    assert line.count("\n") == 1


def test_a_terminal_shows_the_sentence_and_no_more(out: int) -> None:
    line = say(out, "console", "info", "green is active", id="threader-1", pool="threader")
    assert "\x1b[" in line
    plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} \[info *\] green is active *id=threader-1\n", plain)


@pytest.mark.parametrize("style", ["json", "journal", "console"])
def test_what_an_upstream_says_cannot_forge_lines_or_steer_the_terminal(
    out: int, style: str
) -> None:
    line = say(out, style, "info", "bad\n<0>forged\x1b[2J", detail="x\ny\x1b[2J\x9b")
    assert line.count("\n") == 1
    assert "\x1b[2J" not in line
    assert "\x9b" not in line


def test_the_format_follows_the_descriptor(out: int) -> None:
    leader, follower = pty.openpty()
    ours = os.fstat(out)
    journal = {"JOURNAL_STREAM": f"{ours.st_dev}:{ours.st_ino}"}
    assert choose_format("auto", follower, journal) == "console"
    assert choose_format("auto", out, journal) == "journal"
    assert choose_format("auto", out, {"JOURNAL_STREAM": "8:1"}) == "json"
    assert choose_format("json", follower, {}) == "json"
    os.close(leader)
    os.close(follower)
    assert choose_format("auto", follower, {}) == "json"


def test_lines_for_a_terminal_are_kept_until_start_and_the_level_counts(out: int) -> None:
    log = Log(Sink(out), level="warning", style="console")
    log.line("info", "not wanted")
    log.line("error", "early")
    assert written(out) == ""
    log.start()
    log.line("warning", "late")
    log.close()
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in written(out).splitlines()]
    assert [line.split("] ")[1].strip() for line in lines] == ["early", "late"]


@pytest.mark.parametrize(("style", "imported"), [("json", 0), ("journal", 0), ("console", 1)])
def test_only_the_lines_for_a_terminal_need_structlog(style: str, imported: int) -> None:
    code = (
        "import sys; from healthguard.telemetry import Log, Sink\n"
        f"log = Log(Sink(1), style={style!r}); log.start(); log.line('info', 'a line')\n"
        "sys.exit('structlog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"a line" in done.stdout, done.stderr
    assert done.returncode == imported


def test_the_libraries_lines_come_out_too(out: int) -> None:
    log = Log(Sink(out))
    log.start()
    logging.getLogger("aiohttp.server").error("Error handling %s", "request")
    logging.getLogger("asyncio").info("not wanted")
    log.close()
    logging.getLogger("asyncio").propagate = True
    line = json.loads(written(out))
    assert (line["message"], line["logger"]) == ("Error handling request", "aiohttp.server")


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
def test_a_reader_that_does_not_read_stops_nobody(kind: str) -> None:
    """If a write blocked, this test would never end."""
    if kind == "pipe":
        reader, writer = os.pipe()
    elif kind == "socket":
        reader, writer = (each.detach() for each in socket.socketpair())
    else:
        reader, writer = pty.openpty()
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    sink = Sink(writer)
    for number in range(20_000):
        sink.write(f"line {number} " + "x" * 100)
    assert sink.dropped > 1_000
    assert fcntl.fcntl(writer, fcntl.F_GETFL) == flags  # the shell shares them

    os.set_blocking(reader, False)
    got = drain(reader, sink)
    sink.write("the last")
    got += drain(reader, sink)
    lines = got.replace("\r\n", "\n").splitlines()
    assert lines[-2:] == [f"healthguard: {sink.dropped} log lines were dropped here", "the last"]
    whole = [line for line in lines if re.fullmatch(r"line \d+ x{100}", line)]
    assert len(whole) == len(lines) - 2 == 20_000 - sink.dropped  # none is torn
    sink.close()
    os.close(reader)
    os.close(writer)


def drain(reader: int, sink: Sink) -> str:
    got = b""
    while True:
        try:
            got += os.read(reader, 1 << 16)
        except BlockingIOError:
            before = len(sink._pending)
            sink.flush()
            if not before:
                return got.decode()


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    os.close(reader)
    sink.write("nobody reads this")
    assert sink.dropped == 1
    sink.close()
    os.close(writer)
    Sink(writer).write("a closed descriptor")


# --------------------------------------------------------------- records


async def test_a_switch_reads_well(bench: Bench) -> None:
    evidence = [{"probe": "health", "reason": "refused", "answer": "<html>secret body"}]
    assert bench.record("switch_completed", **SWITCH, actor=None, evidence=evidence)
    line = json.loads(bench.lines())
    assert line["message"] == (
        "threader: traffic now goes to green (was blue). Automatic switch, decided 3s after the "
        "first failed check, confirmed by nginx in 131ms: 3 of 3 probes failed: refused"
    )
    assert line["event"] == "switch_completed"
    assert "secret body" not in bench.lines()  # bodies stay in the event log
    kept = bench.telemetry.history(0)
    assert list(kept[0])[:4] == ["ts", "id", "event", "pool"]
    assert kept[0]["ts"] == "2023-11-14T22:13:20.123Z"
    assert kept[0]["durable"] is True
    assert kept[0]["evidence"] == evidence


async def test_secrets_reach_neither_log_nor_event(bench: Bench) -> None:
    excerpt = (
        "HTTP/1.1 503 x\r\nSet-Cookie: sid=c00kie; Path=/\r\n"
        "Authorization: Basic dXNlcjpodW50ZXIy\r\n"
        '{"authorization": "Bearer t0ken.abc.def"}\r\nsee http://maria:hunter2@host/'
    )
    bench.record("health_changed", upstream="blue", reason=excerpt, deep=[{"x": excerpt}])
    bench.telemetry.say("info", "a line", detail=excerpt)
    everything = bench.lines() + bench.telemetry.event_log.path.read_text()
    for secret in ("c00kie", "dXNlcjpodW50ZXIy", "t0ken", "hunter2"):
        assert secret not in everything
    assert "HTTP/1.1 503 x" in everything
    assert "maria:[cut]@host" in everything


async def test_an_event_log_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "log").touch()  # a file where the folder should be
    assert bench.record("switch_started", **SWITCH) is False
    bench.record("switch_completed", **SWITCH)
    lines = [json.loads(line) for line in bench.lines().splitlines()]
    assert [line["level"] for line in lines] == ["error", "info", "info"]
    assert "Not a directory" in lines[0]["message"]
    assert lines[1]["durable"] is False
    assert lines[1]["message"].endswith("[not written to disk]")
    assert "event log cannot be written" in await bench.telemetry.status()

    (tmp_path / "log").unlink()
    assert bench.record("paused") is True
    assert [e["event"] for e in bench.telemetry.history(0)] == [
        "switch_started",
        "switch_completed",
        "paused",
    ]
    assert "can be written again" in bench.lines()
    await bench.close()


async def test_a_started_switch_is_synced_before_it_returns(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    real = bench.telemetry.event_log

    class Spy(EventLog):
        def append(self, event, *, sync=False):  # type: ignore[no-untyped-def]
            synced.append(sync)
            return real.append(event, sync=sync)

    monkeypatch.setattr(bench.telemetry, "event_log", Spy(real.path, bench.folder))
    bench.record("switch_started")
    bench.record("paused")
    assert synced == [True, False]


# --------------------------------------------------------------- probes


def result(outcome: str, boot_ms: int, reason: str = "") -> Result:
    return Result(outcome, reason, Instant(boot_ms, 0), 5_000, detail="")


async def test_only_the_first_fail_and_the_recovery_are_told(bench: Bench) -> None:
    for at in range(0, 60_000, 1_000):
        bench.telemetry.checked("threader", "blue", "health", result("fail", at, "refused"))
    for at in range(60_000, 70_000, 1_000):
        bench.telemetry.checked("threader", "blue", "health", result("pass", at))
    lines = [json.loads(line) for line in bench.lines().splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", "threader/blue health: check failed after 5ms: connection refused"),
        ("info", "threader/blue health: passes again after 1m failing"),
    ]


async def test_a_flapping_probe_and_a_thousand_at_once_do_not_flood(bench: Bench) -> None:
    for at in range(0, 40_000, 1_000):
        outcome = "fail" if at % 2_000 else "pass"
        bench.telemetry.checked("threader", "blue", "health", result(outcome, at, "reset"))
    lines = bench.lines().splitlines()
    assert len(lines) == 2
    assert "(29 earlier changes not logged)" in lines[1]

    for number in range(1_000):
        bench.telemetry.checked("p", f"u{number}", "health", result("fail", 100_000, "timeout"))
    bench.telemetry.probes.summarise()
    lines = bench.lines().splitlines()[2:]
    assert len(lines) == 21
    assert "980 more probes changed; now 1001 fail, 0 pass, 0 are inconclusive" in lines[-1]


# --------------------------------------------------------------- followers


async def test_followers_see_what_happens_from_now_on(bench: Bench) -> None:
    bench.record("paused")
    everything, other = bench.telemetry.follow(), bench.telemetry.follow("other")
    bench.record("resumed")
    bench.record("acked")
    assert [(await anext(everything))["event"] for _ in range(2)] == ["resumed", "acked"]
    waiting = asyncio.create_task(anext(everything, None))
    waiting_too = asyncio.create_task(anext(other, None))
    await asyncio.sleep(0)
    bench.telemetry._followers.close()
    assert await waiting is None
    assert await waiting_too is None


async def test_a_slow_follower_is_dropped_with_a_last_word(bench: Bench) -> None:
    slow, gone = bench.telemetry.follow(), bench.telemetry.follow()
    gone.close()
    for _ in range(300):
        bench.record("paused")
    assert len(bench.telemetry._followers) == 0
    got = [event async for event in slow]
    assert len(got) == 257
    assert got[-1]["error"]["code"] == "too_slow"  # type: ignore[index]
