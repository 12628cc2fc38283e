"""What is kept while a browser is at Entra opens for that browser, once."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from console.sign_in import under_way
from console.sign_in.tables import sign_ins
from kernel.database import Database
from kernel.failpoints import failpoint
from tests.conftest import NOON

TEST = failpoint("tests.under-way", "A test of sign-ins writes.")
KEPT = {"code_verifier": "hush", "state": "s"}


def keep(database: Database, ticket: str) -> None:
    text = under_way.sealed(ticket, KEPT)
    database.write_now(lambda c: under_way.keep(c, ticket, text, now=NOON), failpoint=TEST)


def take(database: Database, ticket: str, now=NOON) -> str | None:
    return database.write_now(lambda c: under_way.take(c, ticket, now=now), failpoint=TEST)


def test_it_is_taken_once(database: Database) -> None:
    keep(database, "ticket")
    text = take(database, "ticket")
    assert text is not None
    assert under_way.opened("ticket", text) == KEPT
    assert take(database, "ticket") is None


def test_another_ticket_finds_and_opens_nothing(database: Database) -> None:
    keep(database, "ticket")
    assert take(database, "another") is None
    assert under_way.opened("another", under_way.sealed("ticket", KEPT)) is None
    assert under_way.opened("ticket", "no seal") is None


def test_after_ten_minutes_it_is_gone(database: Database) -> None:
    keep(database, "ticket")
    assert take(database, "ticket", NOON + under_way.LASTS) is None


def test_the_database_tells_nothing_of_it(database: Database) -> None:
    keep(database, "ticket")
    row = database.read_now(lambda c: c.execute(select(sign_ins)).one())
    assert "hush" not in str(row)
    assert "ticket" not in str(row)


def test_whoever_begins_without_end_pushes_out_the_oldest(database: Database) -> None:
    text = under_way.sealed("t", KEPT)

    def write(connection) -> None:
        for number in range(under_way.MOST + 5):
            now = NOON + timedelta(milliseconds=number)
            under_way.keep(connection, f"ticket-{number}", text, now=now)

    database.write_now(write, failpoint=TEST)
    assert take(database, "ticket-4") is None
    assert take(database, "ticket-5") is not None
