"""Against an anchor that left the house before, no rewriting of the ledger stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, select, text, update

from guard.ledger.anchor import (
    Anchor,
    SigningKey,
    anchor_from,
    append_line,
    difference,
    line_of,
    newest_anchor,
    read_anchors,
    read_public_key,
    statement_of,
    untrusted,
)
from guard.ledger.chain import BEGINNING
from guard.ledger.entry import commitment_to, link, stated_by
from guard.ledger.stored import DECISION, StoredLedger
from guard.ledger.tables import chains, checkpoints, decisions, policy_sets
from guard.ledger.verify import verify
from kernel import acts, approvals
from kernel.acts import ActKind
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.digest import sha256_hex
from kernel.errors import InputRefused, SettingInvalid
from kernel.tables import microseconds
from tests.guard.ledger.test_stored import an_entry
from tests.guard.ledger.test_verify_acts import SET
from tests.kernel.test_acts import grant


@pytest.fixture
async def whole(database: Database, clock: FrozenClock) -> Database:
    """Two chains of decisions, one checkpoint between, a policy set, and two approvals."""
    grant(database, clock)
    grant(database, clock, record_id="m3")
    for _ in range(2):
        ledger = StoredLedger(database, clock)
        for _ in range(3):
            await ledger.record(an_entry(clock), policy_set=SET)
        await ledger.make_checkpoint()
    return database


def anchored(database: Database, clock: FrozenClock) -> Anchor:
    """Return the anchor of now, as somebody reads it later from a file; an hour goes by."""
    statement = database.read_now(lambda c: statement_of(c, now=clock.now()))
    clock.advance(3600)
    return anchor_from(line_of(statement, None))


def is_whole(database: Database, *anchors: Anchor) -> bool:
    return database.read_now(lambda c: verify(c, anchors)).is_whole


def change(database: Database, fn: Any) -> None:
    database.write_now(fn, failpoint=DECISION)


def rewrite(connection: Connection) -> None:
    """Make every digest of the ledger fit what the tables say now: ten lines and some more."""
    for chain in connection.scalars(select(chains.c.id)).all():
        count, head, last_id = 0, BEGINNING, ""
        rows = select(decisions).where(decisions.c.chain == chain).order_by(decisions.c.seq)
        for row in connection.execute(rows).all():
            commitment = row.commitment
            if row.private is not None:
                commitment = commitment_to(row.salt, row.private.encode())
            names = ("decision", "cause", "table_name", "record_id", "status", "delivery_key")
            fields = (row.id, microseconds(row.decided_at), *(getattr(row, n) for n in names))
            stated = stated_by(fields, commitment, row.public.encode())
            head = link(chain, count, head, stated)
            connection.execute(
                update(decisions)
                .where(decisions.c.id == row.id)
                .values(seq=count, digest=head, commitment=commitment)
            )
            count, last_id = count + 1, row.id
        connection.execute(
            update(chains)
            .where(chains.c.id == chain)
            .values(count=count, head=head, last_id=last_id, checkpoint=0, checkpoint_digest="")
        )
    connection.execute(delete(checkpoints))
    number, end = 0, acts.BEGINNING
    for row in list(acts.walk(connection)):
        commitment = row.commitment
        if row.private is not None:
            commitment = acts.committed_to(row.salt, row.private)
        elif row.kind == ActKind.POLICY_SET:
            documents = connection.scalar(
                select(policy_sets.c.documents).where(policy_sets.c.digest == row.subject)
            )
            commitment = sha256_hex(str(documents).encode())
        number, end = (
            row.number,
            acts.link(row.number, end, row.at, row.kind, row.subject, commitment),
        )
        connection.execute(
            update(acts.acts)
            .where(acts.acts.c.number == number)
            .values(digest=end, commitment=commitment)
        )
    connection.execute(update(acts.ends).values(count=number, digest=end))


ATTACKS = {
    "another decision": ["UPDATE guard_decisions SET decision = 'reject' WHERE seq = 1"],
    "a decision less": ["DELETE FROM guard_decisions WHERE seq = 2"],
    "a chain less": [
        "DELETE FROM guard_decisions WHERE chain = (SELECT min(id) FROM guard_chains)",
        "DELETE FROM guard_chains WHERE id NOT IN (SELECT chain FROM guard_decisions)",
    ],
    "another private part": ["UPDATE guard_decisions SET private = '{}' WHERE seq = 0"],
    "another mailbox": [
        "UPDATE kernel_acts SET private = replace(private, '\"o1\"', '\"o9\"') WHERE number = 1",
        "UPDATE kernel_approvals SET object_id = 'o9' WHERE record_id = 'm1'",
    ],
    "an act less": [
        "DELETE FROM kernel_acts WHERE number > 1",
        "DELETE FROM kernel_approvals WHERE record_id = 'm3'",
        "DELETE FROM guard_policy_sets",
    ],
    "another moment of an act": ["UPDATE kernel_acts SET at = at - 1 WHERE number = 2"],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_consistent_rewrite_is_found_against_an_anchor_alone(
    whole: Database, clock: FrozenClock, attack: str
) -> None:
    anchor = anchored(whole, clock)
    assert is_whole(whole, anchor)

    def rewritten(connection: Connection) -> None:
        for statement in ATTACKS[attack]:
            connection.execute(text(statement))
        rewrite(connection)

    change(whole, rewritten)
    verdict = whole.read_now(verify)
    assert verdict.is_whole, verdict
    assert not is_whole(whole, anchor)
    assert whole.read_now(lambda c: difference(c, anchor)) is not None


def test_private_parts_that_a_forged_act_masks_are_found(
    whole: Database, clock: FrozenClock
) -> None:
    anchor = anchored(whole, clock)

    def forged(connection: Connection) -> None:
        connection.execute(update(decisions).values(private=None, salt=None))
        for one in connection.scalars(select(decisions.c.id)).all():
            # Dated back, so that the masking seems to be long known.
            acts.append(connection, ActKind.MASKING, one, now=anchor.made_at.replace(year=2025))

    change(whole, forged)
    assert is_whole(whole)
    assert not is_whole(whole, anchor)


def test_a_tail_cut_together_with_its_checkpoints_is_found(
    whole: Database, clock: FrozenClock
) -> None:
    anchor = anchored(whole, clock)

    def cut(connection: Connection) -> None:
        newest = connection.scalar(text("SELECT max(id) FROM guard_chains"))
        connection.execute(delete(decisions).where(decisions.c.chain == newest))
        connection.execute(delete(chains).where(chains.c.id == newest))
        connection.execute(delete(checkpoints).where(checkpoints.c.number == 2))

    change(whole, cut)
    assert is_whole(whole)
    assert not is_whole(whole, anchor)


def test_a_policy_set_altered_with_its_act_is_found(whole: Database, clock: FrozenClock) -> None:
    anchor = anchored(whole, clock)

    def altered(connection: Connection) -> None:
        # A comment, so that the set has its digest still.
        documents = func.replace(policy_sets.c.documents, "severity: low", "severity: low # x")
        connection.execute(update(policy_sets).values(documents=documents))
        rewrite(connection)

    change(whole, altered)
    assert is_whole(whole)
    assert not is_whole(whole, anchor)


async def test_a_chain_that_claims_to_be_older_than_the_anchor_is_found(
    whole: Database, clock: FrozenClock
) -> None:
    anchor = anchored(whole, clock)
    await StoredLedger(whole, clock).record(an_entry(clock))
    assert is_whole(whole, anchor)
    past = FrozenClock(anchor.made_at.replace(year=2025))
    await StoredLedger(whole, past).record(an_entry(past))
    assert is_whole(whole)
    assert not is_whole(whole, anchor)


async def test_what_goes_on_afterwards_is_whole_against_every_anchor(
    whole: Database, clock: FrozenClock
) -> None:
    anchors = [anchored(whole, clock)]
    ledger = StoredLedger(whole, clock)
    entry = an_entry(clock)
    await ledger.record(entry)
    anchors.append(anchored(whole, clock))
    assert await ledger.mask(entry.id)
    grant(whole, clock, object_id="o2")
    change(
        whole,
        lambda c: approvals.withdraw_by_person(
            c, record_id="m1", by="Ben", reason="x", now=clock.now()
        ),
    )
    anchors.append(anchored(whole, clock))
    await ledger.record(an_entry(clock))
    await ledger.make_checkpoint()
    assert is_whole(whole, *anchors)
    assert anchors[-1].withdrawn == ("m1",)
    assert [whole.read_now(lambda c, a=a: difference(c, a)) for a in anchors] == [None] * 3


def test_a_rewrite_is_found_though_newer_anchors_state_it(
    whole: Database, clock: FrozenClock
) -> None:
    before = anchored(whole, clock)

    def rewritten(connection: Connection) -> None:
        connection.execute(text(ATTACKS["another decision"][0]))
        rewrite(connection)

    change(whole, rewritten)
    after = anchored(whole, clock)
    assert is_whole(whole, after)
    assert not is_whole(whole, before, after)


class TestSigning:
    @pytest.fixture
    def key_file(self, tmp_path: Path) -> Path:
        file = tmp_path / "key.pem"
        key = Ed25519PrivateKey.generate()
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key()
        (tmp_path / "public.pem").write_bytes(
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        return file

    def test_a_signed_anchor_is_believed_by_whoever_has_the_key(
        self, whole: Database, clock: FrozenClock, key_file: Path
    ) -> None:
        key = SigningKey.read(key_file)
        line = line_of(whole.read_now(lambda c: statement_of(c, now=clock.now())), key)
        signed = anchor_from(line)
        public = read_public_key(key_file.with_name("public.pem"))
        assert signed.key == key.public == public
        assert untrusted([signed], [public]) is None
        assert untrusted([signed], ["other"]) is not None
        assert untrusted([anchored(whole, clock)], [public]) is not None

    def test_an_altered_one_is_not(
        self, whole: Database, clock: FrozenClock, key_file: Path
    ) -> None:
        key = SigningKey.read(key_file)
        line = line_of(whole.read_now(lambda c: statement_of(c, now=clock.now())), key)
        told = json.loads(line)
        told["anchor"]["acts"][0] += 1
        with pytest.raises(ValueError, match="signature"):
            anchor_from(json.dumps(told))

    @pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\n"])
    def test_what_is_no_key_is_a_setting_to_mend(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "key.pem"
        file.write_text(content)
        with pytest.raises(SettingInvalid, match="anchor key"):
            SigningKey.read(file)
        with pytest.raises(SettingInvalid, match="anchor key"):
            SigningKey.read(tmp_path / "missing.pem")


NAMES = st.sampled_from(["anchor", "key", "signature", "version", "chains"])
OTHER_JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(NAMES, one),
)


class TestFiles:
    def test_a_line_cut_off_by_a_crash_swallows_no_other(
        self, whole: Database, clock: FrozenClock, tmp_path: Path
    ) -> None:
        file = tmp_path / "anchors.jsonl"
        assert newest_anchor(file) is None
        line = line_of(whole.read_now(lambda c: statement_of(c, now=clock.now())), None)
        append_line(file, line)
        with file.open("a") as opened:
            opened.write(line[:50])
        assert newest_anchor(file) == anchor_from(line)

    @given(st.binary(max_size=300))
    def test_whatever_else_stands_there_is_refused(
        self, tmp_path_factory: pytest.TempPathFactory, content: bytes
    ) -> None:
        file = tmp_path_factory.mktemp("anchors") / "anchors.jsonl"
        file.write_bytes(content)
        with pytest.raises(InputRefused):
            read_anchors(file)

    @given(OTHER_JSON)
    def test_json_of_another_shape_is_no_anchor(self, told: Any) -> None:
        with pytest.raises(ValueError, match="it"):
            anchor_from(json.dumps(told))


def test_an_anchor_holds_no_personal_value(whole: Database, clock: FrozenClock) -> None:
    line = line_of(whole.read_now(lambda c: statement_of(c, now=clock.now())), None)
    for value in ("anna@contoso.com", "u1", "a1", "contoso"):
        assert f'"{value}"' not in line
