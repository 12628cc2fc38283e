"""What a mailbox is said to be, and what is done for it next, hangs on no text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.errors import CloudError, Refused, Throttled, TokenUnavailable
from kernel.brake import LEAST
from kernel.clock import FrozenClock
from kernel.database import Database
from sync.operate.mailboxes import list_mailboxes, resume, show_mailbox
from sync.run.once import once
from sync.run.report import PassReport
from tests.conftest import NOON
from tests.rewording import reword
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_RECORD,
    OPERATOR,
    TEST,
    World,
    a_message,
)

SOON = NOON + timedelta(hours=1)
MAILS = LEAST + 10


def deliver(world: World, count: int = 3) -> None:
    world.approve_anna()
    for number in range(count):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))


def fail(world: World, error: CloudError) -> None:
    world.emails.fail_next("create_email", *([error] * 100))


async def throttled(world: World) -> None:
    deliver(world)
    fail(world, Throttled("Slow down.", until=SOON))
    await once(world.sync)


async def away(world: World) -> None:
    deliver(world)
    fail(world, TokenUnavailable("No answer."))
    await once(world.sync)


async def refused(world: World) -> None:
    deliver(world)
    fail(world, Refused("No access.", status=403, hint="Give the right."))
    await once(world.sync)


async def set_aside(world: World) -> None:
    deliver(world)
    world.emails.refused_subjects.add("Order 1")
    await once(world.sync)


async def emptied(world: World) -> None:
    deliver(world)
    await once(world.sync)
    world.exchange.lose_cursors()
    for number in range(3):
        world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])
    await once(world.sync)


async def too_many_gone(world: World) -> None:
    deliver(world, MAILS)
    await once(world.sync)
    for number in range(MAILS):
        world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])
    await once(world.sync)


async def withdrawn(world: World) -> None:
    deliver(world)
    world.approve_ben()
    world.mailbox_rows.rows[ANNA_RECORD] = world.mailbox_rows.rows.pop(BEN_RECORD)
    await once(world.sync)


SITUATIONS = {
    throttled: "throttled",
    away: "failing",
    refused: "failing",
    set_aside: "synced",
    emptied: "brake",
    too_many_gone: "brake",
    withdrawn: "withdrawn",
}


@pytest.fixture
def as_worded(tmp_path: Path) -> Iterator[World]:
    """The same organisation once more, whose texts are left alone."""
    database = Database(f"sqlite:///{tmp_path / 'as-worded.db'}")
    database.create_tables()
    database.open()
    yield World(database, FrozenClock(NOON))
    database.close()


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__)
async def test_other_words_change_neither_what_is_said_to_be_nor_what_comes_next(
    world: World, as_worded: World, situation: Callable[[World], Awaitable[None]]
) -> None:
    await situation(world)
    await situation(as_worded)
    told = seen(world)
    assert told[0][1] == SITUATIONS[situation]
    assert world.database.write_now(reword, failpoint=TEST)
    assert seen(world) == told == seen(as_worded)
    assert await what_comes_next(world) == await what_comes_next(as_worded)


async def what_comes_next(world: World) -> Any:
    """Return what a full pass, and one after a person's word, come to."""
    first = counted(await once(world.sync))
    after = seen(world)
    await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
    return first, after, counted(await once(world.sync)), seen(world)


def counted(report: PassReport) -> Any:
    return dict(report.counts), [(one.kind, one.item_id) for one in report.problems]


def seen(world: World) -> list[Any]:
    now = world.clock.now()
    listed = world.database.read_now(lambda c: list_mailboxes(c, now=now))
    one = world.database.read_now(lambda c: show_mailbox(c, ANNA_RECORD, now=now))
    tasks = [(task["kind"], task["state"], task["cause"]) for task in one["tasks"]]
    return [(one["approved"], one["state"], one["epoch"]) for one in listed] + tasks
