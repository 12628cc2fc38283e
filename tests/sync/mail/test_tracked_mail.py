"""What a tracked mail becomes: its row and attachments, once for all mailboxes, and the records."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.errors import NotThere, RequestRejected
from sync.mail.mapping.keys import email_key
from sync.model.verdict import Fate
from sync.operate.mailboxes import show_mailbox
from sync.run.once import once
from sync.store import access, verdicts
from tests.sync.builders import (
    ANNA,
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_OBJECT,
    FILE,
    ORGANIZATION,
    World,
    a_message,
    a_recipient,
    link,
)


class TestAttachments:
    async def test_each_one_is_a_row_and_the_mail_is_completed_after_them(
        self, world: World
    ) -> None:
        world.approve_anna()
        attached = [
            FILE,
            FILE | {"id": "att-2", "name": "copy.txt"},
            {"@odata.type": "#microsoft.graph.itemAttachment", "id": "att-3", "name": "A mail"}
            | {"_bytes": b"MIME"},
        ]
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=attached)

        report = await once(world.sync)

        names = sorted(row["filename"] for row in world.emails.attached.values())
        assert names == ["A mail.eml", "copy.txt", "order.txt"]
        [row] = world.emails.rows.values()
        assert (row["statecode"], row["statuscode"]) == (1, 4)
        assert "notifications" not in row
        assert report.is_clean

    async def test_inline_pictures_come_though_graph_says_there_is_nothing(
        self, world: World
    ) -> None:
        world.approve_anna()
        body = {"contentType": "html", "content": '<img src="cid:logo">'}
        world.exchange.deliver(
            ANNA_OBJECT, a_message(body=body), attachments=[FILE | {"isInline": True}]
        )

        await once(world.sync)

        assert len(world.emails.attached) == 1

    async def test_a_link_to_a_file_elsewhere_is_left_out_and_the_row_says_so(
        self, world: World
    ) -> None:
        world.approve_anna()
        reference = {"@odata.type": "#microsoft.graph.referenceAttachment", "id": "att-2"}
        world.exchange.deliver(
            ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE, reference]
        )

        report = await once(world.sync)

        assert [row["filename"] for row in world.emails.attached.values()] == ["order.txt"]
        assert [row["notifications"] for row in world.emails.rows.values()] == [1]
        assert report.is_clean

    async def test_those_of_a_mail_that_went_away_before_are_missing_in_its_row(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        page = world.exchange.page

        class GoneAfterItsPage:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.exchange, name)

            async def page(self, *args: Any, **options: Any) -> Any:
                listed = await page(*args, **options)
                if listed.entries:
                    world.exchange.delete(ANNA_OBJECT, listed.entries[0]["id"])
                return listed

        other = World(world.database, world.clock)
        other.exchange, other.emails = GoneAfterItsPage(), world.emails  # type: ignore[assignment]
        await once(other.another_process())

        assert [row["notifications"] for row in world.emails.rows.values()] == [1]

    async def test_one_that_is_too_large_or_refused_is_named_in_the_row(self, world: World) -> None:
        world.approve_anna()
        for number, changes in enumerate(({"size": 9_000_000}, {"name": "virus.exe"})):
            world.exchange.deliver(
                ANNA_OBJECT,
                a_message(number, hasAttachments=True),
                attachments=[FILE | changes],
            )
        world.emails.fail_next("create_attachment", RequestRejected("Blocked.", status=400))

        report = await once(world.sync)

        assert world.emails.attached == {}
        assert {row["notifications"] for row in world.emails.rows.values()} == {1}
        assert report.is_clean


class TestTheSameMail:
    async def test_in_two_mailboxes_is_one_row(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        world.exchange.deliver(BEN_OBJECT, a_message(hasAttachments=True), attachments=[FILE])

        report = await once(world.sync)

        assert len(world.emails.rows) == len(world.emails.attached) == 1
        assert link(world).row_id == link(world, object_id=BEN_OBJECT).row_id
        assert report.is_clean
        counts = report.counts
        assert (counts["tracked"], counts["created"], counts["linked"]) == (1, 1, 1)

    async def test_is_found_also_where_its_parties_are_refused_first(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        world.exchange.deliver(BEN_OBJECT, a_message())
        world.emails.fail_next("create_email", RequestRejected("No deep update.", status=400))

        report = await once(world.sync)

        assert report.is_clean
        assert len(world.emails.rows) == 1
        assert link(world, object_id=BEN_OBJECT).row_id == link(world).row_id

    async def test_with_a_forged_message_id_is_another_mail(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        forged = a_message(1, **{"from": a_recipient("mallory@example.com")})
        world.exchange.deliver(ANNA_OBJECT, forged)
        await once(world.sync)
        world.exchange.deliver(BEN_OBJECT, a_message(1))

        report = await once(world.sync)

        assert set(world.emails.rows) == {
            email_key(ORGANIZATION, forged),
            email_key(ORGANIZATION, a_message(1)),
        }
        assert (report.counts["created"], report.counts["linked"]) == (1, 0)

    @pytest.mark.parametrize("message_id", ["<once-a-second@fabrikam.com>", None])
    async def test_is_none_where_only_the_bytes_of_a_file_differ(
        self, world: World, message_id: str | None
    ) -> None:
        world.approve_anna()
        world.approve_ben()
        same = a_message(1, internetMessageId=message_id, hasAttachments=True)
        for number in range(3):
            file = FILE | {"_bytes": b"scan%d" % number}
            mail = same | {"id": f"AAkScan{number}"}
            world.exchange.deliver(ANNA_OBJECT, mail, attachments=[file])
        world.exchange.deliver(BEN_OBJECT, same, attachments=[FILE | {"_bytes": b"scan1"}])

        report = await once(world.sync)

        assert report.is_clean
        assert len(world.emails.rows) == len(world.emails.attached) == 3
        assert (report.counts["created"], report.counts["linked"]) == (3, 1)
        assert {row["statecode"] for row in world.emails.rows.values()} == {1}


class TestParties:
    async def test_one_whose_row_is_gone_is_kept_by_the_address_alone(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.emails.fail_next("create_email", NotThere("No such user.", status=404))

        report = await once(world.sync)

        assert report.is_clean
        [row] = world.emails.rows.values()
        assert row["email_activity_parties"] == [
            {"participationtypemask": 1, "addressused": "buyer@fabrikam.com"},
            {"participationtypemask": 2, "addressused": ANNA},
        ]

    async def test_where_none_is_bound_a_row_that_cannot_be_made_is_asked_for_once(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(toRecipients=[]))
        world.emails.fail_next("create_email", *([NotThere("No such table.", status=404)] * 100))

        report = await once(world.sync)

        [problem] = report.problems
        assert (problem.kind, problem.reason) == ("unresolved", "No such table.")
        shown = world.database.read_now(
            lambda c: show_mailbox(c, ANNA_RECORD, now=world.clock.now())
        )
        [task] = shown["tasks"]
        assert world.emails.requests["create_email"] == task["attempts"]


class TestWhatIsWrittenDown:
    async def test_drafts_are_skipped_with_a_verdict(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(isDraft=True))

        report = await once(world.sync)

        verdict = world.database.read_now(
            lambda c: verdicts.find(c, ANNA_OBJECT, a_message()["id"])
        )
        assert verdict is not None
        assert (verdict.fate, verdict.reason) == (Fate.SKIP, "draft")
        assert world.emails.rows == {}
        assert report.counts["skipped"] == 1

    async def test_an_answer_with_items_is_logged_and_an_empty_one_is_not(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        await once(world.sync)
        await once(world.sync)

        logged = world.database.read_now(lambda c: access.list_for(c, ANNA_RECORD))

        assert [(one.operation, one.item_count) for one in logged] == [
            ("attachments", 1),
            ("mails delta", 1),
        ]

    async def test_a_mail_without_attachments_costs_two_requests_and_a_page_fifty_mails(
        self, world: World
    ) -> None:
        world = World(world.database, world.clock, page_size=50)
        world.approve_anna()
        for number in range(100):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))

        report = await once(world.sync)

        assert report.counts["dataverse_requests"] == 1 + 2 * 100
        assert report.counts["graph_requests"] / report.counts["listed"] <= 0.05
