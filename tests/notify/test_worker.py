"""The thread: durable, bounded, quiet; with stand-ins for the sender."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from healthguard.notify.launch import Process
from healthguard.notify.levels import LEVELS
from healthguard.notify.outbox import Delivery, Patience
from healthguard.notify.spec import Message, Notifier, Sent
from healthguard.notify.worker import INBOX, NotifyWorker
from tests.support.eventually import eventually

OPS = Notifier("ops", "webhook", {}, {}, frozenset(LEVELS))
EAGER = Patience(first_ms=50, longest_ms=100, give_up_ms=1_000)


class Bench:
    """A worker and all it said. ``problem``: why the stand-in for the sender fails."""

    def __init__(self, folder: Path, patience: Patience = EAGER) -> None:
        self.sent: list[Message] = []
        self.outcomes: list[Delivery] = []
        self.said: list[tuple[str, str]] = []
        self.problem = ""
        self.waits = threading.Event()
        self.waits.set()
        self.worker = NotifyWorker(
            folder,
            "web1",
            self.outcomes.append,
            lambda level, text: self.said.append((level, text)),
            send=self.send,
            patience=patience,
        )
        self.worker.configure({"ops": OPS}, {f"p{n}": ["ops"] for n in range(600)})

    def send(
        self, _: Notifier, messages: Sequence[Message], *, started: Callable[[Process], None]
    ) -> list[Sent]:
        self.waits.wait(20)
        if not self.problem:
            self.sent += messages
        return [Sent(each.id, not self.problem, self.problem) for each in messages]

    def hold(self, pool: str = "p0", gate: str = "cooldown") -> None:
        event = {"event": "hold_entered", "pool": pool, "gate": gate, "wanted": True}
        self.worker.event(event, time.time_ns() // 1_000_000)

    def titles(self) -> list[str]:
        return [each.title for each in self.sent]


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Bench]:
    bench = Bench(folder, **options)
    bench.worker.start()
    try:
        yield bench
    finally:
        bench.waits.set()
        bench.worker.close(within=0.5)


def test_an_event_becomes_a_message(tmp_path: Path) -> None:
    with running(tmp_path) as bench:
        bench.hold()
        eventually(lambda: bench.sent)
        assert (
            bench.sent[0].title
            == "web1: p0: the active upstream is down and I cannot fail over (cooldown)"
        )
        eventually(lambda: Delivery("ops", "sent", 1) in bench.outcomes)


def test_it_is_tried_again_and_given_up(tmp_path: Path) -> None:
    with running(tmp_path) as bench:
        bench.problem = "HTTP 500"
        bench.hold()
        eventually(lambda: Delivery("ops", "failed", 1, "HTTP 500") in bench.outcomes)
        assert bench.outcomes.count(Delivery("ops", "retried", 1, "HTTP 500")) > 2


def test_what_waits_survives_a_restart_and_is_sent_once(tmp_path: Path) -> None:
    patience = Patience(first_ms=50, longest_ms=100)
    with running(tmp_path, patience=patience) as bench:
        bench.problem = "no connection"
        bench.hold()
        eventually(lambda: bench.outcomes)
    with running(tmp_path, patience=patience) as after:
        eventually(lambda: after.sent)
        after.hold()  # the core says it again after a restart
        after.hold("p1")
        eventually(lambda: any("p1" in each for each in after.titles()))
        assert [each for each in after.titles() if "p0" in each] == after.titles()[:1]
    assert (tmp_path / "queue.json").stat().st_mode & 0o777 == 0o600


def test_ended_in_the_middle_of_sending(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.worker.start()
    bench.waits.clear()
    bench.hold()
    eventually(lambda: (tmp_path / "queue.json").exists() and bench.worker.open())
    began = time.monotonic()
    bench.worker.close(within=0.2)
    assert time.monotonic() - began < 15
    bench.waits.set()
    with running(tmp_path) as after:
        eventually(lambda: after.sent)


def test_a_storm_of_600_pools_is_bounded(tmp_path: Path) -> None:
    with running(tmp_path, patience=Patience(most=50)) as bench:
        bench.waits.clear()
        for _ in range(20):
            for pool in range(600):
                bench.hold(f"p{pool}")
        eventually(lambda: sum(o.count for o in bench.outcomes if o.outcome == "dropped") >= 500)
        bench.waits.set()
        eventually(lambda: sum(o.count for o in bench.outcomes if o.outcome == "sent") >= 40)
        assert len(bench.sent) <= 100


def test_the_event_loop_never_waits_for_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)  # not even started
    for number in range(INBOX + 100):
        bench.hold(f"p{number}")
    bench.worker.start()
    eventually(lambda: any("came too fast" in text for _, text in bench.said))
    bench.worker.close()


def test_a_disk_that_is_full_stops_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to be allowed to mount")
    try:
        (tmp_path / "ballast").write_bytes(b"x" * 4096)
        with running(tmp_path / "notify") as bench:
            for pool in range(8):
                bench.hold(f"p{pool}")
            eventually(lambda: len(bench.sent) == 8)
            troubles = [text for level, text in bench.said if level == "error"]
            assert len(troubles) == 1
            assert "No space left on device" in troubles[0]
            (tmp_path / "ballast").unlink()
            subprocess.run(["mount", "-o", "remount,size=1m", str(tmp_path)], check=True)
            bench.hold("p9")
            eventually(lambda: any("written again" in text for _, text in bench.said))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 9}', '{"version": 1, "topics": 3, "outbox": []}']
)
def test_a_queue_that_cannot_be_read_is_told_and_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "queue.json").write_text(content)
    with running(tmp_path) as bench:
        bench.hold()
        eventually(lambda: bench.sent)
        warned = [text for level, text in bench.said if level == "warning"]
        assert any(f"ignoring {tmp_path / 'queue.json'}" in text for text in warned)


def test_a_sender_that_breaks_is_a_failure_like_any_other(tmp_path: Path) -> None:
    with running(tmp_path) as bench:

        def broken(*_: Any, **__: Any) -> list[Sent]:
            raise ValueError("https://example.org/secret")

        bench.worker._send = broken
        bench.hold()
        eventually(lambda: bench.outcomes)
        assert bench.outcomes[0].problem == "the sender could not be run (ValueError)"
