"""The adapters against a tenant that speaks over the wire and shares no code with them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import people
from sandbox.faults import PlannedFault
from sync.operate.mailboxes import resume
from sync.run.once import once
from tests.sync import reported
from tests.sync.builders import OPERATOR
from tests.sync.reported import BOXES
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


class TestWhatOnceStoppedMailboxes:
    """As `tests/sync/test_reports.py`, for kinds of which no report is at hand."""

    @pytest.fixture(autouse=True)
    def emptied(self, tenant: Tenant) -> None:
        reported.empty(tenant.sandbox)
        for box in BOXES:
            tenant.approve(box)

    async def test_one_corrupt_mail_is_named_and_the_others_arrive(self, tenant: Tenant) -> None:
        mails = [reported.deliver(tenant.sandbox, {"subject": f"{n}"}) for n in range(12)]
        unreadable = tenant.sandbox.stream_faults(BOXES[0].alias).unreadable
        unreadable.add(mails[7].immutable_id)

        report = await once(tenant.sync)

        assert [one.item_id for one in report.problems] == [mails[7].immutable_id]
        assert len(tenant.emails()) == 11
        unreadable.clear()
        assert (await once(tenant.sync)).counts["created"] == 1

    async def test_forty_deletions_are_a_brake_until_a_person_lets_them_go(
        self, tenant: Tenant
    ) -> None:
        mails = [reported.deliver(tenant.sandbox, {"subject": f"{n}"}) for n in range(40)]
        await once(tenant.sync)
        for mail in mails:
            tenant.sandbox.mailbox(BOXES[0].alias).delete(mail)

        report = await once(tenant.sync)
        assert tenant.states()[BOXES[0].address] == "brake"
        [problem] = report.problems
        assert problem.count == 40 - report.counts["removed"]
        assert problem.hint is not None

        await resume(tenant.database, tenant.sync.clock, BOXES[0].mailbox_id, by=OPERATOR)
        assert (await once(tenant.sync)).is_clean
        assert tenant.states()[BOXES[0].address] == "synced"

    async def test_counts_mean_what_they_say(self, tenant: Tenant) -> None:
        # The answer to a create is lost, one mail lies in two mailboxes, and one fails.
        lost = PlannedFault("dataverse", "emails(", 504, method="PATCH", after=True)
        tenant.sandbox.faults.add(lost)
        reported.deliver(tenant.sandbox, {"subject": "lost"})
        counts = (await once(tenant.sync)).counts
        assert (counts["tracked"], counts["created"], counts["linked"]) == (1, 1, 0)

        for box in (0, 1):
            told = {"subject": "both", "mid": "<both@fabrikam.com>", "box": box}
            reported.deliver(tenant.sandbox, told)
        counts = (await once(tenant.sync)).counts
        assert (counts["tracked"], counts["created"], counts["linked"]) == (1, 1, 1)
        assert counts["mailboxes"] == 2

        denied = {"error": {"code": "ErrorAccessDenied", "message": "x"}}
        tenant.sandbox.faults.add(
            PlannedFault("graph", BOXES[0].object_id, 403, body=denied, times=1_000)
        )
        report = await once(tenant.sync)
        assert report.counts["mailboxes"] == 2
        [problem] = report.problems
        assert problem.record_id == BOXES[0].mailbox_id
        assert problem.hint is not None

    @pytest.mark.parametrize("after", ["1", "00:00:01", "PT1S", "1 second"])
    async def test_too_many_bytes_are_waited_out(self, tenant: Tenant, after: str) -> None:
        tenant.sandbox.faults.add(
            PlannedFault("graph", BOXES[0].object_id, 509, headers={"Retry-After": after})
        )
        reported.deliver(tenant.sandbox, {"subject": "one"})
        assert (await once(tenant.sync)).is_clean
        assert len(tenant.emails()) == 1

    async def test_characters_that_dataverse_refuses_stop_nothing_wherever_they_are(
        self, tenant: Tenant
    ) -> None:
        odd = "\x00\x0b\x1f\x7f\x85\ufffe\uffff\ud83d"
        address = {"emailAddress": {"name": odd, "address": f"a{odd}@fabrikam.com"}}
        reported.deliver(
            tenant.sandbox,
            {
                "subject": odd,
                "body": f"<p title='{odd}&#xFFFE;'>{odd}&#11;&#x1F;&#xFFFF;&#55357;&#0;</p>",
                "mid": f"<{odd}@fabrikam.com>",
                "attachments": [{"name": f"{odd}.pdf", "contentBytes": "JVBERi0xLjQ="}],
                "set": {"from": address, "toRecipients": [address, None, {}], "importance": odd},
            },
        )
        report = await once(tenant.sync)
        assert report.is_clean, report.problems
        [row] = tenant.emails()
        assert row["statuscode"] == 4
        assert len(tenant.sandbox.rows("activitymimeattachment")) == 1

    @pytest.mark.parametrize(
        "address",
        ["Scanner <scan@fabrikam.com>", "<scan@fabrikam.com>", '"A, B" <scan@fabrikam.com>'],
    )
    async def test_a_whole_header_in_the_place_of_an_address_is_read(
        self, tenant: Tenant, address: str
    ) -> None:
        sender = {"emailAddress": {"name": "Scanner", "address": address}}
        reported.deliver(tenant.sandbox, {"subject": "one", "set": {"from": sender}})
        assert (await once(tenant.sync)).is_clean
        assert [row["sender"] for row in tenant.emails()] == ["scan@fabrikam.com"]
