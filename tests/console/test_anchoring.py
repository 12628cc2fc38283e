"""A database that is older than its newest anchor is noticed, and all approvals rest."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from console.anchoring import Anchoring
from console.wiring.readiness import Readiness
from guard.ledger.anchor import newest_anchor, read_anchors
from kernel import approvals, recall
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import ApprovalRests, ApprovalWithdrawn
from kernel.settings import Settings, load
from kernel.tables import microseconds
from tests.console.conftest import TEST
from tests.kernel.test_acts import grant

AGE = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"MAILBOX_GUARD_DATA_DIR": str(tmp_path / "data")}, None)


def reopened(tmp_path: Path, database: Database, copy: Path) -> Database:
    """Put an older copy in the place of the database, as a restore does."""
    database.close()
    for one in (tmp_path / "data").glob("mailbox-guard.db*"):
        one.unlink()
    shutil.copy(copy, tmp_path / "data" / "mailbox-guard.db")
    restored = Database(database.url)
    restored.open()
    return restored


def backup(tmp_path: Path) -> Path:
    copy = tmp_path / "backup.db"
    with sqlite3.connect(tmp_path / "data" / "mailbox-guard.db") as source:
        source.backup(sqlite3.connect(copy))
    return copy


def permit(database: Database, clock: FrozenClock, record_id: str) -> None:
    database.read_now(
        lambda c: approvals.permit(
            c, record_id, object_id="o1", epoch=1, now=clock.now(), evidence_max_age=AGE
        )
    )


async def test_after_a_restore_all_rest_and_what_a_person_withdrew_stays_withdrawn(
    guard_database: Database, settings: Settings, clock: FrozenClock, tmp_path: Path
) -> None:
    for record_id in ("m1", "m2"):
        grant(guard_database, clock, record_id=record_id)
    await Anchoring(settings, guard_database, clock).look_and_append()
    copy = backup(tmp_path)
    guard_database.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id="m1", by="Ben", reason="CHG-1", now=clock.now()
        ),
        failpoint=TEST,
    )
    grant(guard_database, clock, record_id="m3")
    guard_database.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id="m3", by="Ben", reason="CHG-1", now=clock.now()
        ),
        failpoint=TEST,
    )
    await Anchoring(settings, guard_database, clock).look_and_append()
    restored = reopened(tmp_path, guard_database, copy)
    try:
        permit(restored, clock, "m1")
        anchoring = Anchoring(settings, restored, clock)
        assert "act 5" in str(await anchoring.look())
        with pytest.raises(ApprovalWithdrawn):
            permit(restored, clock, "m1")
        with pytest.raises(ApprovalRests):
            permit(restored, clock, "m2")
        for record_id in ("m1", "m3"):
            clock.advance(60)
            with pytest.raises(approvals.WithdrawalStands):
                grant(restored, clock, record_id=record_id)
        standing = await Readiness(restored, clock).look()
        assert any("1 approvals rest" in one for one in standing.degraded)
        # Each is confirmed when its evidence was looked up again.
        held = restored.read_now(lambda c: approvals.find(c, "m2"))
        assert held is not None
        restored.write_now(lambda c: recall.confirm(c, [held], now=clock.now()), failpoint=TEST)
        permit(restored, clock, "m2")
        # Once noticed, the next anchor states what there is now.
        await anchoring.look_and_append()
        assert await anchoring.look() is None
    finally:
        restored.close()


async def test_what_goes_on_is_never_taken_for_a_restore(
    guard_database: Database, settings: Settings, clock: FrozenClock
) -> None:
    anchoring = Anchoring(settings, guard_database, clock)
    for number in range(3):
        assert await anchoring.look() is None
        grant(guard_database, clock, record_id=f"m{number}")
        await anchoring.look_and_append()
    assert await anchoring.look() is None
    assert [one.counts["approvals"] for one in read_anchors(settings.anchor_file)] == [1, 2, 3]
    assert settings.anchor_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["nonsense\n", '{"anchor":{"version":1}}\n'])
async def test_an_anchor_that_cannot_be_believed_lets_all_rest(
    guard_database: Database, settings: Settings, clock: FrozenClock, content: str
) -> None:
    grant(guard_database, clock)
    settings.anchor_file.write_text(content)
    assert await Anchoring(settings, guard_database, clock).look()
    with pytest.raises(ApprovalRests):
        permit(guard_database, clock, "m1")


async def test_with_a_key_an_unsigned_anchor_counts_for_nothing(
    guard_database: Database, settings: Settings, clock: FrozenClock, tmp_path: Path
) -> None:
    from dataclasses import replace

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    grant(guard_database, clock)
    await Anchoring(settings, guard_database, clock).look_and_append()
    file = tmp_path / "key.pem"
    file.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    signing = Anchoring(replace(settings, anchor_key_file=file), guard_database, clock)
    assert "not signed" in str(await signing.look())
    await signing.look_and_append()
    assert await signing.look() is None
    newest = newest_anchor(settings.anchor_file)
    assert newest is not None
    assert newest.key is not None


def execute(database: Database, *statements: str) -> None:
    for statement in statements:
        database.write_now(lambda c, s=statement: c.execute(text(s)), failpoint=TEST)


def withdraw_by_person(database: Database, clock: FrozenClock, record_id: str) -> None:
    database.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id=record_id, by="Ben", reason="CHG-1", now=clock.now()
        ),
        failpoint=TEST,
    )


@pytest.mark.parametrize(
    "altered",
    [
        "UPDATE kernel_approvals SET state = 'approved', cause = NULL WHERE record_id = 'm1'",
        "DELETE FROM kernel_approvals WHERE record_id = 'm1'",
        "UPDATE kernel_acts SET private = '{}' WHERE number = 3",
        "UPDATE kernel_acts SET at = 'never' WHERE number = 3",
    ],
)
async def test_an_altered_row_does_not_make_anchors_forget_what_a_person_withdrew(
    guard_database: Database, settings: Settings, clock: FrozenClock, altered: str
) -> None:
    anchoring = Anchoring(settings, guard_database, clock)
    for record_id in ("m1", "m2"):
        grant(guard_database, clock, record_id=record_id)
    withdraw_by_person(guard_database, clock, "m1")
    await anchoring.look_and_append()
    execute(guard_database, altered)
    await anchoring.look_and_append()
    assert [one.withdrawn for one in read_anchors(settings.anchor_file)] == [("m1",)] * 2


async def test_a_persons_withdrawal_that_was_taken_out_of_the_acts_stands_again(
    guard_database: Database, settings: Settings, clock: FrozenClock
) -> None:
    anchoring = Anchoring(settings, guard_database, clock)
    for record_id in ("m1", "m2"):
        grant(guard_database, clock, record_id=record_id)
    before = guard_database.read_now(lambda c: approvals.find(c, "m1"))
    assert before is not None
    withdraw_by_person(guard_database, clock, "m1")
    grant(guard_database, clock, record_id="m3")
    await anchoring.look_and_append()
    execute(
        guard_database,
        "DELETE FROM kernel_acts WHERE number = 3",
        "UPDATE kernel_approvals SET state = 'approved', cause = NULL, epoch = 1, reason = '', "
        f"withdrawn_by = NULL, changed_at = {microseconds(before.changed_at)} "
        "WHERE record_id = 'm1'",
    )
    permit(guard_database, clock, "m1")

    assert "withdrawal of m1" in str(await anchoring.look())

    with pytest.raises(ApprovalWithdrawn):
        permit(guard_database, clock, "m1")
    await anchoring.look_and_append()
    assert await anchoring.look() is None


async def test_a_newer_approval_ends_what_anchors_say_of_a_withdrawal(
    guard_database: Database, settings: Settings, clock: FrozenClock
) -> None:
    anchoring = Anchoring(settings, guard_database, clock)
    grant(guard_database, clock)
    withdraw_by_person(guard_database, clock, "m1")
    await anchoring.look_and_append()
    clock.advance(60)
    newer = approvals.Renewal("an approver", clock.now())
    grant(guard_database, clock, renewal=newer)
    assert await anchoring.look() is None
    await anchoring.look_and_append()
    assert [one.withdrawn for one in read_anchors(settings.anchor_file)] == [("m1",), ()]


async def test_a_record_that_cannot_be_read_keeps_no_other_from_resting(
    guard_database: Database, settings: Settings, clock: FrozenClock, tmp_path: Path
) -> None:
    for record_id in ("m1", "m2"):
        grant(guard_database, clock, record_id=record_id)
    copy = backup(tmp_path)
    withdraw_by_person(guard_database, clock, "m1")
    await Anchoring(settings, guard_database, clock).look_and_append()
    restored = reopened(tmp_path, guard_database, copy)
    try:
        execute(restored, "UPDATE kernel_acts SET private = '{}' WHERE number = 1")
        assert await Anchoring(settings, restored, clock).look()
        with pytest.raises(ApprovalRests):
            permit(restored, clock, "m2")
        with pytest.raises(ApprovalWithdrawn):
            permit(restored, clock, "m1")
    finally:
        restored.close()
