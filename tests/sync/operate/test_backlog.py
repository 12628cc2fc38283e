"""A mailbox says what of it is not in Dataverse, though nothing went wrong on the visit."""

from __future__ import annotations

from datetime import timedelta

from cloud.errors import Refused, Throttled
from sync.operate.mailboxes import show_mailbox, withdraw
from sync.run.once import once
from tests.sync.builders import ANNA_OBJECT, ANNA_RECORD, World, a_message, state

QUARANTINED = f"1 mail is quarantined: `mailbox-guard mailboxes show {ANNA_RECORD}` tells why."


def refuse(world: World, *, times: int = 100) -> None:
    world.emails.fail_next("create_email", *([Refused("No access (403).", status=403)] * times))


async def test_mails_that_cannot_be_written_are_told_with_the_reason(world: World) -> None:
    world.approve_anna()
    for number in range(3):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))
    refuse(world)

    await once(world.sync)

    assert state(world) == ("failing", "3 mails wait to be written: No access (403).")
    one = world.database.read_now(lambda c: show_mailbox(c, ANNA_RECORD, now=world.clock.now()))
    assert (one["state"], one["reason"]) == state(world)


async def test_it_is_told_until_they_are_written_and_no_longer(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    refuse(world, times=1)
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
    refuse(world)

    await once(world.sync)

    waits = "1 mail waits to be written: No access (403)."
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
    await withdraw(world.database, world.clock, ANNA_RECORD, reason="to be checked")
    world.approve_anna()

    await once(world.sync)

    assert world.subjects() == ["Order 1"]
    assert state(world) == ("synced", "")
