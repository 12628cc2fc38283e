from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.engine.schedule import Rhythm, after_failure, after_visit, retry_at

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_mailbox_with_mail_is_looked_at_soon_again() -> None:
    rhythm = after_visit(Rhythm(NOON, idle_visits=50), now=NOON, item_count=1)

    assert rhythm == Rhythm(NOON + timedelta(seconds=10))


def test_an_idle_mailbox_is_looked_at_ever_less_but_never_less_than_each_quarter_hour() -> None:
    rhythm, waits = Rhythm(NOON), []
    for _ in range(200):
        rhythm = after_visit(rhythm, now=NOON, item_count=0)
        waits.append((rhythm.due_at - NOON).total_seconds())

    assert waits[:5] == [10.0] * 5
    assert waits == sorted(waits)
    assert waits[-1] == 900.0


def test_a_failing_mailbox_is_tried_for_ever_at_least_each_hour() -> None:
    rhythm = Rhythm(NOON)
    for _ in range(200):
        rhythm = after_failure(rhythm, now=NOON, until=None)

    assert rhythm.due_at == NOON + timedelta(hours=1)
    assert after_visit(rhythm, now=NOON, item_count=0).failures == 0


def test_a_wait_that_was_asked_for_is_kept_to_the_moment() -> None:
    until = NOON + timedelta(minutes=7)

    assert after_failure(Rhythm(NOON), now=NOON, until=until).due_at == until


def test_what_is_set_aside_is_tried_again_after_a_quarter_hour_doubling_to_a_day() -> None:
    waits = [(retry_at(times, now=NOON) - NOON) / timedelta(minutes=15) for times in range(1, 40)]

    assert waits[:4] == [1, 2, 4, 8]
    assert set(waits[7:]) == {96}
