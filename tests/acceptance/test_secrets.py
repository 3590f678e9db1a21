"""An upstream that says back what it is sent: no secret of the configuration is kept or shown."""

import gzip
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.world import World

TOKEN = "tok-5d1f0c9a7e"
HEADERS = {"X-Token": "${TOK}", "X-Other": "Bearer ${TOK}"}


def echoing(root: Path) -> World:
    """Its release and its body are what a client would have sent."""
    world = World(
        root, env={"TOK": TOKEN}, pool={"release": {"header": "X-Release-Id"}, "stable": "green"}
    )
    for upstream in world.config["pools"]["app"]["upstreams"].values():
        upstream["probes"][0]["headers"] = HEADERS
    world.daemon.configure(world.config)
    return world


def kept(root: Path) -> dict[str, bytes]:
    """Every file below ``root``, unpacked; the configuration and the application's own left out."""
    return {
        str(path.relative_to(root)): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "nginx" not in path.relative_to(root).parts
    }


def test_nothing_that_is_kept_or_shown_has_it(tmp_path: Path) -> None:
    with echoing(tmp_path) as world:
        world.settled()
        said = f"you sent {TOKEN} as X-Token, and Bearer {TOKEN}"
        world.app("blue").answer(status=503, body=said, release=f"r1-{TOKEN}")
        world.wait_served("green")
        world.daemon.wait_event("switch_completed")
        shown = [str(world.api("status")), world.cli("why", "app"), world.cli("status", "--json")]
        eventually(lambda: list((tmp_path / "state" / "record").rglob("*.jsonl")))
        world.daemon.stop()
        files = kept(tmp_path)
    record = b"".join(text for name, text in files.items() if name.endswith(".jsonl.gz"))
    for where, text in (("record", record), ("event log", files["events.jsonl"])):
        assert b"you sent [cut out]" in text, f"the answer is not in the {where} at all"
    assert [text for text in shown if TOKEN in text] == []
    assert [name for name, text in files.items() if TOKEN.encode() in text] == []
