"""The event log on real files: rotation, full and read-only disks, crashes."""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from healthguard.core.moments import iso
from healthguard.telemetry.eventlog import EventLog, encode, spare_folder


def event(number: int, pool: str = "threader", **more: object) -> dict[str, object]:
    name = {"ts": iso(1_700_000_000_000 + number), "id": f"i{number}", "event": "paused"}
    return {**name, "pool": pool, **more}


def ids(path: Path) -> list[Any]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    made = EventLog(tmp_path / "var" / "log" / "events.jsonl", tmp_path / "run")
    yield made
    made.close()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of two pages."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    where = tmp_path / "tiny"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(where)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to be allowed to mount")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_the_folder_is_made_and_the_file_is_for_owner_and_group(log: EventLog) -> None:
    old = os.umask(0o077)
    try:
        assert log.append(event(1), sync=True).durable
    finally:
        os.umask(old)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o640
    assert ids(log.path) == ["i1"]


def test_after_rotation_the_new_file_is_written(log: EventLog) -> None:
    log.append(event(1))
    rotated = log.path.rename(log.path.with_name("events.jsonl.1"))
    log.append(event(2))
    assert (ids(rotated), ids(log.path)) == (["i1"], ["i2"])
    # logrotate's `create`: the new file is there already
    log.path.rename(rotated)
    log.path.touch(0o600)
    log.append(event(3))
    assert (ids(rotated), ids(log.path)) == (["i2"], ["i3"])
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600  # the admin's choice


def test_a_removed_file_and_folder_come_back(log: EventLog) -> None:
    log.append(event(1))
    log.path.unlink()
    log.path.parent.rmdir()
    assert log.append(event(2)).durable
    assert ids(log.path) == ["i2"]


def test_a_torn_last_line_does_not_spoil_the_next(log: EventLog) -> None:
    log.append(event(1))
    with log.path.open("ab") as file:
        file.write(b'{"ts":"2023-11-14T22:13:2')
    log.append(event(2))
    assert [e["id"] for e in log.read(0)] == ["i1", "i2"]
    assert len(log.path.read_text().splitlines()) == 3


def test_a_full_disk_keeps_events_aside_and_brings_them_home(tiny: Path, tmp_path: Path) -> None:
    log = EventLog(tiny / "events.jsonl", tmp_path / "run")
    ballast = tiny / "ballast"
    ballast.write_bytes(b"x" * 4096)
    number = 0
    while (written := log.append(event(number, reason="y" * 300))).durable:
        number += 1
        assert number < 100
    assert "No space left" in written.problem or "no space" in written.problem
    assert str(tmp_path / "run") in written.problem
    kept = json.loads((tmp_path / "run" / "events.jsonl").read_text())
    assert (kept["id"], kept["durable"]) == (f"i{number}", False)
    assert log.path.read_bytes().endswith(b"\n")  # no half line is left
    assert not log.retry()  # still full
    assert [e["id"] for e in log.read(0)] == [f"i{i}" for i in range(number + 1)]

    ballast.unlink()
    assert log.retry()
    assert ids(log.path) == [f"i{i}" for i in range(number + 1)]
    assert log.append(event(number + 1)).durable
    assert not (tmp_path / "run" / "events.jsonl").exists()
    log.close()


def test_a_read_only_folder_is_said_and_survived(tiny: Path, tmp_path: Path) -> None:
    log = EventLog(tiny / "events.jsonl", tmp_path / "run")
    log.append(event(1))
    log.close()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    written = log.append(event(2), sync=True)
    assert not written.durable
    assert "Read-only file system" in written.problem
    subprocess.run(["mount", "-o", "remount,rw", str(tiny)], check=True)
    assert log.append(event(3)).durable
    assert ids(log.path) == ["i1", "i2", "i3"]
    log.close()


def test_nowhere_to_write_is_a_value_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = EventLog(tmp_path / "file" / "events.jsonl", tmp_path / "file")
    written = log.append(event(1), sync=True)
    assert not written.durable
    assert written.problem.count("Not a directory") == 2
    assert log.read(0) == []


def test_a_pipe_in_its_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events.jsonl")
    log = EventLog(tmp_path / "events.jsonl", tmp_path / "run")
    assert "not a regular file" in log.append(event(1)).problem


def test_reading_spans_rotation_and_passes_over_garbage(log: EventLog) -> None:
    log.append(event(1))
    log.append(event(2, pool="other"))
    log.path.rename(log.path.with_name("events.jsonl.1"))
    log.append(event(3))
    with log.path.open("ab") as file:
        file.write(b'garbage\n\xff\xfe\n[1]\n{"ts":"9"}\nnull\n{"ts":1,"event":"x"}\n')
    log.append(event(4))
    assert [e["id"] for e in log.read(0) if "id" in e] == ["i1", "i2", "i3", "i4"]
    assert [e["id"] for e in log.read(1_700_000_000_003)] == ["i3", "i4"]
    assert [e["id"] for e in log.read(0, "threader")] == ["i1", "i3", "i4"]


def test_one_event_is_one_line_whatever_is_in_it() -> None:
    nasty = {"ts": "t", "detail": "a\nb\x1b[31m\udcff\u2028", "odd": {1, 2}, "deep": ((1,), None)}
    line = encode(nasty)
    assert line.count(b"\n") == 1
    assert json.loads(line)["detail"] == "a\nb\x1b[31m\udcff\u2028"


def test_the_stand_in_lives_in_systemds_folder() -> None:
    assert spare_folder({"RUNTIME_DIRECTORY": "/run/a:/run/b"}) == Path("/run/a")
    assert spare_folder({}) == Path("/run/healthguard")
