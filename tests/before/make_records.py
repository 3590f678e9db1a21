"""How ``files/records`` was made: every story, the dialogues of the core's tests, random walks.

Runs with the version before only, see ``make.py``. Each world feeds the real ``step``; a tape in
its place keeps what went in and what came out. A tape is cut into segments like those of the
recorder, each with the state it begins in, so that states in the middle of everything are there
to be read as well.
"""

import gzip
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from healthguard.core.record import Encoder, Header, header_line
from healthguard.service.recorder import Recorder, code_version

from healthguard.core import events as ev
from healthguard.core import pool
from healthguard.core.model import (
    Answer,
    BakePolicy,
    Done,
    Expect,
    HealthPolicy,
    Policy,
    UpstreamPolicy,
)
from healthguard.core.state import State
from tests.core import story as dialogue
from tests.laws import world as laws
from tests.laws.search import ENDS, everything, small
from tests.stories import sim
from tests.stories.transcript import every_story

Noted = tuple[State, ev.Event, tuple[ev.Command, ...]]
LONG = 400  # inputs of a segment; of those in which nothing is done only the first is kept
WALKS, STEPS = 100, 60


class Tapes:
    """``step``, and all that went through it: one tape for each chain of states."""

    def __init__(self) -> None:
        self.name = ""
        self.found: list[tuple[str, list[Noted]]] = []
        self._ends: dict[int, tuple[State, list[Noted]]] = {}

    def step(self, state: State, event: ev.Event) -> tuple[State, tuple[ev.Command, ...]]:
        fresh, commands = pool.step(state, event)
        _, tape = self._ends.pop(id(state), (state, None))
        if tape is None:
            tape = []
            self.found.append((self.name, tape))
        tape.append((state, event, commands))
        self._ends[id(fresh)] = (fresh, tape)
        return fresh, commands

    @contextmanager
    def instead(self, module: Any) -> Iterator[None]:
        """In the place of ``step`` in ``module``."""
        module.step = self.step
        try:
            yield
        finally:
            module.step = pool.step


# --------------------------------------------------------------- the worlds


def stories() -> list[tuple[str, list[Noted]]]:
    tapes = Tapes()
    with tapes.instead(sim):
        for story in every_story():
            tapes.name = story.name
            sim.Simulation(story, 0).run()
    return tapes.found


class _Listens:
    def __init__(self, tapes: Tapes) -> None:
        self.tapes = tapes

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.tapes.name = item.nodeid.removeprefix("tests/core/")
        for module in list(sys.modules.values()):  # pytest has imported it under its own name
            if str(getattr(module, "__file__", "")) == dialogue.__file__:
                module.step = self.tapes.step  # type: ignore[attr-defined]


def dialogues() -> list[tuple[str, list[Noted]]]:
    """What the tests of the core say to it."""
    tapes = Tapes()
    with tapes.instead(dialogue):
        code = pytest.main(
            ["-q", "tests/core", "-p", "no:cacheprovider", "-p", "no:xdist"], [_Listens(tapes)]
        )
    assert code == 0
    return tapes.found


class Walker(laws.World):
    """The world of the laws, without their ghosts: things happen that the laws do not know."""

    tapes: Tapes

    late: tuple[ev.Event, ...] = ()

    def send(self, event: ev.Event) -> None:
        todo, tests = [event], 0
        while todo:
            event = todo.pop(0)
            tests += isinstance(event, ev.Tested)
            if tests > 2:  # in no time at all it would be asked for for ever
                self.late = (event,)
                continue
            self.state, commands = self.tapes.step(self.state, event)
            for command in commands:
                todo.extend(self._carry_out(command))

    def tick(self, ms: int) -> None:
        late, self.late = self.late, ()
        for event in late:
            self.now += 1
            self.send(replace(event, at=self.instant))
        super().tick(ms)


def walks() -> list[tuple[str, list[Noted]]]:
    tapes = Tapes()
    Walker.tapes = tapes
    for seed in range(WALKS):
        tapes.name = f"walk {seed}"
        dice = random.Random(seed)
        walker = Walker(_policy(dice))
        for name in walker.policy.upstreams:
            if dice.random() < 0.8:
                walker.order("good", name)
            for _ in range(2):
                walker.answer(name, laws.PASS)
        walker.tick(500)
        for _ in range(STEPS):
            moves = [*_weighted(walker, dice)]
            dice.choices([move for _, move in moves], [weight for weight, _ in moves])[0]()
    return tapes.found


