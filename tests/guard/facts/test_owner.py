"""What Entra says of the owner beyond owner.*: addresses, account, licence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guard.facts.rows import UserRow
from kernel.clock import FrozenClock
from tests.guard.builders import OBJECT_ID, QUEUE_ID, USER_ID
from tests.guard.facts.questions import a_question, gathered
from tests.guard.house import House, a_house

TOLD = tuple(f"facts.owner{name}" for name in ("Addresses", "IsEnabled", "IsGuest", "IsLicensed"))


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
    assert await told(house, a_question(*TOLD)) == [addresses, True, True, True]
    house.directory.unlicensed.add(OBJECT_ID)
    assert (await told(house, a_question(*TOLD)))[3] is False


async def test_plans_are_asked_for_only_where_the_licence_is_needed(house: House) -> None:
    await gathered(house, a_question("facts.ownerIsLicensed"))
    await gathered(house, a_question("facts.ownerIsEnabled"))
    assert house.directory.asked == [f"has_exchange {OBJECT_ID}", f"person {OBJECT_ID}"]


async def test_a_queue_has_none_of_it(house: House) -> None:
    columns = {"emailaddress": "s@contoso.com"}
    question = a_question(*TOLD, table="queue", record_id=QUEUE_ID, columns=columns)
    assert await told(house, question) == [None, None, None, None]


async def test_whom_entra_does_not_know_has_none_of_it(house: House) -> None:
    del house.directory.people[OBJECT_ID]
    assert await told(house, a_question(*TOLD)) == [(), None, None, None]
    house.rows.users[USER_ID] = UserRow(USER_ID)
    assert await told(house, a_question(*TOLD)) == [(), None, None, None]


async def test_an_owner_who_cannot_be_found_leaves_all_of_it_unknown(house: House) -> None:
    del house.rows.users[USER_ID]
    assert await told(house, a_question(*TOLD)) == ["Dataverse has no such user"] * 4
    nobody = a_question(*TOLD, columns={"emailaddress": "a@contoso.com"})
    assert await told(house, nobody) == ["the row names no owner"] * 4


async def test_an_entra_that_is_silent_leaves_all_of_it_unknown(house: House) -> None:
    house.directory.is_down = True
    assert await told(house, a_question(*TOLD)) == ["The directory does not answer."] * 4
