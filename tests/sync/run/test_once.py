from __future__ import annotations

from sync.run.once import once
from tests.sync.builders import ANNA_OBJECT, BEN_OBJECT, World, a_message


async def test_every_mail_of_an_approved_mailbox_becomes_one_completed_row(world: World) -> None:
    world.approve_anna()
    for number in range(30):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))

    report = await once(world.sync)

    assert report.is_clean
    assert len(world.emails.rows) == 30
    assert {(row["statecode"], row["statuscode"]) for row in world.emails.rows.values()} == {(1, 4)}
    assert report.counts["mailboxes"] == 1
    assert report.counts["listed"] == report.counts["tracked"] == report.counts["created"] == 30


async def test_a_second_pass_changes_nothing(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    await once(world.sync)

    report = await once(world.another_process())

    assert report.counts["listed"] == 0
    assert report.counts["created"] == 0
    assert len(world.emails.rows) == 1


async def test_a_mailbox_that_is_not_approved_is_never_reached(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(BEN_OBJECT, a_message())

    await once(world.sync)

    assert world.exchange.requests[BEN_OBJECT] == 0
    assert world.emails.rows == {}