def _policy(dice: random.Random) -> Policy:
    colour = UpstreamPolicy({"p": Expect(max_latency_us=dice.choice([None, 50_000]))})
    modes = ["auto", "auto", "auto", "propose", "observe"]
    policy = small(
        mode_steady=dice.choice(modes),
        mode_bake=dice.choice(modes),
        stable=dice.choice([None, None, "b"]),
        releases=dice.random() < 0.4,
        dependencies={"database": Expect()} if dice.random() < 0.4 else {},
        standby=dice.choice(["warm"] * 6 + ["stopped"]),
        health=HealthPolicy(fall=dice.choice([1, 2]), rise=1, window_fails=dice.choice([0, 0, 3]),
                            window_of=5),
        marker=dice.random() < 0.8,
    )  # fmt: skip
    names = "ab" if dice.random() < 0.8 else "abc"
    policy = replace(policy, upstreams=dict.fromkeys(names, colour))
    rollback = replace(
        policy.rollback,
        cooldown_ms=dice.choice([0, 3_000, 30_000]),
        budget_switches=dice.choice([1, 2, 3]),
        start_grace_ms=dice.choice([0, 0, 60_000]),
        min_down_ms=dice.choice([0, 1_000, 3_000]),
    )
    bake = BakePolicy(dice.choice([3_000, 30_000]), 1, 1_000, dice.choice([None, 20_000]))
    return replace(policy, rollback=rollback, bake=bake)


def _weighted(w: Walker, dice: random.Random) -> Iterable[tuple[float, Callable[[], Any]]]:
    """(weight, what may happen now)."""
    name = dice.choice(list(w.policy.upstreams))
    for words, move in everything(w):
        ending = words in ENDS or words == "turn"
        weight = 20 if words == "completed" else 3 if ending else 0.2
        yield weight, lambda move=move: move(w)
    if w.queued:
        yield 25, w.turn
    yield 5, lambda: _repair(w)
    yield 10, lambda: _incident(w, name)
    yield 4, lambda: w.tick(dice.choice([1, 700, 5_000, 40_000]))
    yield 1, lambda: w.tick(dice.choice([130_000, 700_000, 90_000_000]))
    yield 3, lambda: w.answer(name, dice.choice(_ANSWERS))
    yield 1, lambda: _reload(w, dice)
    yield 1, lambda: w.crash(dice.choice([10, 9_000]), reboot=dice.random() < 0.3)
    yield 2, lambda: w.order("approve", proposal=_proposal(w, dice))
    yield 0.5, lambda: w.order("reject")
    yield 1, lambda: w.order("pause", for_ms=dice.choice([2_000, 400_000]))
    yield 0.3, lambda: w.order(dice.choice(["dance", "switch"]), None)
    yield 0.3, lambda: w.order("switch", "gone")
    yield 0.5, lambda: w.order("switch", name, trigger="deploy")
    if w.policy.dependencies:
        yield 1, lambda: [w.depend(laws.PASS), *(w.depend(laws.FAIL) for _ in range(3))]
    rare = bool(w.state.memory.lost or w.broken)
    for verb, to in (("switch", name), ("rollback", None)):
        yield 8 if rare else 1, lambda verb=verb, to=to: w.order(verb, to, dry_run=True,
                                                    force=dice.random() < 0.3)  # fmt: skip
    yield 0.3, lambda: _silent_marker(w)
    yield 0.2, lambda: w.send(ev.SwitchFinished(w.instant, "nobody's", Done("completed")))
    if w.testing is None:
        yield 0.5, lambda: _refused_test(w, name, dice)
    if w.flight is not None:
        yield 3, lambda: _refused(w, dice)


_ANSWERS = (
    Answer(80_000, 200),
    Answer(9_000, 503, detail="answered 503", excerpt="HTTP/1.1 503 Service Unavailable"),
    Answer(9_000, 200, verdicts=(("json", False),), detail="json: ready is false"),
    Answer(3_000_000, failure="timeout", detail="no answer within 3 s"),
    Answer(0, inconclusive="loop_late"),
    Answer(4_000, 200, release="9"),
)


def _proposal(w: Walker, dice: random.Random) -> str | None:
    found = w.state.memory.proposal
    return dice.choice([None, found.proposal_id if found is not None else None, "app-old-1"])


def _repair(w: Walker) -> None:
    """A person has been there."""
    w.link, w.nginx, w.disabled, w.broken = w.workers, "running", False, False
    w.moves += 1
    w.set_doubt(False)
    w.look()
    w.order("ack")
    w.order("resume")


def _incident(w: Walker, well: str) -> None:
    """One is well, the others fail for a while."""
    for _ in range(5):
        w.now += 600
        for name in w.policy.upstreams:
            w.answer(name, laws.PASS if name == well else laws.FAIL)
        w.tick(1)
        if w.queued:
            w.turn()


