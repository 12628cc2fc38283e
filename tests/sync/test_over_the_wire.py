"""The adapters against a tenant that speaks over the wire and shares no code with them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import people
from sync.run.once import once
from tests.sync.tenants import Tenant, open_tenant

pytestmark = pytest.mark.slow


@pytest.fixture
async def tenant(tmp_path: Path) -> AsyncIterator[Tenant]:
    async with open_tenant(tmp_path) as opened:
        yield opened


async def test_a_whole_inbox_arrives_once_with_its_attachments(tenant: Tenant) -> None:
    row = tenant.sandbox.row("mailbox", people.BOB.mailbox_id)
    assert row is not None
    tenant.sandbox.dataverse.insert("mailbox", {**row, "emailrouteraccessapproval": 1})
    tenant.approve(people.BOB)

    report = await once(tenant.sync)
    graph_requests = len(tenant.mailbox_requests(people.BOB))
    again = await once(tenant.sync)

    assert report.is_clean, report.problems
    assert again.is_clean
    emails = tenant.emails()
    assert len(emails) == 30
    assert {(row["statecode"], row["statuscode"], row["directioncode"]) for row in emails} == {
        (1, 4, False)
    }
    assert len({row["messageid"] for row in emails}) == 30
    attachments = [dict(row) for row in tenant.sandbox.rows("activitymimeattachment")]
    assert sorted(row["filename"] for row in attachments) == sorted(
        f"order-{number}.csv" for number in range(5, 31, 5)
    )
    first = next(row for row in attachments if row["filename"] == "order-5.csv")
    assert base64.b64decode(first["body"]) == b"order;quantity\n5;1\n"
    assert report.counts["created"] == 30
    assert report.counts["graph_requests"] == graph_requests
    assert again.counts["created"] == again.counts["listed"] == 0


async def test_only_approved_mailboxes_are_reached_and_by_object_id_only(tenant: Tenant) -> None:
    tenant.approve(people.ANNA)

    await once(tenant.sync)

    assert len(tenant.emails()) == 2
    assert tenant.mailbox_requests(people.ANNA)
    assert not tenant.mailbox_requests(people.CEO)
    assert not any("@contoso.com" in path for path in tenant.mailbox_requests(people.ANNA))


async def test_the_same_mail_in_two_mailboxes_is_one_row(tenant: Tenant) -> None:
    for person in (people.ANNA, people.CFO):
        tenant.sandbox.deliver_mail(
            person.alias,
            subject="To both",
            message_id="<both@fabrikam.com>",
            files=(("a.txt", b"a"),),
        )
        tenant.approve(person)

    report = await once(tenant.sync)

    assert report.is_clean, report.problems
    assert [row["subject"] for row in tenant.emails()].count("To both") == 1
    assert len(tenant.sandbox.rows("activitymimeattachment")) == 1


async def test_a_deleted_mail_keeps_its_row_and_a_new_one_follows(tenant: Tenant) -> None:
    tenant.approve(people.ANNA)
    await once(tenant.sync)
    mailbox = tenant.sandbox.mailbox("anna")
    gone = tenant.sandbox.deliver_mail("anna", subject="Short-lived")
    await once(tenant.sync)
    mailbox.delete(gone)
    tenant.sandbox.deliver_mail("anna", subject="New")

    report = await once(tenant.sync)

    assert {"Short-lived", "New"} <= {row["subject"] for row in tenant.emails()}
    assert report.counts["removed"] == 1
    assert report.counts["created"] == 1


async def test_a_misbehaving_stream_ends_in_the_same_rows(tenant: Tenant) -> None:
    row = tenant.sandbox.row("mailbox", people.BOB.mailbox_id)
    assert row is not None
    tenant.sandbox.dataverse.insert("mailbox", {**row, "emailrouteraccessapproval": 1})
    tenant.approve(people.BOB)
    faults = tenant.sandbox.stream_faults("bob")
    faults.repeat_items = faults.shuffle = faults.empty_page_first = True
    faults.partial_updates = True
    faults.lose_sync_state_mid_round = 1

    first = await once(tenant.sync)
    mailbox = tenant.sandbox.mailbox("bob")
    faults.lose_sync_state = 1
    arrived = tenant.sandbox.deliver_mail("bob", subject="One more", html="<p>hi</p>")
    mailbox.changed(arrived, tenant.sandbox.clock.now())
    second = await once(tenant.sync)
    third = await once(tenant.sync)

    assert first.is_clean, first.problems
    assert second.is_clean, second.problems
    assert third.is_clean, third.problems
    emails = tenant.emails()
    assert len(emails) == 31
    assert len({row["messageid"] for row in emails}) == 31
    assert {row["statuscode"] for row in emails} == {4}
