"""The organisations of the crash tests, each for one test alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandbox import people
from tests.crashes.guarded_organization import GuardedOrganization, open_guarded_organization
from tests.crashes.synced_organization import SyncedOrganization, open_synced_organization

KEPT = (people.BOB, people.ANNA, people.CFO)
# Whom the rules or the acts name; Exchange still has a mailbox of each of the others.
ACTING = (*KEPT, people.CEO, people.APPROVER, people.DESK)


@pytest.fixture
async def guarded() -> AsyncIterator[GuardedOrganization]:
    """An organisation that posts to a guard, with three mailboxes of people and one of a queue.

    Each one more makes the rounds of the scan longer, and shows nothing else.
    """
    async with open_guarded_organization() as opened:
        transaction = opened.sandbox.dataverse.store.begin()
        for sample in people.SAMPLES:
            if sample not in KEPT:
                transaction.delete("mailbox", sample.mailbox_id)
            if sample not in ACTING:
                transaction.delete("systemuser", sample.user_id)
        transaction.commit()
        opened.remember_beginning()
        yield opened


@pytest.fixture
async def synced() -> AsyncIterator[SyncedOrganization]:
    """An organisation whose mailboxes are synced."""
    async with open_synced_organization() as opened:
        yield opened
