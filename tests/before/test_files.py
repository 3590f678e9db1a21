"""Files of the version before: loaded without loss, and gone on with.

``files/state`` was made by ``make_files.py``; what each file says lies beside it.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from healthguard.core import events as ev
from healthguard.core.memory import Memory
from healthguard.core.model import Done, Instant, LinkFact, NginxFact, Policy
from healthguard.core.pool import begin, step
from healthguard.machine.codec import decode, encode
from healthguard.machine.memory import load_memory
from healthguard.machine.store import Store
from healthguard.nginx.intent import Intents
from healthguard.notify.outbox import Outbox, Patience
from healthguard.notify.topics import Timing, Topics
from healthguard.notify.worker import NotifyWorker
from healthguard.replay.record import said_text
from healthguard.switcher.config import ConfigSource
from healthguard.switcher.results import Results
from healthguard.switcher.service import read_config
from tests.before.test_decisions import before, today

STATE = Path(__file__).with_name("files") / "state"
MEMORIES = sorted((STATE / "memory").glob("*"))
INTENTS = sorted((STATE / "intents").glob("*"))


def expected(folder: Path) -> Any:
    return json.loads((folder / "expected.json").read_text())


def covers(today: Any, before: Any, place: str = "") -> None:
    """Everything of ``before`` is in ``today``, which may have more fields."""
    if isinstance(before, dict):
        assert isinstance(today, dict), place
        for name, value in before.items():
            assert name in today, f"{place}.{name} is lost"
            covers(today[name], value, f"{place}.{name}")
    elif isinstance(before, list):
        assert isinstance(today, list), place
        assert len(today) == len(before), place
        for number, (new, old) in enumerate(zip(today, before, strict=True)):
            covers(new, old, f"{place}[{number}]")
    else:
        assert today == before, place


# --------------------------------------------------------------- memory


def by_the_old_names(memory: Memory) -> Any:
    """What the version before would have kept: the reverse of how it is read, written apart."""
    found = encode(memory)
    charges, shadow, marks = found.pop("charges"), found.pop("shadow"), found.pop("marks")
    found["ledger"] = {
        "charges_ms": charges["at_ms"],
        "latched_ms": charges["latched_ms"],
        "marks": marks,
    }
    found["shadow"] = {
        "charges_ms": shadow["at_ms"],
        "latched_ms": shadow["latched_ms"],
        "marks": {},
    }
    if (attempt := found["attempt"]) is not None:
        begun, order = attempt["begun"], attempt["order"]
        fields = {
            "from": begun["origin"],
            "to": attempt["to"],
            "trigger": order["trigger"],
            "reason": begun["reason"],
            "actor": order["actor"],
            "release_from": begun["release_from"],
            "release_to": begun["release_to"],
            "detection_ms": begun["detection_ms"],
            "timings_ms": {"prepare": begun["prepare_ms"]},
            "evidence": begun["evidence"],
        }
        if begun["warnings"]:
            fields["warnings"] = begun["warnings"]
        found["attempt"] = {
            "switch_id": begun["switch_id"],
            "origin": begun["origin"],
            "to": attempt["to"],
            "trigger": order["trigger"],
            "verb": order["verb"],
            "forced": order["force"],
            "origin_failed": begun["origin_failed"],
            "fields": fields,
        }
    return found


def restart(policy: Policy, memory: Memory) -> list[tuple[ev.Command, ...]]:
    """The commands of a start: memory, the end of an open switch, a look."""
    at = Instant(memory.saved.boot_ms + 5_000, memory.saved.wall_ms + 5_000)
    state = begin(at, policy)
    events: list[ev.Event] = [ev.Restored(at, memory, memory.boot_id)]
    attempt = memory.attempt
    here = memory.active or next(iter(policy.upstreams))
    if attempt is not None:
        done = Done(
            "undone", "", "put back after a crash", "proven", {}, True, "link-9", "100:1", True
        )
        assert attempt.begun is not None
        events.append(ev.SwitchFinished(at, attempt.begun.switch_id, done))
        here = attempt.begun.origin or attempt.to
    link = LinkFact(here, "", "link-9", at.wall_ms - 60_000)
    nginx = NginxFact("running", "", "100:1", at.wall_ms - 50_000)
    events.append(ev.Observed(at, link, nginx, at.boot_ms, stamp="files"))
    told = []
    for event in events:
        state, commands = step(state, event)
        told.append(commands)
    return told


def loaded(folder: Path) -> Memory:
    found = Store(folder).load("app")
    assert not found.problem
    assert found.document is not None
    return load_memory(found.document)


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy: what cannot be read is moved aside."""
    copied: Path = shutil.copytree(request.param, tmp_path / "copy")
    return copied


