"""The queue: patience, bounds, and who wants to hear what."""

import json
from dataclasses import replace
from itertools import pairwise

from healthguard.notify.levels import LEVELS
from healthguard.notify.outbox import Batch, Delivery, Outbox, Patience, wants
from healthguard.notify.spec import Message, Notifier, Sent

MINUTE = 60_000
MESSAGE = Message("m", "k", "hold", "failure", "title", "body", 0)


def notifier(kind: str = "webhook", *levels: str) -> Notifier:
    return Notifier("ops", kind, {}, {}, frozenset(levels or LEVELS))


OPS = {"ops": notifier()}


def numbered(number: int, **changes: object) -> Message:
    return replace(MESSAGE, id=f"m{number}", title=f"t{number}", **changes)  # type: ignore[arg-type]


def take(outbox: Outbox, now: int, kind: str = "webhook") -> Batch | None:
    return next(iter(outbox.take({"ops": notifier(kind)}, now, 4)), None)


def fail(batch: Batch, problem: str = "HTTP 500") -> list[Sent]:
    return [Sent(each.id, False, problem) for each in batch.messages]


def test_pauses_double_up_to_five_minutes_and_an_hour_is_enough() -> None:
    outbox, now, tries, outcomes = Outbox(Patience()), 0, [], []
    outbox.add("ops", MESSAGE, 0)
    while outbox.waiting():
        batch = take(outbox, now)
        if batch is not None:
            tries.append(now // 1_000)
            outcomes += outbox.settle(batch, fail(batch), now)
        now += 1_000
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses[:7] == [5, 10, 20, 40, 80, 160, 300]
    assert 3_600 <= tries[-1] <= 3_900
    assert outcomes[-1] == Delivery("ops", "failed", 1, "HTTP 500")
    assert {each.outcome for each in outcomes[:-1]} == {"retried"}


def test_one_batch_at_a_time_and_success_ends_the_pause() -> None:
    outbox = Outbox(Patience())
    outbox.add("ops", numbered(1), 0)
    batch = take(outbox, 0)
    assert batch is not None
    outbox.add("ops", numbered(2), 0)
    assert take(outbox, 0) is None, "the first one is under way"
    assert outbox.settle(batch, [Sent("m1", True)], 0) == [Delivery("ops", "sent", 1)]
    second = take(outbox, 0)
    assert second is not None
    assert second.messages == (numbered(2),)


def test_one_bad_message_blocks_no_other() -> None:
    outbox = Outbox(Patience())
    for number in range(15):
        outbox.add("ops", numbered(number), 0)
    seen, now = set(), 0
    for _ in range(3):
        batch = take(outbox, now)
        assert batch is not None
        seen |= {each.id for each in batch.messages}
        outbox.settle(batch, fail(batch), now)
        now += MINUTE
    assert len(seen) == 15


def test_the_queue_is_bounded_and_says_what_it_dropped() -> None:
    outbox = Outbox(Patience(most=3))
    said = [outbox.add("ops", numbered(number), 0) for number in range(5)]
    dropped = Delivery("ops", "dropped", 1, "too many messages are queued")
    assert said == [None, None, None, dropped, dropped]
    batch = take(outbox, 0)
    assert batch is not None
    assert [each.id for each in batch.messages] == ["m2", "m3", "m4"]


def test_many_messages_are_one_for_eyes_and_each_its_own_for_pagers() -> None:
    for kind, count in (("slack", 1), ("email", 1), ("pagerduty", 8), ("webhook", 8)):
        outbox = Outbox(Patience())
        for number in range(8):
            severity = "failure" if number == 5 else "info"
            outbox.add("ops", numbered(number, severity=severity), 0)
        batch = take(outbox, 0, kind)
        assert batch is not None
        assert len(batch.messages) == count
        if count == 1:
            [digest] = batch.messages
            assert (digest.title, digest.severity) == ("8 messages; most serious: t5", "failure")
            assert all(f"- t{number}\n" in digest.body for number in range(8))
        results = [Sent(each.id, True) for each in batch.messages]
        assert outbox.settle(batch, results, 0) == [Delivery("ops", "sent", 8)]
        assert outbox.waiting() == 0


def test_it_survives_the_disk() -> None:
    outbox = Outbox(Patience())
    outbox.add("ops", MESSAGE, 0)
    batch = take(outbox, 0)
    assert batch is not None
    outbox.settle(batch, fail(batch), 0)
    after = Outbox(Patience())
    after.restore(json.loads(json.dumps(outbox.document())))
    assert take(after, 4_999) is None
    again = take(after, 5_000)
    assert again is not None
    assert again.messages == (MESSAGE,)


def test_a_clock_that_was_set_back_does_not_stop_the_queue() -> None:
    outbox = Outbox(Patience())
    outbox.add("ops", MESSAGE, 10_000 * MINUTE)
    batch = take(outbox, 10_000 * MINUTE)
    assert batch is not None
    outbox.settle(batch, fail(batch), 10_000 * MINUTE)
    assert take(outbox, 0) is None
    assert take(outbox, 5 * MINUTE) is not None


def test_a_notifier_that_went_takes_its_messages_along() -> None:
    outbox = Outbox(Patience())
    outbox.add("ops", MESSAGE, 0)
    outbox.keep(["other"])
    assert outbox.waiting() == 0


def test_who_wants_what() -> None:
    over = replace(MESSAGE, resolves=True, level="resolved", severity="success")
    assert wants(notifier("slack", "hold"), MESSAGE, "hold")
    assert not wants(notifier("slack", "hold"), over, "hold")
    assert wants(notifier("slack", "hold", "resolved"), over, "hold")
    assert not wants(notifier("slack", "switch", "resolved"), over, "hold"), "never told of it"
    by_hand = replace(MESSAGE, severity="info")
    assert wants(notifier("slack"), by_hand, "switch")
    assert not wants(notifier("pagerduty"), by_hand, "switch"), "nobody is woken for it"
