"""Recorded decisions come back in the order of writing, in batches, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from guard.errors import DecisionMasked, DecisionUnknown
from guard.ledger.replay import batches, count_decisions, find_past, find_set
from guard.ledger.stored import DECISION, StoredLedger, mask
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load_documents
from rules.model.change import Change, Facts
from tests.conftest import NOON
from tests.console.recording import POLICY, an_entry, recorded

POLICIES = load_documents({"own-address-only.yaml": POLICY})
FACTS = Facts({"new.owner.upn": "anna@contoso.com"}, {"new.owner.type": "it did not answer"})
BEFORE = {"emailaddress": "old@contoso.com", "statecode": 0}


def a_change(number: int) -> Change:
    after = {**BEFORE, "emailaddress": f"a{number}@contoso.com"}
    return Change("mailbox", "update", f"r{number}", BEFORE, after, frozenset({"emailaddress"}))


@pytest.fixture
async def ids(database: Database, clock: FrozenClock) -> list[str]:
    return await recorded(database, clock, POLICIES, [(a_change(n), FACTS) for n in range(5)])


async def test_every_decision_comes_once_in_batches_of_a_size(
    database: Database, ids: list[str]
) -> None:
    found = database.read_now(lambda c: list(batches(c, size=2)))
    assert [len(batch.rows) for batch in found] == [2, 2, 1]
    assert [row[0] for batch in found for row in batch.rows] == ids
    behind = database.read_now(lambda c: list(batches(c, size=2, after=found[0].place)))
    assert behind == found[1:]


async def test_since_leaves_older_ones_out(
    database: Database, clock: FrozenClock, ids: list[str]
) -> None:
    since = clock.now() - timedelta(seconds=90)
    found = database.read_now(lambda c: list(batches(c, since=since)))
    assert [row[0] for batch in found for row in batch.rows] == ids[4:]
    assert database.read_now(lambda c: count_decisions(c, since=since)) == 1
    assert database.read_now(count_decisions) == len(ids)


async def test_one_comes_back_with_its_change_facts_and_set(
    database: Database, ids: list[str]
) -> None:
    past = database.read_now(lambda c: find_past(c, ids[2].upper()))
    assert (past.change, past.facts) == (a_change(2), FACTS)
    assert (past.outcome, past.rules) == ("reject", ("own-address-only/same-as-owner",))
    stored = database.read_now(lambda c: find_set(c, past.policy_set))
    assert stored is not None
    assert stored.digest == POLICIES.digest
    assert database.read_now(lambda c: find_set(c, None)) is None


async def test_what_is_unknown_or_masked_is_refused(database: Database, ids: list[str]) -> None:
    with pytest.raises(DecisionUnknown):
        database.read_now(lambda c: find_past(c, "nonsense"))
    await database.write(lambda c: mask(c, ids[0], now=NOON), failpoint=DECISION)
    with pytest.raises(DecisionMasked, match="its private part was masked"):
        database.read_now(lambda c: find_past(c, ids[0]))


async def test_a_confirmation_leads_to_the_decision_that_it_confirms(
    database: Database, clock: FrozenClock, ids: list[str]
) -> None:
    entry = an_entry(a_change(2), Facts(), POLICIES, now=clock.now())
    entry = replace(entry, public={**entry.public, "confirms": ids[2]})
    await StoredLedger(database, clock).record(entry)
    past = database.read_now(lambda c: find_past(c, entry.id))
    assert (past.id, past.facts) == (ids[2], FACTS)
