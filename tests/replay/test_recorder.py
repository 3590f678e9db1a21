"""The recorder: segments, bounds, and that its troubles harm nobody."""

import gzip
import os
import time
from pathlib import Path

import pytest

from healthguard.replay import recorder as module
from healthguard.replay.recorder import MANY, Recorder
from healthguard.replay.run import replay
from tests.core.story import policy
from tests.replay.recording import Living, Noted, outages, record
from tests.support.eventually import eventually


@pytest.fixture(scope="module")
def life() -> list[Noted]:
    return Living(policy(stable="green"), outages(blue=[(60_000, 90_000)])).live(600_000).noted


def files(folder: Path) -> list[Path]:
    return sorted((folder / "app").iterdir())


def test_a_closed_record_is_one_small_private_file(tmp_path: Path, life: list[Noted]) -> None:
    assert record(tmp_path, life) == []
    (only,) = files(tmp_path)
    assert only.name.startswith("000000000001-1700000000000.jsonl")
    assert only.suffix == ".gz"
    assert only.stat().st_mode & 0o777 == 0o640
    assert only.stat().st_size < 8 * len(life) + 20_000


def test_segments_roll_and_the_oldest_go(tmp_path: Path) -> None:
    life = Living(policy(stable="green"), outages(blue=[(60_000, 90_000)])).live(7_200_000).noted
    record(tmp_path, life, segment_bytes=4_000)
    every = files(tmp_path)
    assert len(every) > 5
    view = replay(tmp_path)
    assert (view["same"], view["pools"]["app"]["inputs"]) == (True, len(life))

    bound = tmp_path / "bound"
    limit = sum(path.stat().st_size for path in every) // 2
    record(bound, life, segment_bytes=4_000, pool_bytes=limit)
    kept = files(bound)
    assert kept[-1].name == every[-1].name
    assert sum(path.stat().st_size for path in kept) <= limit
    assert replay(bound)["same"] is True


def test_another_start_goes_on_counting(tmp_path: Path, life: list[Noted]) -> None:
    record(tmp_path, life[:500])
    record(tmp_path, life)
    names = [path.name.split("-")[0] for path in files(tmp_path)]
    assert names[0] == "000000000001"
    assert int(names[1]) > 500
    view = replay(tmp_path)
    assert (view["same"], view["pools"]["app"]["segments"]) == (True, 2)


def test_what_a_kill_leaves_open_is_replayed_and_closed_at_the_next_start(
    tmp_path: Path, life: list[Noted]
) -> None:
    record(tmp_path, life)
    (closed,) = files(tmp_path)
    whole = gzip.decompress(closed.read_bytes())
    closed.with_suffix("").write_bytes(whole[: len(whole) // 2])  # torn in the middle of a line
    closed.unlink()
    view = replay(tmp_path)
    assert view["same"] is True
    assert 0 < view["pools"]["app"]["inputs"] < len(life)
    assert view["pools"]["app"]["damage"] == []
    record(tmp_path, life[:10])
    assert [path.suffix for path in files(tmp_path)] == [".gz", ".gz"]
    assert replay(tmp_path)["same"] is True


def test_a_full_disk_is_told_once_and_harms_nobody(
    tmp_path: Path, life: list[Noted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FREE_BYTES", 1 << 60)
    said: list[str] = []
    recorder = Recorder(tmp_path, lambda level, text: said.append(f"{level}: {text}"), rest_s=0.1)
    recorder.start()
    recorder.note(*life[0])
    eventually(lambda: said, within=10.0)
    for each in life[1:50]:
        recorder.note(*each)
    eventually(lambda: recorder.waiting == 0, within=10.0)
    assert len(said) == 1
    assert said[0].startswith(f"warning: recording for `replay` has stopped: {tmp_path}")
    monkeypatch.setattr(module, "FREE_BYTES", 0)
    for each in life[50:]:
        recorder.note(*each)
    eventually(lambda: len(said) == 2, within=10.0)
    assert said[1].startswith("info: ")
    recorder.close(10.0)
    view = replay(tmp_path)  # from the first input after the trouble
    assert view["same"] is True
    assert view["pools"]["app"]["inputs"] > 0


def test_a_folder_that_cannot_be_made_harms_nobody(tmp_path: Path, life: list[Noted]) -> None:
    (tmp_path / "record").write_text("a file in the way")
    said = record(tmp_path / "record", life[:10])
    assert len(said) == 1
    assert "recording for `replay` has stopped" in said[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_write_that_fails_in_the_middle_ends_the_segment(
    tmp_path: Path, life: list[Noted]
) -> None:
    said: list[str] = []
    recorder = Recorder(tmp_path, lambda level, text: said.append(text), rest_s=0.1)
    recorder.start()
    for each in life[:100]:
        recorder.note(*each)
    eventually(lambda: recorder.waiting == 0 and (tmp_path / "app").exists(), within=10.0)
    track = recorder._tracks["app"]
    full = os.open("/dev/full", os.O_WRONLY)
    assert track._file is not None
    os.dup2(full, track._file)
    os.close(full)
    for each in life[100:200]:
        recorder.note(*each)
    eventually(lambda: said, within=10.0)
    assert "No space left" in said[0]
    time.sleep(0.15)  # its rest
    for each in life[200:]:
        recorder.note(*each)
    recorder.close(10.0)
    view = replay(tmp_path)
    assert view["same"] is True
    assert view["pools"]["app"]["segments"] == 2
    assert view["pools"]["app"]["inputs"] == len(life) - 100


def test_what_a_slow_disk_makes_us_drop_is_a_gap(
    tmp_path: Path, life: list[Noted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 300)
    recorder = Recorder(tmp_path, lambda level, text: None)
    for each in life[:400]:  # its thread has not begun: the disk is slow
        recorder.note(*each)
    recorder.start()
    eventually(lambda: recorder.waiting == 0, within=10.0)
    for each in life[400:600]:
        recorder.note(*each)
    recorder.close(10.0)
    view = replay(tmp_path)
    pool = view["pools"]["app"]
    assert (view["same"], pool["segments"], pool["inputs"]) == (True, 2, 500)


@pytest.mark.parametrize("why", ["it led to something", "many wait"])
def test_what_must_not_get_lost_is_written_soon(
    tmp_path: Path, life: list[Noted], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(module, "CALM_FLUSH_S", 3600.0)
    recorder = Recorder(tmp_path, lambda level, text: None)
    recorder.start()
    quiet = [each for each in life if not each[2]]
    if why == "many wait":
        for each in quiet[:MANY]:
            recorder.note(*each)
    else:
        recorder.note(*quiet[0])
        recorder.note(*next(each for each in life if each[2]))
    eventually(lambda: recorder.waiting == 0, within=10.0)
    recorder.close()
