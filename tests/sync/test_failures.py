"""What goes wrong on the way, and that nothing is lost, doubled or stopped by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud.errors import (
    Refused,
    Throttled,
    Unknown,
    Unreachable,
    WebhookRejected,
)
from sync.model.link import LinkState
from sync.operate.mailboxes import resume, withdraw
from sync.run.full_pass import AWAY_SECONDS
from sync.run.once import once
from sync.store import quarantine
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_OBJECT,
    FILE,
    OPERATOR,
    World,
    a_message,
    link,
    next_at,
    state,
)


class TestPoison:
    async def test_a_mail_that_dataverse_refuses_is_set_aside_and_the_others_come(
        self, world: World
    ) -> None:
        world.approve_anna()
        for number in range(3):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        world.emails.refused_subjects.add("Order 1")

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
        assert world.emails.rows == {}

    async def test_what_was_refused_comes_with_the_next_pass_once_the_cause_is_gone(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(hasAttachments=True), attachments=[FILE])
        world.emails.refused_subjects.add("Order 1")
        await once(world.sync)
        refused = await once(world.sync)
        assert world.emails.requests["create_email"] == 2
        assert [one.kind for one in refused.problems] == ["quarantined"]
        world.emails.refused_subjects.clear()

        report = await once(world.another_process())

        assert report.is_clean
        assert report.counts["created"] == len(world.emails.attached) == 1
        assert link(world).state is LinkState.TRACKED
        assert world.database.read_now(lambda c: quarantine.list_for(c, [ANNA_RECORD])) == []

    async def test_what_was_refused_under_one_approval_is_tried_under_the_next(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.emails.refused_subjects.add("Order 1")
        await once(world.sync)
        await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="to be checked")
        world.emails.refused_subjects.clear()
        world.clock.advance(7200)
        await once(world.sync)
        assert world.emails.rows == {}
        world.approve_anna()

        report = await once(world.sync)

        assert report.is_clean
        assert world.subjects() == ["Order 1"]

    async def test_what_was_refused_is_tried_when_a_person_resumes_the_mailbox(
        self, world: World
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.emails.refused_subjects.add("Order 1")
        await once(world.sync)
        world.emails.refused_subjects.clear()
        assert await world.sync.workers.run_due() == 0

        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        await world.sync.leases.claim()
        await world.sync.workers.run_due()

        assert world.subjects() == ["Order 1"]

    async def test_a_webhook_that_stops_the_row_is_tried_again(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.emails.fail_next("create_email", WebhookRejected("Plug-in down.", status=400))

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
        assert state(world) == ("throttled", "Slow down. Not before 2026-11-23T13:10:00Z.")
        assert next_at(world) == "2026-11-23T13:10:00Z"
        assert world.sync.visits.due_at(ANNA_RECORD) == until
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
        other.exchange, other.emails = Broken(), world.emails  # type: ignore[assignment]
        started = world.clock.now()
        report = await once(other.another_process())

        assert world.clock.now() - started <= timedelta(seconds=60)
        [problem] = report.problems
        assert (problem.kind, problem.item_id) == ("unresolved", a_message(1)["id"])
        assert world.subjects() == ["Order 2"]

        await once(world.sync)
        assert world.subjects() == ["Order 1", "Order 2"]

    # A short wait, and one that is longer than a single pass waits for what is only away.
    @pytest.mark.parametrize("seconds", [2, AWAY_SECONDS + 60])
    async def test_a_throttled_row_is_made_once_its_wait_is_over_and_no_later(
        self, world: World, seconds: float
    ) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        until = world.clock.now() + timedelta(seconds=seconds)
        world.emails.fail_next("create_email", Throttled("Slow down.", until=until))

        report = await once(world.sync)

        assert until <= world.clock.now() < until + timedelta(seconds=1)
        assert world.emails.requests["create_email"] == 2
        assert report.is_clean

    async def test_an_unknown_outcome_is_looked_up_by_the_rows_own_key(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        world.emails.fail_next("complete_email", Unknown("No answer.", until=world.clock.now()))

        report = await once(world.sync)

        assert len(world.emails.rows) == 1
        [row] = world.emails.rows.values()
        assert row["statecode"] == 1
        assert report.is_clean

    @pytest.mark.parametrize(
        "error", [Refused("No access.", status=403), KeyError("surprise")], ids=["403", "bug"]
    )
    async def test_what_is_wrong_with_one_mailbox_stops_no_other_and_ends_by_itself(
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
        flaky.exchange, flaky.emails = Flaky(), world.emails  # type: ignore[assignment]
        await once(flaky.another_process())
        assert len(world.emails.rows) == 10

        await once(flaky.another_process())
        assert len(world.emails.rows) == 25
        assert calls[2] == calls[1]


class TestWithdrawal:
    async def test_what_waits_is_not_carried_out_until_a_new_approval(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        later = world.clock.now() + timedelta(hours=1)
        world.emails.fail_next("create_email", Throttled("Slow down.", until=later))
        await once(world.sync)
        await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="to be checked")
        requests = world.exchange.requests[ANNA_OBJECT]
        world.clock.advance(7200)

        await once(world.sync)
        await world.sync.workers.run_due()
        assert world.emails.rows == {}
        assert world.exchange.requests[ANNA_OBJECT] == requests

        world.approve_anna()
        report = await once(world.sync)
        assert world.subjects() == ["Order 1"]
        assert report.is_clean
