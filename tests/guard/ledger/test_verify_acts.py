"""`verify` finds what was altered in approvals, acts, policy sets and masked decisions."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from guard.ledger.stored import DECISION, StoredLedger
from guard.ledger.tables import policy_sets
from guard.ledger.verify import verify
from kernel import approvals
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load_documents
from tests.guard.assembled import POLICIES
from tests.guard.ledger.test_stored import an_entry
from tests.kernel.test_acts import ALTERATIONS, grant

SET = load_documents(POLICIES)


@pytest.fixture
async def whole(database: Database, clock: FrozenClock) -> Database:
    """Two approvals, one of them withdrawn by a person, and three decisions, one masked."""
    grant(database, clock)
    grant(database, clock, record_id="m3")
    database.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id="m3", by="Ben", reason="x", now=clock.now()
        ),
        failpoint=DECISION,
    )
    ledger = StoredLedger(database, clock)
    entries = [an_entry(clock) for _ in range(3)]
    for entry in entries:
        await ledger.record(entry, policy_set=SET)
    assert await ledger.mask(entries[1].id)
    verdict = database.read_now(verify)
    assert verdict.is_whole, verdict
    assert (verdict.checked, verdict.masked, verdict.acts, verdict.approvals) == (3, 1, 5, 2)
    return database


def alter(database: Database, statement: str) -> Any:
    database.write_now(lambda c: c.execute(text(statement)), failpoint=DECISION)
    return database.read_now(verify)


@pytest.mark.parametrize("column", [*ALTERATIONS, "state"])
async def test_an_altered_approval_is_found(whole: Database, column: str) -> None:
    value = {**ALTERATIONS, "state": "'withdrawn'"}[column]
    verdict = alter(whole, f"UPDATE kernel_approvals SET {column} = {value} WHERE record_id = 'm1'")
    assert verdict.first_bad_id in ("approval m1", "approval m2")


@pytest.mark.parametrize("value", ["'nonsense'", "'approved '"])
async def test_an_approval_beyond_reading_is_found(whole: Database, value: str) -> None:
    verdict = alter(whole, f"UPDATE kernel_approvals SET state = {value} WHERE record_id = 'm1'")
    assert verdict.first_bad_id == "approval m1"


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("DELETE FROM kernel_approvals WHERE record_id = 'm3'", "approval m3"),
        ("UPDATE kernel_acts SET at = at + 1 WHERE number = 2", "act 2"),
        ("UPDATE kernel_acts SET kind = 'grant' WHERE number = 3", "act 3"),
        ("UPDATE kernel_acts SET subject = 'm1' WHERE number = 2", "act 2"),
        ("UPDATE kernel_acts SET commitment = 'x' WHERE number = 2", "act 2"),
        ("UPDATE kernel_acts SET private = 'x' WHERE number = 2", "act 2"),
        ("UPDATE kernel_acts SET salt = 'x' WHERE number = 2", "act 2"),
        ("UPDATE kernel_acts SET private = NULL, salt = NULL WHERE number = 2", "act 2"),
        ("UPDATE kernel_acts SET digest = 'x' WHERE number = 2", "act 2"),
        ("DELETE FROM kernel_acts WHERE number = 2", "act 3"),
        ("DELETE FROM kernel_acts WHERE number >= 4", "act 5"),
        ("DELETE FROM kernel_acts_end", "act 0"),
    ],
)
async def test_an_altered_act_is_found(whole: Database, statement: str, bad: str) -> None:
    assert alter(whole, statement).first_bad_id == bad


@pytest.mark.parametrize(
    "statement",
    [
        # Before any checkpoint, and a letter that changes nothing of what it means.
        "UPDATE guard_policy_sets SET documents = replace(documents, 'contoso.com', 'x.example')",
        "UPDATE guard_policy_sets SET documents = replace(documents, 'VIP waits', 'vip waits')",
        "UPDATE guard_policy_sets SET documents = '{}'",
        "UPDATE guard_policy_sets SET digest = 'x'",
        "DELETE FROM guard_policy_sets",
        "INSERT INTO guard_policy_sets SELECT 'x', documents, stored_at FROM guard_policy_sets",
    ],
)
async def test_an_altered_policy_set_is_found_before_any_checkpoint(
    whole: Database, statement: str
) -> None:
    assert alter(whole, statement).first_bad_id in (SET.digest, "x")


async def test_a_set_of_another_digest_is_found_though_its_act_was_rewritten(
    database: Database, clock: FrozenClock
) -> None:
    from kernel import acts
    from kernel.acts import ActKind
    from kernel.digest import sha256_hex

    documents = '{"environment":null,"documents":{}}'
    database.write_now(
        lambda c: acts.append(
            c,
            ActKind.POLICY_SET,
            SET.digest,
            now=clock.now(),
            contents=sha256_hex(documents.encode()),
        ),
        failpoint=DECISION,
    )
    stored = {"digest": SET.digest, "documents": documents, "stored_at": clock.now()}
    database.write_now(lambda c: c.execute(policy_sets.insert().values(stored)), failpoint=DECISION)
    verdict = database.read_now(verify)
    assert verdict.first_bad_id == SET.digest


async def test_a_private_part_that_nobody_masked_is_missed(whole: Database) -> None:
    verdict = alter(whole, "UPDATE guard_decisions SET private = NULL, salt = NULL WHERE seq = 0")
    assert "nobody masked it" in verdict.reason


async def test_an_empty_chain_is_found(whole: Database) -> None:
    verdict = alter(whole, "INSERT INTO guard_chains VALUES ('evil', 0, '', '', 0, '')")
    assert verdict.first_bad_id == "evil"


async def test_an_empty_chain_that_names_anothers_checkpoint_is_found(
    database: Database, clock: FrozenClock
) -> None:
    ledger = StoredLedger(database, clock)
    await ledger.record(an_entry(clock))
    assert await ledger.make_checkpoint() == 1
    verdict = alter(
        database,
        "INSERT INTO guard_chains SELECT 'evil', 0, '', '', 1, digest FROM guard_checkpoints",
    )
    assert verdict.first_bad_id == "evil"


def test_what_a_database_does_by_itself_makes_the_ledger_no_whole_one(whole: Database) -> None:
    quiet = (
        ["CREATE TRIGGER quiet BEFORE INSERT ON kernel_acts BEGIN SELECT RAISE(IGNORE); END"]
        if whole.dialect == "sqlite"
        else ["CREATE RULE quiet AS ON INSERT TO kernel_acts DO INSTEAD NOTHING"]
    )
    for statement in quiet:
        whole.write_now(lambda c, s=statement: c.execute(text(s)), failpoint=DECISION)
    found = whole.read_now(verify)
    assert found.first_bad_id == "database"
    assert "quiet" in str(found.reason)
