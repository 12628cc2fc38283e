"""What Entra and Exchange say of the owner beyond owner.*: addresses, account, licence, purpose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloud.errors import Refused
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from tests.guard.builders import OBJECT_ID, QUEUE_ID, USER_ID
from tests.guard.facts.questions import a_question, gathered
from tests.guard.house import House, a_house

PURPOSE = "facts.mailboxPurpose"
TOLD = (
    *(f"facts.owner{name}" for name in ("Addresses", "IsEnabled", "IsGuest", "IsLicensed")),
    PURPOSE,
)


@pytest.fixture
def house(clock: FrozenClock) -> House:
    return a_house(clock)


async def told(house: House, question: Any) -> list[Any]:
    found = await gathered(house, question)
    return [found.values.get(path, found.missing.get(path)) for path in TOLD]


async def test_an_owner_is_described_by_their_own_object(house: House) -> None:
    anna = house.directory.people[OBJECT_ID]
    house.directory.people[OBJECT_ID] = replace(anna, is_enabled=True, kind="Guest")
    addresses = ("anna@contoso.com",) * 3
    assert await told(house, a_question(*TOLD)) == [addresses, True, True, True, "user"]
    house.directory.unlicensed.add(OBJECT_ID)
    house.directory.purposes[OBJECT_ID] = "shared"
    assert (await told(house, a_question(*TOLD)))[3:] == [False, "shared"]


async def test_plans_are_asked_for_only_where_the_licence_is_needed(house: House) -> None:
    await gathered(house, a_question("facts.ownerIsLicensed"))
    await gathered(house, a_question("facts.ownerIsEnabled"))
    assert house.directory.asked == [f"has_exchange {OBJECT_ID}", f"person {OBJECT_ID}"]


async def test_a_mailbox_is_asked_what_it_is_for_only_where_that_is_needed(house: House) -> None:
    found = await gathered(house, a_question(PURPOSE))
    assert house.directory.asked == [f"mailbox_purpose {OBJECT_ID}"]
    assert (found.values[PURPOSE], found.sources[PURPOSE]) == ("user", "exchange")


async def test_a_queue_has_none_of_it(house: House) -> None:
    columns = {"emailaddress": "s@contoso.com"}
    question = a_question(*TOLD, table="queue", record_id=QUEUE_ID, columns=columns)
    assert await told(house, question) == [None] * 5


async def test_whom_entra_does_not_know_has_none_of_it(house: House) -> None:
    del house.directory.people[OBJECT_ID]
    none = "Exchange Online has no mailbox of the owner."
    assert await told(house, a_question(*TOLD)) == [(), None, None, None, none]
    house.rows.users[USER_ID] = UserRow(USER_ID)
    unnamed = "the owner's row names no Entra object"
    assert await told(house, a_question(*TOLD)) == [(), None, None, None, unnamed]


async def test_the_purpose_is_asked_by_object_id_alone(house: House) -> None:
    house.rows.users[USER_ID] = UserRow(USER_ID, "anna@contoso.com")
    found = await gathered(house, a_question(PURPOSE))
    assert found.missing == {PURPOSE: "the owner's row names no Entra object"}
    assert house.directory.asked == []


async def test_an_owner_who_cannot_be_found_leaves_all_of_it_unknown(house: House) -> None:
    del house.rows.users[USER_ID]
    assert await told(house, a_question(*TOLD)) == ["Dataverse has no such user"] * 5
    nobody = a_question(*TOLD, columns={"emailaddress": "a@contoso.com"})
    assert await told(house, nobody) == ["the row names no owner"] * 5


async def test_an_entra_that_is_silent_leaves_all_of_it_unknown(house: House) -> None:
    house.directory.is_down = True
    assert await told(house, a_question(*TOLD)) == ["The directory does not answer."] * 5


async def test_each_answer_that_fails_fails_alone(clock: FrozenClock) -> None:
    async def never(object_id: str) -> Any:
        await asyncio.sleep(30)

    async def refused(object_id: str) -> Any:
        raise Refused("The app may not.")

    house = a_house(clock, deadline_seconds=0.2)
    house.directory.mailbox_purpose = refused  # type: ignore[method-assign]
    assert (await told(house, a_question(*TOLD)))[2:] == [None, True, "The app may not."]
    assert (await gathered(house, a_question(PURPOSE))).unanswered is None
    house.directory.mailbox_purpose = never  # type: ignore[method-assign]
    late = "it did not come within 0.2 seconds"
    assert (await told(house, a_question(*TOLD)))[2:] == [None, True, late]
