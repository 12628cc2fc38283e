"""What goes wrong on the way, and that nothing is lost, doubled or stopped by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud.errors import (
    Refused,
    RequestRejected,
    Throttled,
    Unknown,
    Unreachable,
    WebhookRejected,
)
from sync.link import Link, LinkState, Place
from sync.mailboxes import list_mailboxes, resume, withdraw
from sync.mapping.keys import email_key, other_email_key
from sync.once import once
from sync.store import access, links, quarantine, verdicts
from sync.verdict import Fate
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_OBJECT,
    ORGANIZATION,
    World,
    a_message,
    a_recipient,
)

FILE: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.fileAttachment",
    "id": "att-1",
    "name": "order.txt",
    "contentType": "text/plain",
    "size": 5,
    "_bytes": b"order",
}


def link(world: World, number: int = 1, object_id: str = ANNA_OBJECT) -> Link:
    item_id = a_message(number)["id"]
    found = world.database.read_now(lambda c: links.find(c, object_id, item_id))
    assert found is not None
    return found


def state(world: World) -> tuple[str, str]:
    everyone = world.database.read_now(lambda c: list_mailboxes(c, now=world.clock.now()))
    return everyone[0]["state"], everyone[0]["reason"]


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

        names = sorted(row["filename"] for row in world.crm.attachments.values())
        assert names == ["A mail.eml", "copy.txt", "order.txt"]
        [row] = world.crm.emails.values()
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

        assert len(world.crm.attachments) == 1

    async def test_a_link_to_a_file_elsewhere_is_left_out_and_the_row_says_so(
        self, world: World
    ) -> None:
        world.approve_anna()
        reference = {"@odata.type": "#microsoft.graph.referenceAttachment", "id": "att-2"}
        world.exchange.deliver(
            ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE, reference]
        )

        report = await once(world.sync)

        assert [row["filename"] for row in world.crm.attachments.values()] == ["order.txt"]
        assert [row["notifications"] for row in world.crm.emails.values()] == [1]
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
        other.exchange, other.crm = GoneAfterItsPage(), world.crm  # type: ignore[assignment]
        await once(other.another_process())

        assert [row["notifications"] for row in world.crm.emails.values()] == [1]

    async def test_one_that_is_too_large_or_refused_is_named_in_the_row(self, world: World) -> None:
        world.approve_anna()
        for number, changes in enumerate(({"size": 9_000_000}, {"name": "virus.exe"})):
            world.exchange.deliver(
                ANNA_OBJECT,
                a_message(number, hasAttachments=True),
                attachments=[FILE | changes],
            )
        world.crm.fail_next("create_attachment", RequestRejected("Blocked.", status=400))

        report = await once(world.sync)

        assert world.crm.attachments == {}
        assert {row["notifications"] for row in world.crm.emails.values()} == {1}
        assert report.is_clean


class TestTheSameMail:
    async def test_in_two_mailboxes_is_one_row(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        world.exchange.deliver(BEN_OBJECT, a_message(hasAttachments=True), attachments=[FILE])

        report = await once(world.sync)

        assert len(world.crm.emails) == len(world.crm.attachments) == 1
        assert link(world).row_id == link(world, object_id=BEN_OBJECT).row_id
        assert report.is_clean
        assert (report.counts["tracked"], report.counts["created"]) == (2, 1)

    async def test_is_found_also_where_its_parties_are_refused_first(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        world.exchange.deliver(BEN_OBJECT, a_message())
        world.crm.fail_next("create_email", RequestRejected("No deep update.", status=400))

        report = await once(world.sync)

        assert report.is_clean
        assert len(world.crm.emails) == 1
        assert link(world, object_id=BEN_OBJECT).row_id == link(world).row_id

    async def test_with_a_forged_message_id_is_another_mail(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        forged = a_message(1, **{"from": a_recipient("mallory@example.com")})
        world.exchange.deliver(ANNA_OBJECT, forged)
        await once(world.sync)
        world.exchange.deliver(BEN_OBJECT, a_message(1))

        await once(world.sync)

        assert set(world.crm.emails) == {
            email_key(ORGANIZATION, forged),
            other_email_key(ORGANIZATION, a_message(1)),
        }


class TestPoison:
    async def test_a_mail_that_dataverse_refuses_is_set_aside_and_the_others_come(
        self, world: World
    ) -> None:
        world.approve_anna()
        for number in range(3):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        world.crm.refused_subjects.add("Order 1")

        report = await once(world.sync)
        again = await once(world.another_process())

        assert world.subjects() == ["Order 0", "Order 2"]
        assert report.counts["quarantined"] == again.counts["quarantined"] == 1
        assert [one.item_id for one in report.problems] == [a_message(1)["id"]]
        assert link(world, 1).state is LinkState.SET_ASIDE
        [kept] = world.database.read_now(lambda c: quarantine.list_for(c, [ANNA_RECORD]))
        assert kept.reason == "The subject is refused."

    async def test_an_entry_that_makes_no_sense_is_set_aside_in_the_pages_transaction(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(1, receivedDateTime="tomorrow"))
        world.exchange.deliver(ANNA_OBJECT, a_message(2))

        report = await once(world.sync)

        assert world.subjects() == ["Order 2"]
        assert [one.kind for one in report.problems] == ["quarantined"]

    async def test_a_mail_that_cannot_be_mapped_is_set_aside(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(1, toRecipients=5))

        report = await once(world.sync)

        assert [one.kind for one in report.problems] == ["quarantined"]
        assert world.crm.emails == {}

    async def test_what_was_refused_comes_with_the_next_pass_once_the_cause_is_gone(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        world.crm.refused_subjects.add("Order 1")
        await once(world.sync)
        refused = await once(world.sync)
        assert world.crm.requests["create_email"] == 2
        assert [one.kind for one in refused.problems] == ["quarantined"]
        world.crm.refused_subjects.clear()

        report = await once(world.another_process())

        assert report.is_clean
        assert report.counts["created"] == len(world.crm.attachments) == 1
        assert link(world).state is LinkState.TRACKED
        assert world.database.read_now(lambda c: quarantine.list_for(c, [ANNA_RECORD])) == []

    async def test_what_was_refused_under_one_approval_is_tried_under_the_next(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.crm.refused_subjects.add("Order 1")
        await once(world.sync)
        await withdraw(world.database, world.clock, ANNA_RECORD, reason="to be checked")
        world.crm.refused_subjects.clear()
        world.clock.advance(7200)
        await once(world.sync)
        assert world.crm.emails == {}
        world.approve_anna()

        report = await once(world.sync)

        assert report.is_clean
        assert world.subjects() == ["Order 1"]

    async def test_what_was_refused_is_tried_when_a_person_resumes_the_mailbox(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.crm.refused_subjects.add("Order 1")
        await once(world.sync)
        world.crm.refused_subjects.clear()
        assert await world.sync.workers.run_due() == 0

        await resume(world.database, world.clock, ANNA_RECORD)
        await world.sync.leases.claim()
        await world.sync.workers.run_due()

        assert world.subjects() == ["Order 1"]

    async def test_a_webhook_that_stops_the_row_is_tried_again(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.crm.fail_next("create_email", WebhookRejected("Plug-in down.", status=400))

        report = await once(world.sync)

        assert world.subjects() == ["Order 1"]
        assert report.is_clean


class TestWaiting:
    async def test_a_throttled_mailbox_waits_as_long_as_it_was_told(self, world: World) -> None:
        world.approve_anna()
        world.approve_ben()
        world.exchange.deliver(BEN_OBJECT, a_message(2))
        until = world.clock.now() + timedelta(minutes=70)
        world.exchange.fail_next(ANNA_OBJECT, Throttled("Slow down.", until=until))

        report = await once(world.sync)

        assert world.exchange.requests[ANNA_OBJECT] == 1
        assert world.subjects() == ["Order 2"]
        assert state(world) == ("throttled", "Slow down.")
        assert world.sync.passes.due_at(ANNA_RECORD) == until
        assert [one.kind for one in report.problems] == ["unresolved"]

    async def test_a_single_pass_waits_for_a_short_throttle_and_ends_clean(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        until = world.clock.now() + timedelta(seconds=90)
        world.exchange.fail_next(ANNA_OBJECT, Throttled("Slow down.", until=until))

        report = await once(world.sync)

        assert world.clock.now() >= until
        assert world.exchange.requests[ANNA_OBJECT] == 2
        assert world.subjects() == ["Order 1"]
        assert report.is_clean

    async def test_an_exchange_that_stays_away_ends_the_pass_with_its_name_on_it(
        self, world: World
    ) -> None:
        world.approve_anna()
        away = Unreachable("Exchange is away.", until=world.clock.now())
        world.exchange.fail_next(ANNA_OBJECT, *([away] * 500))

        report = await once(world.sync)

        assert [one.reason for one in report.problems] == ["unreachable: Exchange is away."]
        assert world.exchange.requests[ANNA_OBJECT] < 40

    async def test_an_attachment_that_cannot_be_read_ends_the_pass_soon_with_its_mails_name(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        world.exchange.deliver(ANNA_OBJECT, a_message(2))
        away = Unreachable("Answered 500.", until=world.clock.now())

        class Broken:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.exchange, name)

            async def attachments(self, *_: Any, permit: Any) -> Any:
                await permit()
                away.until = world.clock.now() + timedelta(seconds=5)
                world.clock.advance(4)
                raise away

        other = World(world.database, world.clock)
        other.exchange, other.crm = Broken(), world.crm  # type: ignore[assignment]
        started = world.clock.now()
        report = await once(other.another_process())

        assert world.clock.now() - started <= timedelta(seconds=60)
        [problem] = report.problems
        assert (problem.kind, problem.item_id) == ("unresolved", a_message(1)["id"])
        assert world.subjects() == ["Order 2"]

        await once(world.sync)
        assert world.subjects() == ["Order 1", "Order 2"]

    async def test_a_throttled_row_is_made_once_its_wait_is_over(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        started = world.clock.now()
        until = started + timedelta(seconds=90)
        world.crm.fail_next("create_email", Throttled("Slow down.", until=until))

        report = await once(world.sync)

        assert world.clock.now() >= until
        assert world.crm.requests["create_email"] == 2
        assert report.is_clean

    async def test_an_unknown_outcome_is_looked_up_by_the_rows_own_key(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.crm.fail_next("complete_email", Unknown("No answer.", until=world.clock.now()))

        report = await once(world.sync)

        assert len(world.crm.emails) == 1
        [row] = world.crm.emails.values()
        assert row["statecode"] == 1
        assert report.is_clean

    @pytest.mark.parametrize(
        "error", [Refused("No access.", status=403), KeyError("surprise")], ids=["403", "bug"]
    )
    async def test_the_trouble_of_one_mailbox_stops_no_other_and_ends_by_itself(
        self, world: World, error: Any
    ) -> None:
        world.approve_anna()
        world.approve_ben()
        world.exchange.deliver(ANNA_OBJECT, a_message(1))
        world.exchange.deliver(BEN_OBJECT, a_message(2))
        world.exchange.fail_next(ANNA_OBJECT, error)

        report = await once(world.sync)
        assert world.subjects() == ["Order 2"]
        assert state(world)[0] == "failing"
        assert not report.is_clean

        await once(world.sync)
        assert world.subjects() == ["Order 1", "Order 2"]
        assert state(world) == ("synced", "")

    async def test_an_unreachable_exchange_leaves_the_cursor_where_it_was(
        self, world: World
    ) -> None:
        world.approve_anna()
        for number in range(25):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        away = Unreachable("Down.", until=world.clock.now() + timedelta(hours=1))
        original = world.exchange.page

        calls = []

        class Flaky:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.exchange, name)

            async def page(self, *args: Any, **options: Any) -> Any:
                calls.append(options["link"])
                if len(calls) == 2:
                    raise away
                return await original(*args, **options)

        flaky = World(world.database, world.clock)
        flaky.exchange, flaky.crm = Flaky(), world.crm  # type: ignore[assignment]
        await once(flaky.another_process())
        assert len(world.crm.emails) == 10

        await once(flaky.another_process())
        assert len(world.crm.emails) == 25
        assert calls[2] == calls[1]


class TestWithdrawal:
    async def test_what_waits_is_not_carried_out_until_a_new_approval(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        later = world.clock.now() + timedelta(hours=1)
        world.crm.fail_next("create_email", Throttled("Slow down.", until=later))
        await once(world.sync)
        await withdraw(world.database, world.clock, ANNA_RECORD, reason="to be checked")
        requests = world.exchange.requests[ANNA_OBJECT]
        world.clock.advance(7200)

        await once(world.sync)
        await world.sync.workers.run_due()
        assert world.crm.emails == {}
        assert world.exchange.requests[ANNA_OBJECT] == requests

        world.approve_anna()
        report = await once(world.sync)
        assert world.subjects() == ["Order 1"]
        assert report.is_clean


class TestRemovals:
    async def test_a_deleted_mail_keeps_its_row(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        world.exchange.delete(ANNA_OBJECT, a_message()["id"])

        report = await once(world.sync)

        assert world.subjects() == ["Order 1"]
        assert link(world).place is Place.GONE
        assert report.counts["removed"] == 1
        assert report.is_clean

    async def test_a_moved_mail_is_not_gone_and_may_come_back(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        world.exchange.move(ANNA_OBJECT, a_message()["id"], "archive-id")

        report = await once(world.sync)
        assert report.counts["removed"] == 0
        assert link(world).place is Place.ELSEWHERE

        world.exchange.move(ANNA_OBJECT, a_message()["id"], "inbox-folder-id")
        await once(world.sync)
        assert link(world).place is Place.HERE
        assert len(world.crm.emails) == 1

    async def test_too_many_at_once_stop_and_ask_a_person(self, world: World) -> None:
        world.approve_anna()
        for number in range(30):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        for number in range(30):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])

        report = await once(world.sync)

        assert report.counts["removed"] == 20
        assert len(report.problems) == 10
        assert len(world.crm.emails) == 30

    async def test_a_mail_that_is_gone_before_it_is_read_is_dropped(self, world: World) -> None:
        world.approve_anna()
        message = a_message()
        del message["body"]  # Then the page alone is not enough, and the mail is read apart.
        world.exchange.deliver(ANNA_OBJECT, message)
        item_id = message["id"]

        class Gone:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.exchange, name)

            async def message(self, *_: Any, permit: Any) -> None:
                await permit()

        other = World(world.database, world.clock)
        other.exchange, other.crm = Gone(), world.crm  # type: ignore[assignment]
        report = await once(other.another_process())

        assert world.crm.emails == {}
        found = world.database.read_now(lambda c: links.find(c, ANNA_OBJECT, item_id))
        assert found is not None
        assert found.state is LinkState.DROPPED
        assert report.is_clean


class TestLostCursors:
    async def test_a_full_round_keeps_the_links_and_makes_nothing_twice(self, world: World) -> None:
        world.approve_anna()
        for number in range(25):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        world.exchange.deliver(ANNA_OBJECT, a_message(25))

        report = await once(world.sync)

        assert len(world.crm.emails) == 26
        assert world.crm.requests["create_email"] == 26
        assert report.counts["created"] == 1
        assert report.is_clean

    async def test_what_a_full_round_does_not_list_is_verified(self, world: World) -> None:
        world.approve_anna()
        for number in range(5):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        world.exchange.delete(ANNA_OBJECT, a_message(3)["id"])

        report = await once(world.sync)

        assert link(world, 3).place is Place.GONE
        assert report.counts["removed"] == 1

    async def test_an_emptied_folder_pulls_the_brake(self, world: World) -> None:
        world.approve_anna()
        for number in range(5):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        for number in range(5):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])

        report = await once(world.sync)

        assert state(world)[0] == "brake"
        assert report.counts["removed"] == 0
        assert not report.is_clean

        await resume(world.database, world.clock, ANNA_RECORD)
        assert (await once(world.sync)).is_clean
        assert state(world) == ("synced", "")
        assert len(world.crm.emails) == 5


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
        assert world.crm.emails == {}
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
            ("messages delta", 1),
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
