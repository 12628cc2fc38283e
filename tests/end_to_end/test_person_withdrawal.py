"""What a person withdrew stays withdrawn in a whole organisation, until it is approved anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from kernel import approvals
from sandbox import people
from sync.operate.mailboxes import withdraw
from tests.crashes.acts import edit, obligations, reconciliation, scan_applied
from tests.crashes.guarded_organization import (
    KEY,
    GuardedOrganization,
    database_url,
    open_guarded_organization,
)
from tests.guard.builders import body, choice, reference

pytestmark = pytest.mark.slow
BOB = people.BOB
APPROVED, PENDING, REJECTED = 1, 2, 3


@pytest.fixture
async def organization(tmp_path: Path) -> AsyncIterator[GuardedOrganization]:
    """Bob's mailbox was approved by a qualified person, and withdrawn by an operator."""
    async with open_guarded_organization() as opened:
        await opened.start(database_url(tmp_path / "guard.db"))
        await reconciliation(opened)
        await approval_becomes(opened, APPROVED)
        assert is_approved(opened)
        database = opened.running.database
        await withdraw(database, opened.clock, BOB.mailbox_id, by="Robin", reason="CHG-1")
        opened.clock.advance(5)
        yield opened


async def approval_becomes(opened: GuardedOrganization, value: int, by: str = "approver") -> None:
    await edit(by, "mailboxes", BOB.mailbox_id, emailrouteraccessapproval=value)(opened)
    await obligations(opened)


def is_approved(opened: GuardedOrganization) -> bool:
    held = opened.running.database.read_now(lambda c: approvals.find(c, BOB.mailbox_id))
    assert held is not None
    return held.state == approvals.APPROVED


async def test_nothing_but_a_newer_approval_brings_it_back(
    organization: GuardedOrganization,
) -> None:
    # (1) The state of the row is toggled, by the very person who may approve.
    for state in (1, 0):
        await edit("approver", "mailboxes", BOB.mailbox_id, statecode=state)(organization)
        await obligations(organization)
        assert not is_approved(organization)
    # (2) Everything is reconciled and scanned.
    await reconciliation(organization)
    await scan_applied(organization)
    assert not is_approved(organization)
    # (3) A qualified person approves anew.
    await approval_becomes(organization, PENDING)
    await approval_becomes(organization, APPROVED)
    assert is_approved(organization)


async def test_a_holder_of_the_key_alone_brings_nothing_back(
    organization: GuardedOrganization,
) -> None:
    row = organization.sandbox.row("mailbox", BOB.mailbox_id)
    assert row is not None
    before = {
        "emailaddress": BOB.address,
        "emailrouteraccessapproval": choice(PENDING),
        "regardingobjectid": reference("systemuser", BOB.user_id),
        "ownerid": reference("systemuser", BOB.user_id),
        "statecode": choice(0),
    }
    approver = next(one for one in people.SAMPLES if one.alias == "approver")
    async with httpx.AsyncClient() as anybody:
        for mode in (0, 1):
            forged = body(
                {"emailrouteraccessapproval": choice(APPROVED)},
                before=before,
                record_id=BOB.mailbox_id,
                mode=mode,
                actor=approver.user_id,
                OrganizationId=organization.running.guard.identity.organization_id,
            )
            answer = await anybody.post(f"{organization.url}?code={KEY}", content=forged)
            assert (answer.status_code, answer.json()["decision"]) == (200, "allow")
    await obligations(organization)
    assert not is_approved(organization)
