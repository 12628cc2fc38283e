"""Moments and JSON come back from both databases as they went in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, Table, select
from sqlalchemy.exc import StatementError

from kernel.database import Database, insert
from kernel.failpoints import failpoint
from kernel.tables import Instant, Json, metadata, microseconds, moment_of
from tests.conftest import NOON

STEP = failpoint("tests.value", "A value of the storage tests.")
values = Table(
    "test_values",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant),
    Column("value", Json),
)


def kept(database: Database, *, at: datetime | None = None, value: Any = None) -> Any:
    database.write_now(
        lambda c: c.execute(insert(c, values).values(id=1, at=at, value=value)), failpoint=STEP
    )
    return database.read_now(lambda c: c.execute(select(values.c.at, values.c.value)).one())


@pytest.mark.parametrize(
    "value",
    [
        {"b": [1, 2.5, None, True], "a": {"ä": "€"}},
        [],
        "",
        "a\x00b",
        "\ud800",
        2**70,
        {"k": "\x7f"},
    ],
    ids=repr,
)
def test_json_comes_back_as_it_went_in(database: Database, value: Any) -> None:
    assert kept(database, value=value).value == value


def test_nothing_stays_nothing(database: Database) -> None:
    assert tuple(kept(database)) == (None, None)


def test_a_moment_comes_back_to_the_microsecond_and_in_utc(database: Database) -> None:
    at = datetime(2026, 11, 23, 13, 0, 0, 123457, tzinfo=timezone(timedelta(hours=1)))
    found = kept(database, at=at).at
    assert found == at
    assert found.tzinfo is UTC


def test_moments_are_compared_in_the_database(database: Database) -> None:
    kept(database, at=NOON)
    later = select(values.c.id).where(values.c.at > NOON - timedelta(microseconds=1))
    assert database.read_now(lambda c: c.scalar(later)) == 1


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="offset-naive"):
        kept(database, at=datetime(2026, 1, 1))  # noqa: DTZ001


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_and_moments_are_each_others_inverse(moment: datetime) -> None:
    assert moment_of(microseconds(moment)) == moment
