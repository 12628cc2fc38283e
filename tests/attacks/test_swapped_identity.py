"""An administrator without a role in Entra makes a user row the row of the chief executive."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import people
from tests.attacks.insider import (
    PAST_EVERY_STEP,
    PAST_SYNCHRONOUS,
    Insider,
    all_is_done,
    approval,
    is_approved,
    reads_mail_of,
)
from tests.crashes.guarded_organization import GuardedOrganization

CEO, BOB, ADMIN = people.CEO, people.BOB, people.ADMIN
AS_CEO = {"domainname": CEO.address, "azureactivedirectoryobjectid": CEO.object_id}
EMPTIED = {"domainname": CEO.address, "azureactivedirectoryobjectid": None}
POINTED = {"internalemailaddress": CEO.address}
APPROVED = {"emailrouteraccessapproval": 1}


@pytest.fixture
def admin(guarded: GuardedOrganization) -> Insider:
    return Insider(guarded, ADMIN.alias)


@pytest.mark.parametrize("swap", [AS_CEO, EMPTIED, {"azureactivedirectoryobjectid": None}])
@pytest.mark.parametrize("sample", [ADMIN, BOB])
async def test_the_swap_is_refused_before_the_commit(
    guarded: GuardedOrganization, admin: Insider, swap: dict[str, Any], sample: people.Sample
) -> None:
    tried = await admin.update("systemusers", sample.user_id, swap)
    assert not tried.went_through
    row = guarded.sandbox.row("systemuser", sample.user_id)
    assert row is not None
    assert (row["domainname"], row["azureactivedirectoryobjectid"]) == (
        sample.address,
        sample.object_id,
    )


@pytest.mark.parametrize("headers", [PAST_SYNCHRONOUS, PAST_EVERY_STEP])
@pytest.mark.parametrize("swap", [AS_CEO, EMPTIED])
async def test_a_swap_past_the_steps_is_taken_back_and_opens_nothing(
    guarded: GuardedOrganization, admin: Insider, swap: dict[str, Any], headers: dict[str, str]
) -> None:
    approver = Insider(guarded, people.APPROVER.alias)
    assert (await admin.update("systemusers", BOB.user_id, swap, headers)).went_through
    # Before anything is taken back, in haste: the address, and an approval that Dataverse takes.
    await admin.update("systemusers", BOB.user_id, POINTED, headers)
    await approver.update("systemusers", BOB.user_id, APPROVED)
    await all_is_done(guarded)
    assert CEO.object_id not in reads_mail_of(guarded)
    await all_is_done(guarded)
    row = guarded.sandbox.row("systemuser", BOB.user_id)
    assert row is not None
    assert (row["domainname"], row["azureactivedirectoryobjectid"]) == (
        BOB.address,
        BOB.object_id,
    )
    assert CEO.object_id not in reads_mail_of(guarded)


async def test_an_identity_that_moves_ends_what_was_approved_for_it(
    guarded: GuardedOrganization, admin: Insider
) -> None:
    approver = Insider(guarded, people.APPROVER.alias)
    assert (await approver.update("systemusers", BOB.user_id, APPROVED)).went_through
    await all_is_done(guarded)
    assert is_approved(guarded, BOB.mailbox_id)
    await admin.update("systemusers", BOB.user_id, AS_CEO, PAST_SYNCHRONOUS)
    held = approval(guarded, BOB.mailbox_id)
    assert held is not None
    assert held.state == "withdrawn"


async def test_a_second_row_of_the_chief_executive_is_refused(
    guarded: GuardedOrganization, admin: Insider
) -> None:
    ghost = {"systemuserid": people.stable_id("ghost"), "fullname": "Ghost", **AS_CEO, **POINTED}
    assert not (await admin.create("systemusers", ghost)).went_through
    no_object = {**ghost, "azureactivedirectoryobjectid": None}
    assert not (await admin.create("systemusers", no_object)).went_through
    assert (await admin.create("systemusers", ghost, PAST_SYNCHRONOUS)).went_through
    approver = Insider(guarded, people.GLOBAL_ADMIN.alias)
    await approver.update("systemusers", ghost["systemuserid"], APPROVED, PAST_SYNCHRONOUS)
    await all_is_done(guarded)
    assert CEO.object_id not in reads_mail_of(guarded)
