"""What Entra and Exchange say of the owner beyond owner.*: addresses, account, licence, purpose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloud.errors import Refused
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import ADMIN_ID, OBJECT_ID, QUEUE_ID, USER_ID
from tests.guard.facts.questions import a_question, gathered

PURPOSE = "facts.mailboxPurpose"
TOLD = (
    *(f"facts.owner{name}" for name in ("Addresses", "IsEnabled", "IsGuest", "IsLicensed")),
    PURPOSE,
)


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


async def told(receiver: AReceiver, question: Any) -> list[Any]:
    found = await gathered(receiver, question)
    return [found.values.get(path, found.missing.get(path)) for path in TOLD]


async def test_an_owner_is_described_by_their_own_object(receiver: AReceiver) -> None:
    anna = receiver.directory.people[OBJECT_ID]
    receiver.directory.people[OBJECT_ID] = replace(anna, is_enabled=True, kind="Guest")
    addresses = ("anna@contoso.com",) * 3
    assert await told(receiver, a_question(*TOLD)) == [addresses, True, True, True, "user"]
    receiver.directory.unlicensed.add(OBJECT_ID)
    receiver.directory.purposes[OBJECT_ID] = "shared"
    assert (await told(receiver, a_question(*TOLD)))[3:] == [False, "shared"]


async def test_plans_are_asked_for_only_where_the_licence_is_needed(receiver: AReceiver) -> None:
    await gathered(receiver, a_question("facts.ownerIsLicensed"))
    await gathered(receiver, a_question("facts.ownerIsEnabled"))
    assert receiver.directory.asked == [f"has_exchange {OBJECT_ID}", f"person {OBJECT_ID}"]


async def test_a_mailbox_is_asked_what_it_is_for_only_where_that_is_needed(
    receiver: AReceiver,
) -> None:
    found = await gathered(receiver, a_question(PURPOSE))
    assert receiver.directory.asked == [f"mailbox_purpose {OBJECT_ID}"]
    assert (found.values[PURPOSE], found.sources[PURPOSE]) == ("user", "exchange")


async def test_a_queue_has_none_of_it(receiver: AReceiver) -> None:
    columns = {"emailaddress": "s@contoso.com"}
    question = a_question(*TOLD, table="queue", record_id=QUEUE_ID, columns=columns)
    assert await told(receiver, question) == [None] * 5


async def test_whom_entra_does_not_know_has_none_of_it(receiver: AReceiver) -> None:
    del receiver.directory.people[OBJECT_ID]
    none = "Exchange Online has no mailbox of the owner."
    assert await told(receiver, a_question(*TOLD)) == [(), None, None, None, none]
    receiver.rows.users[USER_ID] = UserRow(USER_ID)
    unnamed = "the owner's row names no Entra object"
    assert await told(receiver, a_question(*TOLD)) == [(), None, None, None, unnamed]


async def test_the_purpose_is_asked_by_object_id_alone(receiver: AReceiver) -> None:
    receiver.rows.users[USER_ID] = UserRow(USER_ID, "anna@contoso.com")
    found = await gathered(receiver, a_question(PURPOSE))
    assert found.missing == {PURPOSE: "the owner's row names no Entra object"}
    assert receiver.directory.asked == []


async def test_an_owner_who_cannot_be_found_leaves_all_of_it_unknown(receiver: AReceiver) -> None:
    del receiver.rows.users[USER_ID]
    assert await told(receiver, a_question(*TOLD)) == ["Dataverse has no such user"] * 5
    nobody = a_question(*TOLD, columns={"emailaddress": "a@contoso.com"})
    assert await told(receiver, nobody) == ["the row names no owner"] * 5


async def test_an_entra_that_is_silent_leaves_all_of_it_unknown(receiver: AReceiver) -> None:
    receiver.directory.is_down = True
    assert await told(receiver, a_question(*TOLD)) == ["The directory does not answer."] * 5


async def test_each_answer_that_fails_fails_alone(clock: FrozenClock) -> None:
    async def never(object_id: str) -> Any:
        await asyncio.sleep(30)

    async def refused(object_id: str) -> Any:
        raise Refused("The app may not.")

    receiver = a_receiver(clock, deadline_seconds=0.2)
    receiver.directory.mailbox_purpose = refused  # type: ignore[method-assign]
    assert (await told(receiver, a_question(*TOLD)))[2:] == [None, True, "The app may not."]
    assert (await gathered(receiver, a_question(PURPOSE))).unanswered is None
    receiver.directory.mailbox_purpose = never  # type: ignore[method-assign]
    late = "it did not come within 0.2 seconds"
    assert (await told(receiver, a_question(*TOLD)))[2:] == [None, True, late]


async def test_a_row_that_names_its_object_alone_is_that_persons_before_the_commit_too(
    receiver: AReceiver,
) -> None:
    """Such a row is a second one of theirs, and nobody could be approved beside it."""
    question = a_question(
        "facts.ownerElsewhere",
        "new.owner.objectId",
        table="systemuser",
        operation="create",
        record_id=QUEUE_ID,
        columns={"applicationid": ADMIN_ID, "azureactivedirectoryobjectid": OBJECT_ID},
        before={},
    )
    found = await gathered(receiver, question)
    assert not found.missing
    assert found.values["facts.ownerElsewhere"] == 1
    assert found.values["new.owner.objectId"] == OBJECT_ID
