"""Whose an address is: of the user who has it as their own, whatever else carries it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Refused
from guard.facts.holders import untagged, whose
from guard.ports.directory import HolderType, Person
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import CEO_OBJECT_ID, OBJECT_ID, QUEUE_ID
from tests.guard.facts.questions import a_question, gathered

CEO = "ceo@contoso.com"
ALIAS = "chief@contoso.com"
OWN = Person("own", "x@contoso.com", None, (f"SMTP:{CEO}",))
MAIL = Person("mail", "y@contoso.com", CEO)
GROUP = Person("group", None, CEO, type=HolderType.GROUP)
CONTACT = Person("contact", None, None, (f"smtp:{CEO}",), type=HolderType.CONTACT)
DELETED = Person("deleted", CEO, is_deleted=True)
STRANGER = Person("stranger", "z@contoso.com")
RANKS = [{"own"}, {"mail"}, {"group", "contact"}, {"deleted"}]


@given(st.lists(st.sampled_from([OWN, MAIL, GROUP, CONTACT, DELETED, STRANGER]), unique=True))
def test_it_is_of_the_first_rank_that_holds_it_and_nobody_is_lost(found: list[Person]) -> None:
    holders = whose(found, CEO.upper())
    present = {one.object_id for one in found} - {"stranger"}
    ranked = [rank & present for rank in RANKS if rank & present]
    assert {one.object_id for one in holders.whose} == (ranked[0] if ranked else set())
    everybody = {one.object_id for one in (*holders.whose, *holders.others)}
    assert everybody == present
    assert present <= set(holders.names)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("ceo+private@contoso.com", CEO),
        ("ceo+a+b@contoso.com", CEO),
        (CEO, None),
        ("+x@contoso.com", None),
        ("no-address", None),
    ],
)
def test_a_tag_behind_a_plus_is_no_other_address(address: str, base: str | None) -> None:
    assert untagged(address) == base


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    receiver = a_receiver(clock)
    people = receiver.directory.people
    people[CEO_OBJECT_ID] = Person(CEO_OBJECT_ID, CEO, CEO, (f"smtp:{ALIAS}",), is_enabled=True)
    return receiver


async def known(receiver: AReceiver, address: str, *names: str) -> list[Any]:
    paths = [f"new.addressOwner.{name}" for name in names]
    columns = {"emailaddress": address}
    question = a_question(*paths, table="queue", record_id=QUEUE_ID, columns=columns)
    found = await gathered(receiver, question)
    return [found.values.get(path, found.missing.get(path)) for path in paths]


@pytest.mark.parametrize("address", [CEO, ALIAS, "Chief@Contoso.com", " chief@contoso.com ",
                                     "ceo+x@contoso.com"])  # fmt: skip
async def test_by_any_spelling_it_is_the_same_person(receiver: AReceiver, address: str) -> None:
    names, object_id, is_person = await known(receiver, address, "names", "objectId", "isPerson")
    assert {CEO_OBJECT_ID, CEO, ALIAS, address.strip()} <= set(names)
    assert (object_id, is_person) == (CEO_OBJECT_ID, True)


async def test_what_else_exists_is_asked_only_where_no_user_has_the_address(
    receiver: AReceiver,
) -> None:
    receiver.directory.others = [replace(DELETED, upn=ALIAS)]
    await known(receiver, ALIAS, "names", "isDeleted", "count")
    assert receiver.directory.asked == [f"holders_of {ALIAS}"]
    del receiver.directory.people[CEO_OBJECT_ID]
    told = await known(receiver, ALIAS, "isDeleted", "isPerson", "type", "objectId")
    assert told == [True, True, "user", "deleted"]


async def test_a_group_is_no_person(receiver: AReceiver) -> None:
    receiver.directory.others = [replace(GROUP, mail="sales@contoso.com")]
    told = await known(receiver, "sales@contoso.com", "type", "isPerson", "isDeleted", "count")
    assert told == ["group", False, False, 1]


async def test_of_nobody_it_is_no_persons(receiver: AReceiver) -> None:
    told = await known(receiver, "new@contoso.com", "names", "isPerson", "objectId", "count")
    assert told == [("new@contoso.com",), False, None, 0]
    assert await known(receiver, "", "names", "isPerson", "count") == [(), False, 0]


@pytest.mark.parametrize("purpose", ["shared", "room", "equipment"])
async def test_a_shared_mailbox_is_no_person(receiver: AReceiver, purpose: str) -> None:
    receiver.directory.purposes[CEO_OBJECT_ID] = purpose
    assert await known(receiver, ALIAS, "isPerson") == [False]


@pytest.mark.parametrize(("is_enabled", "told"), [(True, True), (False, "no"), (None, "no")])
async def test_who_signs_in_is_a_person_though_exchange_says_nothing(
    receiver: AReceiver, is_enabled: bool | None, told: Any
) -> None:
    people = receiver.directory.people
    people[CEO_OBJECT_ID] = replace(people[CEO_OBJECT_ID], is_enabled=is_enabled)

    async def refuses(object_id: str) -> str:
        raise Refused("no", status=403)

    receiver.directory.mailbox_purpose = refuses  # type: ignore[method-assign]
    assert await known(receiver, ALIAS, "isPerson") == [told]


async def test_that_no_user_has_it_is_known_though_nothing_else_can_be_asked(
    receiver: AReceiver,
) -> None:
    async def is_down(address: str) -> list[Person]:
        raise Unavailable("down")

    receiver.directory.others_holding = is_down  # type: ignore[method-assign]
    told = await known(receiver, "new@contoso.com", "names", "count", "isDeleted", "isPerson")
    assert told == [("new@contoso.com",), 0, "down", "down"]


async def test_rows_with_another_alias_of_the_same_person_have_the_address(
    receiver: AReceiver,
) -> None:
    from guard.ledger.entry import MirrorRow
    from tests.conftest import NOON

    receiver.ledger.rows["systemuser", OBJECT_ID] = MirrorRow(
        "systemuser", OBJECT_ID, {"internalemailaddress": CEO}, NOON
    )
    columns = {"emailaddress": ALIAS}
    path = "facts.addressElsewhere"
    question = a_question(path, table="queue", record_id=QUEUE_ID, columns=columns)
    assert (await gathered(receiver, question)).values[path] == 1
