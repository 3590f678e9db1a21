"""`replay` of a record under its own configuration: the same, or the first difference."""

import gzip
import json
from pathlib import Path

import pytest

from healthguard.cli import main
from healthguard.core import health
from healthguard.replay import recorder as module
from healthguard.replay.run import UnreadableRecord, replay
from tests.core.story import policy
from tests.replay.recording import Living, outages, record


@pytest.fixture
def rolled_back(tmp_path: Path) -> Path:
    """A record with an automatic switch in it."""
    living = Living(policy(stable="green"), outages(blue=[(60_000, 90_000)])).live(150_000)
    assert len(living.decided) == 1
    record(tmp_path / "record", living.noted)
    return tmp_path / "record"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["replay", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_same_decisions(rolled_back: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(rolled_back))
    assert (code, err) == (0, "")
    assert "the same decisions, byte for byte" in out
    assert "1 switch_started" in out
    code, out, _ = run(capsys, str(rolled_back), "--json")
    view = json.loads(out)
    assert (code, view["same"], view["pools"]["app"]["events"]["switch_completed"]) == (0, True, 1)


def test_another_core_is_found_out(
    rolled_back: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody breaks a threshold: fails are counted double."""
    real = health._failed

    def broken(tally: health.Tally, *rest: object) -> health.Tally:
        return real(real(tally, *rest), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(health, "_failed", broken)
    code, out, _ = run(capsys, str(rolled_back))
    assert code == 1
    assert "first difference at app#" in out
    assert "on Checked upstream=blue" in out
    assert "+++ replayed by" in out
    found = replay(rolled_back)["pools"]["app"]["difference"]
    assert any(line.startswith("+") and "health_changed" in line for line in found["diff"])


def test_other_code_is_said(rolled_back: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = module.code_version()
    monkeypatch.setattr("healthguard.replay.same.code_version", lambda: "9.9")
    monkeypatch.setattr("healthguard.replay.run.code_version", lambda: "9.9")
    from healthguard.replay.run import lines

    said = "\n".join(lines(replay(rolled_back)))
    assert f"recorded by version {recorded}; this is 9.9" in said


def test_a_state_that_drifted_is_found_at_the_next_segment(tmp_path: Path) -> None:
    living = Living(policy(stable="green"), outages()).live(3_600_000)
    record(tmp_path, living.noted, segment_bytes=1_000)
    second = sorted((tmp_path / "app").iterdir())[1]
    lines = gzip.decompress(second.read_bytes()).splitlines(keepends=True)
    header = json.loads(lines[0])
    assert header["reason"] == "rolled"
    header["state"]["told"]["seq"] += 1
    second.write_bytes(gzip.compress(json.dumps(header).encode() + b"\n" + b"".join(lines[1:])))
    view = replay(tmp_path)
    assert view["same"] is False
    assert "the recorded state does not follow" in view["pools"]["app"]["difference"]["diff"][0]


# ------------------------------------------------------------------------------ what is damaged


def only(folder: Path) -> Path:
    (path,) = (folder / "app").iterdir()
    return path


def test_a_segment_cut_off_is_replayed_as_far_as_it_goes(rolled_back: Path) -> None:
    path = only(rolled_back)
    path.write_bytes(path.read_bytes()[:-200])
    pool = replay(rolled_back)["pools"]["app"]
    assert pool["inputs"] > 0
    assert pool["difference"] is None
    assert "cannot be read to its end" in pool["damage"][0]


@pytest.mark.parametrize("bad", [b"\xff\n", b"[1\n", b"5\n", b"[1,0,77,0]\n", b"[" * 5_000 + b"\n"])
def test_a_bad_line_ends_its_segment(rolled_back: Path, bad: bytes) -> None:
    path = only(rolled_back)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join([*lines[:50], bad, *lines[51:]])))
    pool = replay(rolled_back)["pools"]["app"]
    assert pool["difference"] is None
    assert 0 < pool["inputs"] < 50
    assert "line 51 is damaged" in pool["damage"][0]


def test_nothing_but_rubbish_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in (
        ("a.jsonl", b""),
        ("b.jsonl", b"hello\n"),
        ("c.jsonl.gz", b"no gzip"),
        ("d.jsonl", b'{"record": 99}\n'),
        ("e.jsonl", b"[1,2]\n"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        code, out, err = run(capsys, str(path))
        assert (code, out) == (2, ""), name
        assert str(path) in err
    assert run(capsys, str(tmp_path / "none"))[0] == 2
    (tmp_path / "empty").mkdir()
    assert run(capsys, str(tmp_path / "empty"))[0] == 2
    assert run(capsys, str(tmp_path / "a.jsonl"), "--since", "yesterday")[0] == 2
    with pytest.raises(UnreadableRecord):
        replay(tmp_path / "none")


def test_one_bad_segment_does_not_hide_the_others(rolled_back: Path) -> None:
    (rolled_back / "app" / "000000000000-1.jsonl").write_bytes(b"rubbish\n")
    view = replay(rolled_back)
    assert view["same"] is True
    assert view["pools"]["app"]["segments"] == 1
    assert "000000000000-1.jsonl" in view["pools"]["app"]["damage"][0]


def test_since_leaves_out_segments_that_ended_before(tmp_path: Path) -> None:
    living = Living(policy(stable="green"), outages()).live(4_500_000)
    record(tmp_path, living.noted, segment_bytes=1_000)
    names = sorted((tmp_path / "app").iterdir())
    assert len(names) > 2
    second = int(names[1].name.split("-")[1].split(".")[0])
    whole, late = replay(tmp_path), replay(tmp_path, since_ms=second + 1)
    assert late["pools"]["app"]["segments"] == whole["pools"]["app"]["segments"] - 1
    assert late["same"] is True
