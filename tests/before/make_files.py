"""How ``files/state`` and ``files/wire`` were made; runs with the version before only.

Memories are those that ended walks and dialogues left, one for each situation, saved by the real
store. ``real`` is the folder of a daemon that was killed in the middle of a switch, together with
what its switcher had on disk. Beside each file lies what it says (``*.expected.json``).
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from healthguard.core.codec import encode, load_memory, save_memory
from healthguard.core.record import said
from healthguard.edges import switcher_wire as wire
from healthguard.edges.nginx.intent import Intent, Intents
from healthguard.edges.nginx.ports import Commit, Recovered
from healthguard.edges.notify.spec import Message, Notifier, Sent
from healthguard.edges.store import Store
from healthguard.service.notifications import compose
from healthguard.service.notifications.outbox import Outbox, Patience
from healthguard.service.notifications.topics import Timing, Topics
from healthguard.service.switcher_results import Results

from healthguard.core.memory import Memory
from healthguard.core.model import Done, Expect, Instant, TestFact
from healthguard.core.model import UpstreamPolicy as Colour
from tests.laws.search import small

Situation = Callable[[Memory], object]
SITUATIONS: Mapping[str, Situation] = {
    "attempt-automatic": lambda m: m.attempt and m.attempt.trigger == "automatic" and m.good,
    "attempt-manual": lambda m: m.attempt and m.attempt.verb == "switch" and not m.attempt.forced,
    "attempt-forced": lambda m: m.attempt and m.attempt.forced,
    "attempt-in-bake": lambda m: m.attempt and m.bake,
    "bake": lambda m: m.bake and m.bake.seen_ms and not m.bake.failed,
    "bake-failed": lambda m: m.bake and m.bake.failed,
    "bake-forced": lambda m: m.bake and m.bake.forced,
    "pause": lambda m: m.pause,
    "pause-told": lambda m: m.pause and m.pause.told,
    "down-at-pause-end": lambda m: m.down_at_pause_end,
    "latched": lambda m: m.ledger.latched_ms is not None,
    "shadow": lambda m: m.shadow.charges_ms and m.shadow.latched_ms is None,
    "shadow-latched": lambda m: m.shadow.latched_ms is not None,
    "marks": lambda m: m.ledger.marks and len(m.ledger.charges_ms) > 1,
    "releases": lambda m: any(note.proven for row in m.releases.values() for note in row.values()),
    "proposal": lambda m: m.proposal and len(m.proposal.gates) == 1,
    "proposal-gates": lambda m: m.proposal and len(m.proposal.gates) > 1,
    "proposal-reminded": lambda m: m.proposal and m.proposal.told > 1,
    "rejected": lambda m: m.rejected,
    "forced": lambda m: m.forced,
    "lost": lambda m: m.lost,
    "undone": lambda m: m.undo_stamp is not None,
    "decided": lambda m: m.last_decision.get("event") == "switch_completed" and m.confirmed,
    "rebooted": lambda m: m.boot_id.count("'") == 1 and m.ledger.charges_ms,
}  # fmt: skip


def memories(folder: Path) -> None:
    """One file of the store for each situation, and what a start from it leads to."""
    from tests.before import make_records

    tapes = [*make_records.walks(), *make_records.dialogues(), *make_records.stories()]
    missing = []
    for name, fits in SITUATIONS.items():
        state = next((s for _, tape in tapes for s, _, _ in tape if fits(s.memory)), None)
        if state is None:
            missing.append(name)
            continue
        document = save_memory(state.memory)
        asyncio.run(_save(folder / name, state.policy.pool, document))
        expected = {
            "policy": encode(state.policy),
            "memory": encode(state.memory),
            "continued": continued(state.policy, state.memory),
        }
        (folder / name / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    assert not missing


async def _save(folder: Path, pool: str, document: Mapping[str, Any]) -> None:
    store = Store(folder)
    assert (await store.save(pool, document)).durable
    assert (await store.save(pool, document)).durable  # its counter is 2


def continued(policy: Any, memory: Memory) -> list[Any]:
    """Restored, reconciled and looked at: the commands of each."""
    from tests.before.test_files import restart

    return [said(commands) for commands in restart(policy, memory)]


def intents(folder: Path) -> None:
    """Open, closed in each way, and of both folders."""
    base = Intent("app-abc-7", "app", "blue", "green", "/etc/nginx/app_active.conf", 4711,
                  1_700_000_000_000, "boot-1", "100:1", ((101, 2), (102, 3)))  # fmt: skip
    ends = {
        "open": None,
        "completed": Done("completed", "", "", "proven", {"reload": 12, "total": 130}, True,
                          "4711:1:green", "100:1"),
        "undone": Done("undone", "", "the marker answers blue", "refuted", {"undo": 20}),
        "lost": Done("lost", "", "nginx is gone", "refuted", {}, False),
        "refused": Done("refused", "config_invalid", "nginx -t failed"),
        "unclear": Done("unclear", "", "silent", "unclear", recovered=True),
    }  # fmt: skip
    for name, done in ends.items():
        keeper = Intents(folder / name, folder / name / "run")
        keeper.write(base)
        if done is not None:
            keeper.close(base, done)
        expected = {**asdict(base), "done": None if done is None else asdict(done)}
        (folder / name / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def results(folder: Path) -> None:
    """The ends that the switcher keeps."""

    async def fill() -> None:
        kept = Results(Store(folder))
        for number, outcome in enumerate(("completed", "undone", "lost", "refused", "unclear")):
            pool = ("app", "shop")[number % 2]
            gate = "config_invalid" if outcome == "refused" else ""
            done = Done(outcome, gate, f"how it ended: {outcome}", "proven", {"total": number},
                        number != 3, f"link-{number}", "100:1")  # fmt: skip
            await kept.remember(Recovered(f"{pool}-abc-{number}", pool, "green", done))

    asyncio.run(fill())
    document = json.loads((folder / "switches.json").read_text())["document"]
    (folder / "expected.json").write_text(json.dumps(document, indent=1) + "\n")


def notifications(folder: Path) -> None:
    """``notify/queue.json`` with open troubles and messages that could not be sent yet."""
    topics, outbox, now = Topics("host", Timing()), Outbox(Patience()), 1_700_000_000_000
    fields = {"gate": "standby_not_up", "reason": "green is down", "active": "blue", "wanted": True,
              "target": "green", "both_down": True, "failure": "blue is failing"}  # fmt: skip
    events: list[dict[str, Any]] = [
        {"event": "hold_entered", "id": "app-1", "pool": "app", **fields},
        {"event": "latched", "id": "shop-2", "pool": "shop", "reason": "2 automatic switches"},
    ]
    for event in events:
        for change in compose.changes({"level": "error", "ts": "", **event}, now):
            assert isinstance(change, compose.Begins)
            topics.begins(change.notice, now)
    due = topics.due(now + 100_000)
    assert due
    for number, (message, _) in enumerate(due):
        outbox.add("pager", message, now + number)
    outbox.add("chat", Message("m-1", "healthguard/host/app/failing", "failing", "warning", "t",
                               "b", now, True, {"pool": "app"}), now)  # fmt: skip
    pager = Notifier("pager", "webhook", {}, {}, frozenset())
    for batch in outbox.take({"pager": pager}, now + 1_000, 1):  # tried once, in vain
        failed = [Sent(each.id, False, "refused") for each in batch.messages]
        outbox.settle(batch, failed, now + 2_000)
    document = {"version": 1, "topics": topics.document(), "outbox": outbox.document()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "queue.json").write_text(json.dumps(document, separators=(",", ":")))
    (folder / "expected.json").write_text(json.dumps(document, indent=1) + "\n")


def real(folder: Path) -> None:
    """A daemon with real nginx and inline switcher, killed between intent and proof."""
    from tests.support.world import World

    folder.mkdir(parents=True)
    rollback = {"cooldown": "1m", "budget": {"switches": 2, "per": "10m"}}
    with tempfile.TemporaryDirectory() as root:
        pool = {"stable": "green", "rollback": rollback}
        with World(Path(root), pool=pool, slow_reload=True) as world:
            world.settled().wait_pool(rollback_ready=True)
            world.hold_reload()
            world.app("blue").answer(status=503)
            world.wait_reloading()
            world.daemon.kill9()
            world.let_reload()
            state = next(Path(root).rglob("app.json")).parent
            shutil.copytree(state, folder / "state_dir")
            shutil.copy(next(Path(root).glob("*.yaml")), folder / "last-valid.yaml")
    memory = load_memory(json.loads((folder / "state_dir" / "app.json").read_text())["document"])
    policy = replace(small(), upstreams=dict.fromkeys(("blue", "green"), Colour({"p": Expect()})))
    expected = {
        "policy": encode(policy),
        "memory": encode(memory),
        "continued": continued(policy, memory),
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def messages(path: Path) -> None:
    """Every request and answer between guard and switcher, as bytes, one a line."""
    at = Instant(10_000_000, 1_700_000_000_000)
    done = Done("completed", "", "", "proven", {"reload": 12}, True, "l1", "100:1", True)
    config = {"digest": "abc", "problem": ""}
    refused = Done("refused", "config_invalid", "nginx -t failed")
    ends = [
        done,
        refused,
        Done("undone", "", "refuted", "refuted"),
        Done("lost"),
        Done("unclear"),
        Done(""),
    ]
    rows: list[tuple[str, bytes]] = [
        ("request", wire.encode_request(each))
        for each in (
            wire.Prepare("app", "green"), wire.Reconcile(), wire.Result("app-1"), wire.Ping(),
            Commit("app-1", "app", "t-1", "blue", "green", False),
            Commit("app-1", "app", "t-1", None, "green", True, True),
        )
    ]  # fmt: skip
    tests = [
        TestFact(at, "t-1", stamp="s", took_ms=12),
        TestFact(at, None, "nginx_down", "no", "", 3),
    ]
    rows += [
        ("test", wire.encode({"test": wire.dump_test(each), "config": config})) for each in tests
    ]
    rows += [
        ("done", wire.encode({"done": wire.dump_done(each), "config": config})) for each in ends
    ]
    found = [
        wire.dump_recovered(Recovered(f"app-{n}", "app", "green", each))
        for n, each in enumerate(ends)
    ]
    rows += [("recovered", wire.encode({"recovered": each, "config": config})) for each in found]
    rows.append(("all recovered", wire.encode({"recovered": found, "config": config})))
    rows.append(
        ("pong", wire.encode({"pong": True, "config": {"digest": "", "problem": "broken"}}))
    )
    for code in ("forbidden", "busy", "bad_request", "internal", "no_config", "unknown_pool",
                 "unknown_upstream", "unknown_switch", "too_large", "timeout"):  # fmt: skip
        rows.append(
            (
                "error",
                wire.encode(
                    {"error": {"code": code, "message": f"because {code}"}, "config": config}
                ),
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps([kind, line.decode()]) + "\n" for kind, line in rows))


def make(folder: Path) -> None:
    """All of it."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    memories(folder / "state" / "memory")
    intents(folder / "state" / "intents")
    results(folder / "state" / "results")
    notifications(folder / "state" / "notify")
    real(folder / "state" / "real")
    messages(folder / "wire" / "messages.jsonl")
