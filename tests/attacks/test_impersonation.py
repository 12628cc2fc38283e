"""An approval in the name of somebody else: by an impersonating user, or by one of our own."""

from __future__ import annotations

import pytest

from sandbox import people
from tests.attacks.insider import (
    PAST_SYNCHRONOUS,
    Insider,
    all_is_done,
    is_approved,
    newest_decision,
    rules_of_newest,
)
from tests.crashes.guarded_organization import GuardedOrganization

BOB = people.BOB
APPROVED = {"emailrouteraccessapproval": 1}
IN_THE_NAME = [
    {"CallerObjectId": people.GLOBAL_ADMIN.object_id},
    {"MSCRMCallerID": people.GLOBAL_ADMIN.user_id},
]


@pytest.mark.parametrize("name", IN_THE_NAME)
@pytest.mark.parametrize("past", [{}, PAST_SYNCHRONOUS])
async def test_an_approval_in_the_name_of_a_global_administrator(
    guarded: GuardedOrganization, name: dict[str, str], past: dict[str, str]
) -> None:
    admin = Insider(guarded, people.ADMIN.alias)
    tried = await admin.update("systemusers", BOB.user_id, APPROVED, {**name, **past})
    assert tried.went_through is bool(past)
    seen = newest_decision(guarded)
    assert seen["initiating_user_id"] == people.GLOBAL_ADMIN.user_id
    assert seen["on_behalf_by"] == people.ADMIN.user_id
    # Both are judged: the one in whose name it was, and who isn't qualified.
    assert {"qualified-approver/approver", "no-approval-on-behalf/in-person"} <= rules_of_newest(
        guarded
    )
    await all_is_done(guarded)
    assert not is_approved(guarded, BOB.mailbox_id)
    row = guarded.sandbox.row("systemuser", BOB.user_id)
    assert row is not None
    assert row["emailrouteraccessapproval"] != 1


async def test_both_must_qualify_where_no_policy_speaks_of_it(
    guarded: GuardedOrganization,
) -> None:
    holder = guarded.running.guard.parts.receiver.judge._policies
    names = {p.name for p in holder.current.policies} - {"no-approval-on-behalf"}
    holder.current = holder.current.only(frozenset(names))
    approver = Insider(guarded, people.APPROVER.alias)
    in_the_name = IN_THE_NAME[0]
    admin = Insider(guarded, people.ADMIN.alias)
    assert not (await admin.update("systemusers", BOB.user_id, APPROVED, in_the_name)).went_through
    assert rules_of_newest(guarded) == {"qualified-approver/approver"}
    assert (await approver.update("systemusers", BOB.user_id, APPROVED, in_the_name)).went_through
    await all_is_done(guarded)
    assert is_approved(guarded, BOB.mailbox_id)


@pytest.mark.parametrize("client_id", [people.GUARD_CLIENT_ID, people.SYNC_CLIENT_ID])
@pytest.mark.parametrize("in_the_name", [{}, IN_THE_NAME[0]])
async def test_none_of_our_own_applications_approves(
    guarded: GuardedOrganization, client_id: str, in_the_name: dict[str, str]
) -> None:
    # Whoever has the secret; the platform is told to take it for qualified.
    guarded.sandbox.dataverse.platform.switches.approval_is_checked = False
    thief = Insider.with_secret(guarded, client_id)
    tried = await thief.update("systemusers", BOB.user_id, APPROVED, in_the_name)
    assert not tried.went_through
    assert "guard/own-approval" in rules_of_newest(guarded)
    await thief.update("systemusers", BOB.user_id, APPROVED, {**in_the_name, **PAST_SYNCHRONOUS})
    await all_is_done(guarded)
    assert not is_approved(guarded, BOB.mailbox_id)


@pytest.mark.parametrize("tag", ["", "?tag=mailbox-guard-0"])
async def test_a_tag_does_not_make_it_our_own_write(guarded: GuardedOrganization, tag: str) -> None:
    guarded.sandbox.dataverse.platform.switches.approval_is_checked = False
    thief = Insider.with_secret(guarded, people.GUARD_CLIENT_ID)
    path = f"systemusers({BOB.user_id}){tag}"
    assert not (await thief.patch(path, APPROVED)).went_through
    await all_is_done(guarded)
    assert not is_approved(guarded, BOB.mailbox_id)