def ids(paths: list[Path]) -> dict[str, Any]:
    return {"argvalues": paths, "indirect": True, "ids": [path.name for path in paths]}


@pytest.mark.parametrize("folder", **ids(MEMORIES))
def test_nothing_of_a_memory_is_lost(folder: Path) -> None:
    covers(by_the_old_names(loaded(folder)), expected(folder)["memory"])


@pytest.mark.parametrize("folder", **ids(MEMORIES))
def test_it_goes_on_as_before(folder: Path) -> None:
    told = expected(folder)
    commands = restart(decode(Policy, told["policy"]), loaded(folder))
    assert [today(said_text(each)) for each in commands] == [
        before(json.dumps(each)) for each in told["continued"]
    ]


async def test_the_next_save_is_newer(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MEMORIES[0], tmp_path / "copy"))
    store = Store(folder)
    assert (await store.save("app", store.load("app").document or {})).durable
    assert json.loads((folder / "app.json").read_text())["counter"] == 3


def test_every_situation_is_there() -> None:
    assert len(MEMORIES) == 24
    assert len(INTENTS) == 6


# --------------------------------------------------------------- the switcher's files


@pytest.mark.parametrize("folder", **ids(INTENTS))
def test_an_intent_says_the_same(folder: Path, tmp_path: Path) -> None:
    found = Intents(folder, tmp_path / "run").read("app")
    assert found is not None
    covers(json.loads(json.dumps(encode(found))), expected(folder))


async def test_the_ends_that_were_kept(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(STATE / "results", tmp_path / "copy"))
    kept = Results(Store(folder))
    assert not kept.problem
    for end in expected(folder)["ends"]:
        found = kept.get(end["switch_id"])
        assert found is not None
        covers(json.loads(json.dumps(encode(found))), end)
    assert [each.pool for each in kept.latest()] == ["shop", "app"]


def test_the_last_valid_configuration(tmp_path: Path) -> None:
    """The file is broken now, the copy of the version before is read."""
    tmp_path.chmod(0o755)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    shutil.copy(STATE / "real" / "last-valid.yaml", state / "last-valid.yaml")
    (state / "last-valid.yaml").chmod(0o600)
    path = tmp_path / "healthguard.yaml"
    path.write_text("pools: nonsense\n")
    path.chmod(0o644)
    source = ConfigSource(path, state, read_config)
    assert list(source.current().pools) == ["app"]
    assert source.problem


# --------------------------------------------------------------- notifications


def test_what_waits_to_be_sent_goes_on_waiting() -> None:
    raw = json.loads((STATE / "notify" / "queue.json").read_text())
    topics, outbox = Topics("host", Timing()), Outbox(Patience())
    topics.restore(raw["topics"])
    outbox.restore(raw["outbox"])
    told = expected(STATE / "notify")
    assert outbox.waiting() == sum(len(row["waiting"]) for row in told["outbox"].values()) > 1
    covers(json.loads(json.dumps({"topics": topics.document(), "outbox": outbox.document()})),
           {name: told[name] for name in ("topics", "outbox")})  # fmt: skip


def test_the_worker_finds_its_queue(tmp_path: Path) -> None:
    shutil.copy(STATE / "notify" / "queue.json", tmp_path / "queue.json")
    said: list[str] = []
    worker = NotifyWorker(tmp_path, "host", lambda _: None, lambda level, text: said.append(text))
    worker._load()
    assert not said
    assert worker._outbox.waiting() > 1


# --------------------------------------------------------------- a real one, killed in a switch


def test_a_daemon_killed_in_the_middle_of_a_switch(tmp_path: Path) -> None:
    """Its memory has the attempt, its switcher the open intent of the same switch."""
    state = Path(shutil.copytree(STATE / "real" / "state_dir", tmp_path / "state"))
    memory = loaded(state)
    assert memory.attempt is not None
    begun = memory.attempt.begun
    assert begun is not None
    assert (begun.origin, memory.attempt.to) == ("blue", "green")
    assert begun.evidence
    assert len(memory.charges.at_ms) == 1
    intent = Intents(state / "switcher", tmp_path / "run").read("app")
    assert intent is not None
    assert intent.switch_id == begun.switch_id
    assert intent.done is None
    covers(by_the_old_names(memory), expected(STATE / "real")["memory"])
    policy = decode(Policy, expected(STATE / "real")["policy"])
    told = restart(policy, memory)
    assert [today(said_text(each)) for each in told] == [
        before(json.dumps(each)) for each in expected(STATE / "real")["continued"]
    ]
    events = [each.event for out in told for each in out if isinstance(each, ev.Say)]
    assert "switch_undone" in events
    saves = [each.memory for out in told for each in out if isinstance(each, ev.Save)]
    assert saves[-1].attempt is None
    assert len(saves[-1].charges.at_ms) == 1, "a crash keeps the charge"
