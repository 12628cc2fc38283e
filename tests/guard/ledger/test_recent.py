"""What of the newest decisions is read back: tries, and who has an address; by an index, always."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from guard.columns.compare import address_of
from guard.columns.table import TABLES
from guard.ledger.entry import Effects, MirrorRow
from guard.ledger.recent import Attempt, list_recent, signature_of
from guard.ledger.stored import DECISION, StoredLedger
from guard.ledger.tables import baselines
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.builders import ADMIN_ID, MAILBOX_ID
from tests.guard.ledger.test_stored import an_entry


@pytest.fixture
def ledger(database: Database, clock: FrozenClock) -> StoredLedger:
    return StoredLedger(database, clock)


def a_try(clock: FrozenClock, **named: Any) -> Any:
    named.setdefault("public", {"operation": "update", "initiating_user_id": ADMIN_ID})
    return an_entry(clock, **named)


async def test_tries_are_read_back_newest_first(ledger: StoredLedger, clock: FrozenClock) -> None:
    long_ago = a_try(clock)
    clock.advance(60)
    since = clock.now()
    tries = [a_try(clock), a_try(clock, decision="reject")]
    unmoved = {"before": {"emailaddress": "x"}, "altered": {"emailaddress": "X", "statecode": 1}}
    others = [a_try(clock, private=unmoved), a_try(clock, public={}), a_try(clock, table="email")]
    for entry in (long_ago, *tries, *others):
        await ledger.record(entry)
    signature = "mailbox update address"
    assert await ledger.recent(since=since) == [
        Attempt(ADMIN_ID, MAILBOX_ID, signature, entry.decided_at) for entry in reversed(tries)
    ]


async def test_what_was_masked_or_spoilt_is_left_out(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    masked, spoilt = a_try(clock), a_try(clock)
    await ledger.record(masked)
    await ledger.record(spoilt)
    await ledger.mask(masked.id)
    await database.write(
        lambda c: c.execute(
            text("UPDATE guard_decisions SET private = 'x' WHERE id = :id"), {"id": spoilt.id}
        ),
        failpoint=DECISION,
    )
    assert await ledger.recent(since=clock.now() - timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("before", "after", "signature"),
    [
        ({}, {"emailaddress": "a"}, "queue create address"),
        ({}, {"emailrouteraccessapproval": 1}, "queue create approval"),
        (
            {},
            {"emailaddress": "a", "emailrouteraccessapproval": 1},
            "queue create address approval",
        ),
        ({"emailaddress": "a"}, {"emailaddress": "A"}, None),
        ({"emailrouteraccessapproval": 1}, {"emailrouteraccessapproval": 1}, None),
        ({"emailrouteraccessapproval": 1}, {"emailrouteraccessapproval": 2}, None),
    ],
)
def test_a_way_is_what_of_an_address_a_change_concerns(
    before: dict[str, Any], after: dict[str, Any], signature: str | None
) -> None:
    assert signature_of("queue", "create", before, after) == signature


async def test_an_address_is_found_on_every_table_once_every_row_was_seen(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    rows = [
        MirrorRow("mailbox", "m", {"emailaddress": "Anna@Contoso.com"}, clock.now()),
        MirrorRow("systemuser", "u", {"internalemailaddress": "anna@contoso.com "}, clock.now()),
        MirrorRow("queue", "q", {"emailaddress": "bob@contoso.com"}, clock.now()),
    ]
    for row in rows:
        await ledger.record(an_entry(clock), effects=Effects(mirror=row))
    assert await ledger.holders_of("anna@contoso.com") is None
    seen = [{"table_name": name, "taken_at": clock.now(), "rows": 1} for name in TABLES]
    await database.write(lambda c: c.execute(baselines.insert(), seen), failpoint=DECISION)
    found = await ledger.holders_of("anna@contoso.com")
    assert {row.record_id for row in found or ()} == {"m", "u"}
    moved = MirrorRow("mailbox", "m", {"emailaddress": None}, clock.now(), revision=1)
    await ledger.record(an_entry(clock), effects=Effects(mirror=moved))
    assert len(await ledger.holders_of("anna@contoso.com") or ()) == 1


@pytest.mark.parametrize("address", ["a\x00b@c.de", "\ud800@c.de", "a" * 5_000, "\u200b", " "])
async def test_a_row_whose_address_is_none_is_remembered_without_it(
    ledger: StoredLedger, clock: FrozenClock, address: str
) -> None:
    row = MirrorRow("queue", "q", {"emailaddress": address}, clock.now())
    await ledger.record(an_entry(clock), effects=Effects(mirror=row))
    known = await ledger.mirrored("queue", "q")
    assert known is not None
    assert known.columns == {"emailaddress": address}
    assert address_of("queue", known.columns) is None


async def test_both_questions_use_an_index(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    await ledger.record(a_try(clock))

    def plans(connection: Any) -> list[str]:
        if connection.dialect.name == "postgresql":
            # The planner scans what is this small, unless it is forbidden to.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        asked = (
            "SELECT * FROM guard_mirror WHERE address = 'a@contoso.com' LIMIT 50",
            "SELECT * FROM guard_decisions WHERE id >= '0' ORDER BY id DESC LIMIT 5000",
        )
        return [
            " ".join(str(row) for row in connection.execute(text(f"{explain} {one}")))
            for one in asked
        ]

    by_address, by_time = database.read_now(plans)
    assert "ix_guard_mirror_address" in by_address
    assert "sqlite_autoindex_guard_decisions_1" in by_time or "pk_guard_decisions" in by_time
    assert len(database.read_now(lambda c: list_recent(c, since=clock.now() - timedelta(1)))) == 1
