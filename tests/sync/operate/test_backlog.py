"""A mailbox says what of it is not in Dataverse, though nothing went wrong on the visit."""

from __future__ import annotations

from datetime import timedelta

from cloud.errors import Refused, Throttled, TokenUnavailable
from kernel.shards import SHARDS
from sync.operate.mailboxes import resume, show_mailbox, withdraw
from sync.registry import KINDS
from sync.run.once import once
from sync.run.report import PassReport, ProblemKind
from tests.conftest import NOON
from tests.sync.builders import ANNA_OBJECT, ANNA_RECORD, OPERATOR, World, a_message, state

QUARANTINED = f"1 mail is quarantined: `mailbox-guard mailboxes show {ANNA_RECORD}` tells why."


def be_away(world: World, *, times: int = 100) -> None:
    world.emails.fail_next("create_email", *([TokenUnavailable("No answer.")] * times))


def refuse(world: World, *, times: int = 100) -> None:
    refused = Refused("No access (403).", status=403, hint="Give the right.")
    world.emails.fail_next("create_email", *([refused] * times))


async def test_mails_that_cannot_be_written_are_told_with_the_reason(world: World) -> None:
    world.approve_anna()
    for number in range(3):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))
    be_away(world)

    await once(world.sync)

    assert state(world) == ("failing", "3 mails wait to be written: No answer.")
    one = world.database.read_now(lambda c: show_mailbox(c, ANNA_RECORD, now=world.clock.now()))
    assert (one["state"], one["reason"]) == state(world)


async def test_it_is_told_until_they_are_written_and_no_longer(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    be_away(world, times=1)
    await once(world.sync)

    assert world.subjects() == ["Order 1"]
    assert state(world) == ("synced", "")


async def test_a_mail_that_waits_because_it_was_asked_to_makes_it_throttled(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    until = world.clock.now() + timedelta(hours=1)
    world.emails.fail_next("create_email", Throttled("Slow down.", until=until))

    await once(world.sync)

    assert state(world) == ("throttled", "1 mail waits to be written: Slow down.")


async def test_what_is_quarantined_is_told_and_does_not_count_as_waiting(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message(1))
    world.exchange.deliver(ANNA_OBJECT, a_message(2))
    world.emails.refused_subjects.add("Order 1")

    await once(world.sync)

    assert world.subjects() == ["Order 2"]
    assert state(world) == ("synced", QUARANTINED)


async def test_both_are_told_together(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message(1, toRecipients=5))
    world.exchange.deliver(ANNA_OBJECT, a_message(2))
    be_away(world)

    await once(world.sync)

    waits = "1 mail waits to be written: No answer."
    assert state(world) == ("failing", f"{waits} {QUARANTINED}")


async def test_what_waited_under_an_earlier_approval_is_not_told_under_the_next(
    world: World,
) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.emails.fail_next(
        "create_email", Throttled("Slow down.", until=world.clock.now() + timedelta(hours=1))
    )
    await once(world.sync)
    await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="to be checked")
    world.approve_anna()

    await once(world.sync)

    assert world.subjects() == ["Order 1"]
    assert state(world) == ("synced", "")


STOPPED = (
    "1 mail needs a person: No access (403). Give the right. "
    f"Then `mailbox-guard mailboxes resume {ANNA_RECORD}` tries again."
)


class TestWhatIsRefused:
    """A 403 needs a person, and says so wherever people look; once mended it heals by itself."""

    async def refused(self, world: World) -> PassReport:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        refuse(world, times=1)
        return await once(world.sync)

    async def test_it_is_not_tried_again_soon(self, world: World) -> None:
        await self.refused(world)
        world.clock.advance(600)
        assert await world.sync.workers.run_due(kinds=KINDS) == 0
        assert world.subjects() == []
        assert state(world) == ("failing", STOPPED)

    async def test_once_it_is_mended_nobody_has_to_say_so(self, world: World) -> None:
        await self.refused(world)
        world.clock.advance(3600)
        await world.sync.leases.claim()
        await world.sync.review.review(range(SHARDS))
        assert await world.sync.workers.run_due(kinds=KINDS) == 1
        assert world.subjects() == ["Order 1"]

    async def test_the_pass_is_not_clean_and_names_reason_and_mend(self, world: World) -> None:
        report = await self.refused(world)
        [problem] = report.problems
        assert problem.kind is ProblemKind.UNRESOLVED
        assert (problem.reason, problem.hint) == ("No access (403).", "Give the right.")
        assert PassReport.from_json(report.to_json()).problems == report.problems

    async def test_a_person_who_resumes_the_mailbox_has_it_tried_again(self, world: World) -> None:
        await self.refused(world)
        assert await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        await world.sync.leases.claim()
        await world.sync.workers.run_due(kinds=KINDS)
        assert world.subjects() == ["Order 1"]

    async def test_a_full_pass_tries_it_again(self, world: World) -> None:
        await self.refused(world)
        assert (await once(world.sync)).is_clean
        assert world.subjects() == ["Order 1"]

    async def test_it_is_told_beside_what_waits(self, world: World) -> None:
        await self.refused(world)
        one = world.database.read_now(lambda c: show_mailbox(c, ANNA_RECORD, now=NOON))
        [task] = one["tasks"]
        assert (task["state"], task["cause"]) == ("needs-person", "refused")
        assert (task["reason"], task["hint"]) == ("No access (403).", "Give the right.")


async def test_what_waits_for_more_than_a_day_says_so(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    be_away(world)
    await once(world.sync)
    world.clock.advance(86_400)
    told = "1 mail waits to be written for more than a day: No answer."
    assert state(world) == ("failing", told)
