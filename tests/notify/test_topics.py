"""When it is told and when not: a clock of numbers, no threads."""

from dataclasses import replace

from healthguard.notify.notice import Notice
from healthguard.notify.spec import Message
from healthguard.notify.topics import Timing, Topics

MINUTE = 60_000
HELD = Notice("app", "hold", "hold", "failure", "app: holds, cooldown", 0, mark="cooldown")
SWITCHED = Notice("app", "switch/a-b", "switch", "warning", "app: b is active", 0, moment=True)


def topics() -> Topics:
    return Topics("web1", Timing())


def told(given: Topics, now: int) -> list[Message]:
    return [message for message, _ in given.due(now)]


def test_the_first_time_is_told_at_once_and_its_end_too() -> None:
    given = topics()
    given.begins(HELD, 1_000)
    [begun] = told(given, 1_000)
    assert told(given, 2_000) == []
    given.ends("app", "hold", "steady again")
    [over] = told(given, 3_000)
    assert (over.resolves, over.key) == (True, begun.key)
    assert "steady again" in over.title
    assert told(given, 4_000) == []


def test_what_was_never_told_does_not_end_aloud() -> None:
    given = topics()
    given.begins(HELD, 0)
    given.ends("app", "hold", "")
    assert told(given, 0) == []


def test_a_storm_is_two_messages_and_then_one_with_a_count() -> None:
    given, heard = topics(), []
    for second in range(300):
        given.begins(HELD, second * 1_000)
        heard += told(given, second * 1_000)
        given.ends("app", "hold", "")
        heard += told(given, second * 1_000 + 500)
    assert [each.resolves for each in heard] == [False, True]
    given.begins(HELD, 300_000)
    assert told(given, 300_000 + MINUTE - 1) == []
    [again] = told(given, 300_000 + MINUTE)
    assert "It happened 300 times since the last message." in again.body


def test_the_more_often_it_was_told_the_longer_it_must_last() -> None:
    given, now, waits = topics(), 0, []
    for _ in range(6):
        given.begins(HELD, now)
        began = now
        while not told(given, now):
            now += MINUTE // 4
        waits.append((now - began) // MINUTE)
        given.ends("app", "hold", "")
        assert told(given, now)
    assert waits == [0, 1, 2, 4, 8, 10]


def test_another_reason_for_the_same_trouble_is_an_update_not_an_end() -> None:
    given = topics()
    given.begins(HELD, 0)
    told(given, 0)
    given.ends("app", "hold", "")
    given.begins(replace(HELD, mark="latched", title="app: holds, latched"), 10)
    assert told(given, 10) == []
    [update] = told(given, 10 + MINUTE)
    assert not update.resolves
    assert "latched" in update.title


def test_reminders_back_off() -> None:
    given = topics()
    given.begins(HELD, 0)
    told(given, 0)
    at = [minute for minute in range(1, 24 * 60) if told(given, minute * MINUTE)]
    assert at == [30, 90, 210, 450, 810, 1170]
    given.ends("app", "hold", "")
    assert told(given, 24 * 60 * MINUTE)[0].resolves
    assert not any(told(given, minute * MINUTE) for minute in range(24 * 60, 48 * 60))


def test_moments_that_repeat_are_counted() -> None:
    given, heard = topics(), []
    for second in range(130):
        given.begins(SWITCHED, second * 1_000)
        heard += [(second, each) for each in told(given, second * 1_000)]
    assert [second for second, _ in heard] == [0, 61]
    assert "It happened 61 times" in heard[1][1].body
    assert len(told(given, 62_000 + 2 * MINUTE)) == 1, "the rest is told, too"


def test_a_restart_remembers_what_was_told() -> None:
    given = topics()
    given.begins(HELD, 0)
    told(given, 0)
    after = topics()
    after.restore(given.document())
    after.begins(replace(HELD, at_wall_ms=5_000), 5_000)
    assert told(after, 5_000) == []
    assert len(told(after, 30 * MINUTE)) == 1, "the reminder"
    after.ends("app", "hold", "")
    assert told(after, 31 * MINUTE)[0].resolves


def test_a_clock_that_was_set_back_a_year_silences_nothing() -> None:
    given = topics()
    given.begins(HELD, 365 * 24 * 60 * MINUTE)
    told(given, 365 * 24 * 60 * MINUTE)
    assert any(told(given, minute * MINUTE) for minute in range(6 * 60 + 2))


def test_topics_are_forgotten_when_nothing_is_left_to_say() -> None:
    given = topics()
    for number in range(3_000):
        given.begins(replace(HELD, pool=f"p{number}"), 0)
        given.ends(f"p{number}", "hold", "")
    told(given, 0)
    assert given.document() == []
    for number in range(3_000):
        given.begins(replace(HELD, pool=f"p{number}"), 0)
    told(given, 0)
    assert len(given.document()) == 2_000
