"""Ids are UUIDv7: they sort by the moment they were made, and no two are alike."""

from __future__ import annotations

import itertools
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from kernel.ids import first_id, new_id

# Later than any other test's moment: ids of a process never fall behind its newest one.
START = datetime(2100, 1, 1, tzinfo=UTC)
_days = itertools.count(1)


@pytest.fixture
def moment() -> datetime:
    return START + timedelta(days=next(_days))


def test_the_bits_are_those_of_rfc_9562(moment: datetime) -> None:
    value = uuid.UUID(new_id(moment + timedelta(microseconds=123_999)))
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert (
        value.int >> 80
        == int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1000 + 123
    )


def test_every_millisecond_keeps_its_number(moment: datetime) -> None:
    """A moment that binary fractions cannot say exactly must not slip into the one before."""
    start = uuid.UUID(new_id(moment)).int >> 80
    stamps = [
        uuid.UUID(new_id(moment + timedelta(milliseconds=n))).int >> 80 for n in range(1, 2000)
    ]
    assert stamps == list(range(start + 1, start + 2000))


def test_later_moments_sort_later(moment: datetime) -> None:
    ids = [new_id(moment + timedelta(milliseconds=n)) for n in range(100)]
    assert ids == sorted(ids)


def test_ids_of_one_millisecond_rise_even_beyond_the_counter(moment: datetime) -> None:
    ids = [new_id(moment) for _ in range(10_000)]
    assert ids == sorted(set(ids))


def test_ids_rise_when_the_clock_is_set_back(moment: datetime) -> None:
    first = new_id(moment)
    assert new_id(moment - timedelta(hours=1)) > first


def test_ids_are_unique_and_rise_within_every_thread(moment: datetime) -> None:
    made: dict[int, list[str]] = {}

    def make(number: int) -> None:
        made[number] = [new_id(moment) for _ in range(5000)]

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in made.values())
    assert len(set().union(*made.values())) == 20_000


def test_the_first_id_of_a_moment_stands_before_its_ids_and_after_those_before(
    moment: datetime,
) -> None:
    before, then = new_id(moment), new_id(moment + timedelta(milliseconds=1))
    assert before < first_id(moment + timedelta(milliseconds=1)) <= then
