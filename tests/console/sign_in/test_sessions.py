"""Sessions begin, are found by their id alone, and end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from console.sign_in import sessions
from console.sign_in.seal import Seal
from console.sign_in.sessions import IDLE, LONGEST, MOST_OF_ONE, ROLES_ASKED_AFTER, ROLES_COUNT_FOR
from console.sign_in.tables import sessions as table
from kernel.database import Database
from kernel.failpoints import failpoint
from kernel.principal import AppRole, Principal, Proof
from tests.conftest import NOON
from tests.console.sign_in.conftest import PERSON

TEST = failpoint("tests.sessions", "A test of sessions writes.")
SEAL = Seal(b"a secret of the settings")
ANNA = Principal("anna@contoso.com", Proof.ENTRA, frozenset({AppRole.OPERATOR}), PERSON)


def begin(database: Database, principal: Principal = ANNA, now=NOON) -> str:
    session_id = sessions.new_session_id()
    database.write_now(
        lambda c: sessions.begin(c, session_id, principal, seal=SEAL, now=now), failpoint=TEST
    )
    return session_id


def find(database: Database, session_id: str, now=NOON, seal=SEAL):
    return database.read_now(lambda c: sessions.find(c, session_id, seal=seal, now=now))


def test_a_session_is_its_person(database: Database) -> None:
    found = find(database, begin(database))
    assert found is not None
    assert found.principal == ANNA


def test_the_database_never_holds_an_id(database: Database) -> None:
    session_id = begin(database)
    rows = database.read_now(lambda c: c.execute(select(table)).all())
    assert session_id not in str(rows)


def test_another_id_finds_nobody(database: Database) -> None:
    digest = sessions.digest_of(begin(database))
    for other in ("", "x" * 10_000, digest, sessions.new_session_id()):
        assert find(database, other) is None


def test_a_session_ends_when_nobody_uses_it(database: Database) -> None:
    session_id = begin(database)
    assert find(database, session_id, NOON + IDLE - timedelta(seconds=1)) is not None
    assert find(database, session_id, NOON + IDLE) is None


def test_a_session_ends_however_much_it_is_used(database: Database) -> None:
    session_id, now = begin(database), NOON
    while now < NOON + LONGEST - timedelta(minutes=30):
        now += timedelta(minutes=30)
        database.write_now(lambda c, at=now: sessions.see(c, session_id, now=at), failpoint=TEST)
    assert find(database, session_id, NOON + LONGEST - timedelta(seconds=1)) is not None
    assert find(database, session_id, NOON + LONGEST) is None


def test_signing_out_ends_it(database: Database) -> None:
    session_id, other = begin(database), begin(database)
    database.write_now(lambda c: sessions.end(c, session_id), failpoint=TEST)
    assert find(database, session_id) is None
    assert find(database, other) is not None


def test_of_one_person_the_oldest_session_makes_room(database: Database) -> None:
    someone_else = begin(database, replace(ANNA, object_id="another"))
    ids = [
        begin(database, now=NOON + timedelta(seconds=number)) for number in range(MOST_OF_ONE + 2)
    ]
    now = NOON + timedelta(minutes=1)
    found = [find(database, one, now) is not None for one in ids]
    assert found == [False, False] + [True] * MOST_OF_ONE
    assert find(database, someone_else, now) is not None


def test_what_is_over_is_forgotten(database: Database) -> None:
    begin(database)
    begin(database, now=NOON + IDLE)
    count = select(func.count()).select_from(table)
    assert database.read_now(lambda c: c.scalar(count)) == 1


def test_what_entra_said_counts_for_an_hour(database: Database) -> None:
    found = find(database, begin(database))
    assert found is not None
    assert not found.asks_again(NOON + ROLES_ASKED_AFTER - timedelta(seconds=1))
    assert found.asks_again(NOON + ROLES_ASKED_AFTER)
    assert found.roles_count(NOON + ROLES_COUNT_FOR - timedelta(seconds=1))
    assert not found.roles_count(NOON + ROLES_COUNT_FOR)


@pytest.mark.parametrize(
    "altered",
    [
        {"principal": {"name": "A", "proof": "entra", "roles": ["Approver"], "object_id": PERSON}},
        {"began_at": NOON + timedelta(minutes=5)},
        {"seal": ""},
        {"seal": Seal(b"another secret").on("anything")},
    ],
    ids=lambda altered: next(iter(altered)),
)
def test_a_row_that_somebody_else_wrote_is_nobodys_session(
    database: Database, altered: dict[str, object]
) -> None:
    session_id = begin(database)
    database.write_now(lambda c: c.execute(update(table).values(**altered)), failpoint=TEST)
    assert find(database, session_id, NOON + timedelta(minutes=10)) is None


def test_a_session_copied_to_another_id_is_nobodys(database: Database) -> None:
    session_id, chosen = begin(database), sessions.new_session_id()
    moved = update(table).values(digest=sessions.digest_of(chosen))
    database.write_now(lambda c: c.execute(moved), failpoint=TEST)
    assert find(database, chosen) is None
    assert find(database, session_id) is None


def test_with_another_secret_every_session_has_ended(database: Database) -> None:
    session_id = begin(database)
    assert find(database, session_id, seal=Seal(b"the secret was changed")) is None
    assert find(database, session_id) is not None
