"""Somebody tries to have the chief executive's mail under another name for them."""

from __future__ import annotations

import pytest

from sandbox import people
from tests.attacks.insider import (
    PAST_SYNCHRONOUS,
    Insider,
    all_is_done,
    reads_mail_of,
    rules_of_newest,
)
from tests.crashes.guarded_organization import GuardedOrganization

CEO, CFO = people.CEO, people.CFO
QUEUE = people.SUPPORT_QUEUE_ID
ALIAS = "chief@contoso.com"
APPROVED = {"emailrouteraccessapproval": 1}


@pytest.mark.parametrize("address", [ALIAS, "Chief@contoso.com", "ceo+x@contoso.com"])
@pytest.mark.parametrize("headers", [{}, PAST_SYNCHRONOUS])
async def test_a_queue_at_an_alias_of_the_chief_executive(
    guarded: GuardedOrganization, address: str, headers: dict[str, str]
) -> None:
    # Who may approve, alone, with two edits at once.
    approver = Insider(guarded, people.GLOBAL_ADMIN.alias)
    pointed = await approver.update("queues", QUEUE, {"emailaddress": address}, headers)
    assert pointed.went_through is bool(headers)
    if not headers:
        assert "vip-address-held/second-person" in rules_of_newest(guarded)
    await approver.update("queues", QUEUE, APPROVED, headers)
    await all_is_done(guarded)
    assert CEO.object_id not in reads_mail_of(guarded)
    row = guarded.sandbox.row("queue", QUEUE)
    assert row is not None
    assert row["emailaddress"] == f"support@{people.DOMAIN}"


async def test_a_queue_at_the_address_of_any_person(guarded: GuardedOrganization) -> None:
    approver = Insider(guarded, people.GLOBAL_ADMIN.alias)
    pointed = await approver.update("queues", QUEUE, {"emailaddress": people.ANNA.address})
    assert not pointed.went_through
    assert rules_of_newest(guarded) == {"queue-not-a-person/not-a-person"}


async def test_a_queue_at_a_shared_mailbox_is_what_queues_are_for(
    guarded: GuardedOrganization,
) -> None:
    approver = Insider(guarded, people.APPROVER.alias)
    assert (await approver.update("queues", QUEUE, APPROVED)).went_through
    await all_is_done(guarded)
    assert people.SUPPORT_OBJECT_ID in reads_mail_of(guarded)


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_the_address_of_a_person_who_is_gone(
    guarded: GuardedOrganization, is_deleted: bool
) -> None:
    directory = guarded.sandbox.directory
    if is_deleted:
        directory.delete_person(people.ANNA.object_id)
    else:
        directory.people[people.ANNA.object_id].account_enabled = False
    approver = Insider(guarded, people.GLOBAL_ADMIN.alias)
    pointed = await approver.update("queues", QUEUE, {"emailaddress": people.ANNA.address})
    assert not pointed.went_through
    rule = "not-deleted" if is_deleted else "not-disabled"
    assert f"gone-person/{rule}" in rules_of_newest(guarded)


async def test_an_object_that_carries_somebodys_mail_does_not_lock_them_out(
    guarded: GuardedOrganization,
) -> None:
    approver = Insider(guarded, people.APPROVER.alias)
    bob = people.BOB
    await approver.update("systemusers", bob.user_id, APPROVED)
    await all_is_done(guarded)
    assert bob.object_id in reads_mail_of(guarded)
    stray = guarded.sandbox.add_person("stray", mailbox=False)
    stray.mail = bob.address
    gone = guarded.sandbox.add_person("gone", mailbox=False)
    gone.mail = bob.address
    guarded.sandbox.directory.delete_person(gone.id)
    await all_is_done(guarded)
    assert bob.object_id in reads_mail_of(guarded)
