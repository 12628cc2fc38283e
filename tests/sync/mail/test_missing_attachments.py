"""An attachment that cannot be had holds up nothing, and comes later if it can."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.errors import (
    BadAnswer,
    CloudError,
    NotThere,
    Refused,
    RequestRejected,
    Unknown,
    Unreachable,
)
from kernel.failpoints import NONE, Crash, CrashAt
from sync.engine.lasting import MANY_ATTEMPTS
from sync.engine.writing import SUPPLEMENT_TRIES
from sync.mail.rows import MOST_STUMBLES
from sync.mail.workload import MAX_ATTACHMENT_BYTES, MOST_MISSES, SCAN_ATTEMPTS
from sync.run.once import once
from tests.conftest import NOON
from tests.rules.builders import a_policy, a_set
from tests.sync.builders import (
    ANNA_OBJECT,
    BEN,
    BEN_OBJECT,
    BEN_RECORD,
    FILE,
    World,
    a_message,
    grant,
)

GOOD = FILE | {"id": "att-2", "name": "fine.pdf"}
STUMBLED = Unreachable("Answered 500.", until=NOON, status=500)
ERRORS = {
    "400": RequestRejected("The id is malformed.", status=400),
    "403": Refused("Access is denied.", status=403),
    "404": NotThere("No such thing.", status=404, service_code="ErrorNameNotKnown"),
    "404 gone": NotThere("Not found.", status=404, service_code="ErrorItemNotFound"),
    "500": STUMBLED,
    "504": Unreachable("Answered 504.", until=NOON, status=504),
    "base64": BadAnswer("The bytes of an attachment are not base64."),
}


def deliver(world: World, *attachments: dict[str, Any]) -> None:
    world.approve_anna()
    world.exchange.deliver(
        ANNA_OBJECT, a_message(hasAttachments=True), attachments=list(attachments)
    )


def row(world: World) -> tuple[int, int, int]:
    [found] = world.emails.rows.values()
    return found["statecode"], found["statuscode"], found.get("notifications", 0)


def names(world: World) -> list[str]:
    return sorted(one["filename"] for one in world.emails.attached.values())


@pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
async def test_the_mail_is_complete_without_it_and_gets_it_later(
    world: World, error: CloudError
) -> None:
    deliver(world, FILE, GOOD)
    world.exchange.broken["att-1"] = error

    report = await once(world.sync)

    assert report.is_clean, report.problems
    assert (row(world), names(world)) == ((1, 4, 1), ["fine.pdf"])

    world.exchange.broken.clear()
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["fine.pdf", "order.txt"])
    requests = world.emails.requests.total()
    await once(world.sync)
    assert world.emails.requests.total() == requests


@pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
async def test_the_same_where_they_cannot_even_be_listed(world: World, error: CloudError) -> None:
    deliver(world, FILE, GOOD)
    # The page, then the list.
    listed = world.exchange.attachments

    async def fail(*args: Any, permit: Any) -> Any:
        await permit()
        raise error

    world.exchange.attachments = fail  # type: ignore[method-assign]
    report = await once(world.sync)
    assert report.is_clean, report.problems
    assert (row(world), names(world)) == ((1, 4, 1), [])

    world.exchange.attachments = listed  # type: ignore[method-assign]
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 0), ["fine.pdf", "order.txt"])


async def test_it_is_asked_for_a_bounded_number_of_times(world: World) -> None:
    deliver(world, FILE)
    world.exchange.broken["att-1"] = STUMBLED
    asked = []
    original = world.exchange.attachment_bytes

    async def counted(*args: Any, **options: Any) -> Any:
        asked.append(world.clock.now())
        return await original(*args, **options)

    world.exchange.attachment_bytes = counted  # type: ignore[method-assign]
    for _ in range(3 * SUPPLEMENT_TRIES):
        assert (await once(world.sync)).is_clean
        world.clock.advance(86_400)
    assert len(asked) == 1 + SUPPLEMENT_TRIES
    assert row(world) == (1, 4, 1)


async def test_between_passes_it_is_asked_for_ever_more_seldom(world: World) -> None:
    deliver(world, FILE)
    world.exchange.broken["att-1"] = STUMBLED
    await once(world.sync)
    await world.sync.leases.claim()

    taken = []
    for minute in range(60):
        world.clock.advance(60)
        await world.sync.leases.claim()
        await world.sync.review.review(world.sync.leases.shards)
        if await world.sync.workers.run_due():
            taken.append(minute + 1)
    assert taken == [15, 45]


async def test_what_may_be_had_in_part_is_had_in_part(world: World) -> None:
    deliver(world, FILE, GOOD)
    world.exchange.broken |= {"att-1": STUMBLED, "att-2": STUMBLED}
    await once(world.sync)
    del world.exchange.broken["att-2"]
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 1), ["fine.pdf"])

    world.exchange.broken.clear()
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 0), ["fine.pdf", "order.txt"])


async def test_a_row_that_lacks_something_for_good_goes_on_saying_so(world: World) -> None:
    large = FILE | {"id": "att-2", "name": "film.mp4", "size": 90_000_000}
    deliver(world, FILE, large)
    world.exchange.broken["att-1"] = STUMBLED
    await once(world.sync)
    world.exchange.broken.clear()
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 1), ["order.txt"])


async def test_a_mail_of_many_that_cannot_be_had_is_not_asked_for_each(world: World) -> None:
    many = [FILE | {"id": f"att-{number}", "name": f"{number}.txt"} for number in range(50)]
    deliver(world, *many)
    world.exchange.broken |= {one["id"]: STUMBLED for one in many}
    await once(world.sync)
    # The page, the list, and a few of them.
    assert world.exchange.requests[ANNA_OBJECT] == 2 + MOST_MISSES
    assert row(world) == (1, 4, 1)


async def test_one_larger_than_it_says_is_left_out(world: World) -> None:
    deliver(world, FILE | {"size": 5, "_bytes": b"x" * 6_000_000}, GOOD)
    report = await once(world.sync)
    assert report.is_clean
    assert (row(world), names(world)) == ((1, 4, 1), ["fine.pdf"])


async def test_one_whose_file_just_fits_is_there_whatever_exchange_keeps_with_it(
    world: World,
) -> None:
    size = MAX_ATTACHMENT_BYTES + 300
    deliver(world, FILE | {"size": size, "_bytes": b"x" * MAX_ATTACHMENT_BYTES})
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt"])


async def test_an_exchange_that_is_away_is_waited_for_and_not_for_ever_where_it_answers(
    world: World,
) -> None:
    deliver(world, FILE)
    world.exchange.broken["att-1"] = Unreachable("Answered 503.", until=NOON, status=503)
    report = await once(world.sync)
    assert not report.is_clean or row(world) == (1, 4, 1)
    for _ in range(MANY_ATTEMPTS):
        world.clock.advance(3600)
        await once(world.sync)
    assert row(world) == (1, 4, 1)


async def test_of_a_mail_that_policies_keep_out_by_now_nothing_more_is_copied(
    world: World,
) -> None:
    deliver(world, FILE)
    world.exchange.broken["att-1"] = STUMBLED
    await once(world.sync)
    world.exchange.broken.clear()
    rule = "{id: none, require: [{field: subject, notContains: Order}], message: m}"
    world.policies = a_set(a_policy(rule, entity="message"))
    await once(world.another_process())
    assert (row(world), names(world)) == ((1, 4, 1), [])


@pytest.mark.parametrize("step", ["reopening", "attachment", "completion"])
@pytest.mark.parametrize("moment", ["before-send", "after-send"])
async def test_a_crash_while_it_is_added_ends_in_the_whole_mail(
    world: World, step: str, moment: str
) -> None:
    deliver(world, FILE)
    world.exchange.broken["att-1"] = STUMBLED
    await once(world.sync)
    world.exchange.broken.clear()

    world.emails.failpoints = CrashAt(f"sync.mail.{step}:{moment}")
    with pytest.raises(Crash):
        await once(world.sync)
    world.emails.failpoints = NONE
    world.clock.advance(7200)
    assert (await once(world.another_process())).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt"])


TWINS = (FILE, FILE | {"id": "att-2"})
PLUG_IN = RequestRejected("A plug-in stopped it.", status=400, service_code="0x80040265")
BLOCKED = RequestRejected("The type is blocked.", status=400, service_code="0x80043e09")
BROKEN = Unknown("Answered 500.", until=NOON, status=500)


async def test_each_of_two_that_are_the_same_is_there(world: World) -> None:
    deliver(world, *TWINS)
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt", "order.txt"])

    grant(world.database, world.clock, BEN_RECORD, BEN_OBJECT, BEN)
    same = a_message(hasAttachments=True) | {"id": "AAkBens"}
    world.exchange.deliver(BEN_OBJECT, same, attachments=list(TWINS))
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt", "order.txt"])


@pytest.mark.parametrize("missing", [{"att-1"}, {"att-2"}, {"att-1", "att-2"}], ids=sorted)
async def test_each_of_two_that_are_the_same_may_come_later(
    world: World, missing: set[str]
) -> None:
    deliver(world, *TWINS)
    world.exchange.broken |= dict.fromkeys(missing, STUMBLED)
    await once(world.sync)
    assert (row(world), len(names(world))) == ((1, 4, 1), 2 - len(missing))
    for part_id in sorted(missing):
        del world.exchange.broken[part_id]
        await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt", "order.txt"])


async def test_one_is_not_counted_before_those_like_it_can_be_read(world: World) -> None:
    deliver(world, *TWINS)
    world.exchange.broken["att-1"] = STUMBLED
    await once(world.sync)
    world.exchange.broken = {"att-2": STUMBLED}
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 1), ["order.txt"])
    world.exchange.broken.clear()
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt", "order.txt"])


async def test_one_that_a_plug_in_refuses_is_tried_again_and_a_blocked_one_is_not(
    world: World,
) -> None:
    deliver(world, FILE, GOOD)
    world.emails.fail_next("create_attachment", PLUG_IN, BLOCKED, PLUG_IN)
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 1), [])
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 1), [])
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 1), ["order.txt"])
    requests = world.emails.requests.total()
    await once(world.sync)
    assert world.emails.requests.total() == requests


async def test_one_at_which_dataverse_stumbles_holds_up_its_mail_only_for_a_while(
    world: World,
) -> None:
    deliver(world, FILE, GOOD)
    world.emails.fail_next("create_attachment", *[BROKEN] * MANY_ATTEMPTS)
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 1), ["fine.pdf"])
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 0), ["fine.pdf", "order.txt"])


async def test_a_mail_of_many_at_which_dataverse_stumbles_does_not_take_its_time_for_each(
    world: World,
) -> None:
    deliver(world, *[FILE | {"id": f"att-{number}", "name": f"{number}"} for number in range(50)])
    world.emails.fail_next("create_attachment", *[BROKEN] * 50)
    await once(world.sync)
    assert (row(world), names(world)) == ((1, 4, 1), [])
    assert world.emails.requests["create_attachment"] == MANY_ATTEMPTS - 1 + MOST_STUMBLES


SCANNED = {
    "@odata.type": "#microsoft.graph.itemAttachment",
    "id": "att-0",
    "name": "Safe Attachments Scan In Progress",
    "contentType": None,
    "size": 300,
    "_bytes": b"MIME",
}


async def test_a_mail_waits_while_what_is_attached_is_being_scanned(world: World) -> None:
    deliver(world, SCANNED)
    report = await once(world.sync)
    assert [one.reason for one in report.problems] == [
        "What is attached to this mail is still being scanned."
    ]
    assert not world.emails.rows

    later = a_message(hasAttachments=True) | {"@odata.etag": 'W/"later"'}
    world.exchange.deliver(ANNA_OBJECT, later, attachments=[FILE])
    world.clock.advance(3600)
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["order.txt"])


async def test_a_sign_of_scanning_that_stays_is_an_attachment_like_others(world: World) -> None:
    deliver(world, SCANNED)
    for _ in range(SCAN_ATTEMPTS):
        await once(world.sync)
        world.clock.advance(3600)
    assert (await once(world.sync)).is_clean
    assert (row(world), names(world)) == ((1, 4, 0), ["Safe Attachments Scan In Progress.eml"])