def _reload(w: Walker, dice: random.Random) -> None:
    """A new configuration: another mode, other thresholds, another probe, one upstream less."""
    old = w.policy
    ups = old.upstreams
    other = UpstreamPolicy({"p": Expect(((200, 204),))})
    fresh = [
        replace(old, mode_steady=dice.choice(["auto", "propose", "observe"])),
        replace(old, health=replace(old.health, fall=dice.choice([1, 2, 3]))),
        replace(old, stable=dice.choice([None, "a", "b"])),
        replace(old, bake=replace(old.bake, for_ms=9_000)),
        replace(old, upstreams={**ups, "c": ups["a"]}),
        replace(old, upstreams={name: ups[name] for name in ups if name != "c"}),
        replace(old, upstreams={**ups, "a": other}),
    ]  # fmt: skip
    w.policy = dice.choice(fresh)
    for name in w.policy.upstreams:
        w.probes.setdefault(name, laws.DumbProbe(1))
        if w.policy.releases:
            w.releases.setdefault(name, "1")
    w.releases = {name: each for name, each in w.releases.items() if name in w.policy.upstreams}
    w.send(ev.Configured(w.instant, w.policy))


def _silent_marker(w: Walker) -> None:
    link, nginx = w.state.link, w.state.nginx
    if link is not None and nginx is not None:
        words = "the marker does not answer: connection refused"
        at = w.instant
        w.send(ev.Observed(at, link, nginx, at.boot_ms, None, words, None, w.stamp))


def _refused_test(w: Walker, upstream: str, dice: random.Random) -> None:
    gates = ["config_invalid", "link_unmanaged", "nginx_down", "nginx_upgrading", "disabled",
             "switcher_unavailable"]  # fmt: skip
    gate = dice.choice(gates)
    fact = ev.TestFact(w.instant, None, gate, f"refused by {gate}", w.stamp, 14)
    w.send(ev.Tested(w.instant, upstream, fact))
    if w.state.testing is None:
        w.order("switch", upstream, dry_run=True)
        if w.state.testing == upstream:
            w.send(ev.Tested(w.instant, upstream, fact))


def _refused(w: Walker, dice: random.Random) -> None:
    """At the last check, by any gate."""
    gate = dice.choice(["config_invalid", "link_unmanaged", "nginx_down", "disabled", "nonsense"])
    assert w.flight is not None
    flight, w.flight = w.flight, None
    done = Done("refused", gate, f"refused by {gate}", timings_ms={"check": 3}, durable=False)
    w.send(ev.SwitchFinished(w.instant, flight.switch_id, done))


# --------------------------------------------------------------- segments and files


def segments(name: str, tape: list[Noted], dice: random.Random) -> Iterator[tuple[str, list[str]]]:
    """(name, lines) of each segment that is worth it."""
    start = 0
    while start < len(tape):
        size = dice.randrange(15, LONG) if start == 0 else LONG
        part = tape[start : start + size]
        told = any(
            not isinstance(each, ev.Save | ev.Wake | ev.Test) for _, _, out in part for each in out
        )
        if told or start == 0:
            yield f"{name} from {start}", _lines(part, start)
        start += size


def _lines(part: list[Noted], first: int) -> list[str]:
    before = part[0][0]
    reason = "rolled" if first else "start"
    lines = [header_line(Header(code_version(), before.policy.pool, first, reason, before))]
    encoder = Encoder(before.at)
    lines += [encoder.lines(event, commands) for _, event, commands in part]
    return "".join(lines).splitlines(keepends=True)


def bundle(path: Path, tapes: list[tuple[str, list[Noted]]]) -> None:
    """Segments one after the other, a line with its name before each."""
    dice = random.Random(path.name)
    lines: list[str] = []
    count = 0
    for name, tape in tapes:
        for title, segment in segments(name, tape, dice):
            lines += [json.dumps({"name": title}) + "\n", *segment]
            count += 1
    data = "".join(lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{path.name}: {count} segments, {len(data)} bytes, {path.stat().st_size} compressed")


def recorder(folder: Path, tape: list[Noted]) -> None:
    """One life with the real recorder: files as they lie in ``state_dir/record/POOL``."""
    said: list[str] = []
    real = Recorder(
        folder, lambda level, text: said.append(f"{level}: {text}"), segment_bytes=10_000
    )
    real.start()
    for each in tape:
        real.note(*each)
    real.close(30.0)
    assert not said, said


def make(folder: Path) -> None:
    """All of it."""
    shutil.rmtree(folder, ignore_errors=True)  # a recorder would go on with the numbers it finds
    told = stories()
    life = max((tape for name, tape in told if name == "deploy-in-an-incident"), key=len)
    recorder(folder / "recorder", life)
    for half, name in ((0, "stories-1"), (1, "stories-2")):
        bundle(folder / f"{name}.jsonl.gz", [each for n, each in enumerate(told) if n % 2 == half])
    bundle(folder / "dialogues.jsonl.gz", dialogues())
    walked = walks()
    for part in range(2):
        bundle(folder / f"walks-{part + 1}.jsonl.gz", walked[part::2])
