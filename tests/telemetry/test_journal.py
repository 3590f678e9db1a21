"""journald's native protocol against a socket that plays journald; ids, fields, the catalog."""

import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.core.happenings import HAPPENINGS
from healthguard.telemetry import Log, Sink
from healthguard.telemetry.journal import ABSENT, DROPPED, SENT, Journal
from healthguard.telemetry.journal_fields import fields, message_id, priority

REPOSITORY = Path(__file__).parents[2]
CATALOG = (REPOSITORY / "systemd/healthguard.catalog").read_text()


class FakeJournald:
    """Its socket; reads only when asked to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def entries(self) -> list[dict[str, str]]:
        """All that waits."""
        found = []
        while True:
            try:
                data, rights, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return found
            for _, _, raw in rights:
                (file,) = struct.unpack("i", raw)
                with os.fdopen(file, "rb") as handed:
                    handed.seek(0)
                    data = handed.read()
            found.append(decode(data))


def decode(data: bytes) -> dict[str, str]:
    found = {}
    while data:
        line, _, data = data.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name, size = line, struct.unpack("<Q", data[:8])[0]
            value, data = data[8 : 8 + size], data[9 + size :]
        found[name.decode()] = value.decode()
    return found


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[FakeJournald]:
    fake = FakeJournald(tmp_path / "socket")
    yield fake
    fake.socket.close()


@pytest.fixture
def journal(journald: FakeJournald) -> Iterator[Journal]:
    made = Journal(journald.path)
    yield made
    made.close()


def test_an_entry(journal: Journal, journald: FakeJournald) -> None:
    assert journal.send("all is well", 6, {"healthguard_pool": "app", "X": "two\nlines"}) == SENT
    assert journald.entries() == [
        {
            "MESSAGE": "all is well",
            "PRIORITY": "6",
            "SYSLOG_IDENTIFIER": "healthguard",
            "HEALTHGUARD_POOL": "app",
            "X": "two\nlines",
        }
    ]


def test_an_entry_larger_than_a_datagram(journal: Journal, journald: FakeJournald) -> None:
    large = "x" * 5_000_000
    assert journal.send("large", 6, {"LARGE": large}) == SENT
    assert journald.entries()[0]["LARGE"] == large


def test_what_does_not_fit_is_dropped_counted_and_told(
    journal: Journal, journald: FakeJournald
) -> None:
    for _ in range(5_000):  # never blocks: the test would time out
        journal.send("flood", 6, {})
    assert journal.dropped > 0
    dropped = journal.dropped
    kept = len(journald.entries())
    assert kept + dropped == 5_000
    assert journal.send("again", 6, {}) == SENT
    told, again = journald.entries()
    assert told["MESSAGE"] == f"{dropped} log lines were dropped here: journald did not accept them"
    assert (told["HEALTHGUARD_DROPPED"], told["PRIORITY"]) == (str(dropped), "4")
    assert again["MESSAGE"] == "again"
    assert journal.flush()
    assert journald.entries() == []


def test_the_count_is_told_also_when_there_is_nothing_to_say(
    journal: Journal, journald: FakeJournald
) -> None:
    while journal.send("flood", 6, {}) != DROPPED:
        pass
    assert not journal.flush()
    journald.entries()
    assert journal.flush()
    assert "1 log lines were dropped" in journald.entries()[0]["MESSAGE"]


def test_no_journald(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none")
    assert journal.send("hello", 6, {}) == ABSENT
    assert journal.dropped == 0
    journal.close()


def test_the_log_goes_there_at_once_and_to_stderr_without_it(
    journal: Journal, journald: FakeJournald, tmp_path: Path
) -> None:
    out = tmp_path / "stderr"
    with out.open("w") as file:
        log = Log(Sink(file.fileno()), style="journal", journal=journal)
        log.line("warning", "before the start", {"event": "health_changed", "pool": "app"})
        (entry,) = journald.entries()
        assert entry["MESSAGE_ID"] == message_id("health_changed")
        assert (entry["PRIORITY"], entry["HEALTHGUARD_EVENT"]) == ("4", "health_changed")
        journald.path.unlink()
        log.line("info", "journald is gone")
        log.close()
    assert "<6>journald is gone" in out.read_text()


def test_fields_are_flat_and_without_what_journald_knows_itself() -> None:
    event = {
        "ts": "now",
        "event": "switch_completed",
        "timings_ms": {"total": 131, "swap": 0},
        "actor": {"user": "maria", "uid": 1000},
        "evidence": [{"probe": "http"}],
        "detection_ms": None,
        "durable": True,
        "from": "blue",
    }
    assert fields(event) == {
        "HEALTHGUARD_EVENT": "switch_completed",
        "HEALTHGUARD_TIMINGS_MS_TOTAL": "131",
        "HEALTHGUARD_TIMINGS_MS_SWAP": "0",
        "HEALTHGUARD_ACTOR_USER": "maria",
        "HEALTHGUARD_ACTOR_UID": "1000",
        "HEALTHGUARD_EVIDENCE": '[{"probe":"http"}]',
        "HEALTHGUARD_DURABLE": "true",
        "HEALTHGUARD_FROM": "blue",
        "MESSAGE_ID": message_id("switch_completed"),
    }


@pytest.mark.parametrize(
    ("level", "event", "expected"),
    [
        ("error", "switch_lost", 2),
        ("error", "latched", 3),
        ("warning", "switch_completed", 4),
        ("info", "switch_completed", 5),
        ("info", "resumed", 5),
        ("info", "", 6),
        ("debug", "", 7),
    ],
)
def test_priority(level: str, event: str, expected: int) -> None:
    assert priority(level, event) == expected


def test_every_event_is_explained_under_its_own_id() -> None:
    named = dict(re.findall(r"^# ([a-z_]+)\n-- ([0-9a-f]{32})$", CATALOG, re.MULTILINE))
    assert named == {event: message_id(event) for event in named}
    assert set(named) == set(HAPPENINGS)
    assert len(set(named.values())) == len(named)


def test_the_ids_never_change() -> None:
    """People have filters and alerts on them."""
    assert message_id("switch_completed") == "40d1ecb0ba175a45ae6fc82ad74997a5"
