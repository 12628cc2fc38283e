"""Mailboxes are counted by how far behind their stalest stream is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kernel import approvals
from kernel.database import Database
from kernel.failpoints import failpoint
from sync.model.stream import new_stream
from sync.operate.ages import count_ages
from sync.store import streams
from tests.conftest import NOON

TEST = failpoint("tests.ages", "A test of ages writes.")


def test_a_mailbox_counts_once_by_its_stalest_stream(database: Database) -> None:
    ages = {
        "fresh": (timedelta(minutes=1), timedelta(minutes=2)),
        "hour": (timedelta(minutes=1), timedelta(minutes=50)),
        "day": (timedelta(hours=20),),
        "old": (timedelta(days=3), timedelta(minutes=1)),
        "half": (timedelta(minutes=1), None),
        "new": (),
    }

    def write(connection) -> None:
        for name, chains in ages.items():
            approvals.grant(
                connection,
                record_id=name,
                address=f"{name}@contoso.com",
                object_id=name,
                owner_id=name,
                owner_type="user",
                evidence={},
                now=NOON,
            )
            for number, age in enumerate(chains):
                stream = new_stream(name, name, workload="mail", folder=f"f{number}")
                fresh = None if age is None else NOON - age
                streams.save(connection, replace(stream, fresh_as_of=fresh))

    database.write_now(write, failpoint=TEST)
    found = database.read_now(lambda c: count_ages(c, now=NOON))
    assert [(one.name, one.count) for one in found] == [
        ("5 minutes", 1),
        ("an hour", 1),
        ("a day", 1),
        ("older", 1),
        ("not read yet", 2),
    ]
