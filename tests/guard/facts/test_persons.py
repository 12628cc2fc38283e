"""By which names a list may mean the actor, the owner, or whoever holds the address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guard.facts.fact_sheet import UNREADABLE_OWNER
from guard.ports.directory import Person
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from tests.guard.assembled import SYSTEM_ID, AReceiver, a_receiver
from tests.guard.builders import (
    ADMIN_ID,
    ADMIN_OBJECT_ID,
    CEO_OBJECT_ID,
    OBJECT_ID,
    QUEUE_ID,
    USER_ID,
)
from tests.guard.facts.questions import OWNED, a_question, gathered

ACTOR, OWNER, HOLDER = "actor.names", "new.owner.names", "new.addressOwner.names"
ALIAS, MAIL = "a.berg@contoso.com", "berg@fabrikam.com"
ANNA = Person(
    OBJECT_ID, "anna@contoso.com", "anna@contoso.com", ("SMTP:anna@contoso.com", f"smtp:{ALIAS}")
)
NAMES = (OBJECT_ID, "anna@contoso.com", ALIAS)


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    receiver = a_receiver(clock)
    receiver.directory.people[OBJECT_ID] = ANNA
    return receiver


def a_question_about(path: str, **named: Any) -> Any:
    """One whose actor, owner and address holder are the same person."""
    return a_question(path, actor_id=named.pop("actor_id", USER_ID), **named)


async def names(receiver: AReceiver, path: str, **named: Any) -> Any:
    found = await gathered(receiver, a_question_about(path, **named))
    return found.values.get(path, found.missing.get(path))


@pytest.mark.parametrize("path", [ACTOR, OWNER, "old.owner.names", HOLDER])
async def test_of_all_three_it_is_the_object_id_and_every_address(
    receiver: AReceiver, path: str
) -> None:
    assert set(await names(receiver, path)) == set(NAMES)


async def test_nothing_is_asked_for_it_that_nobody_needs(receiver: AReceiver) -> None:
    await names(receiver, OWNER)
    assert receiver.directory.asked == [f"person {OBJECT_ID}"]
    receiver.directory.asked.clear()
    await gathered(receiver, a_question("new.owner.upn", "actor.upn"))
    assert receiver.directory.asked == []


@pytest.mark.parametrize("path", [ACTOR, OWNER])
class TestMail:
    """`mail` is a text that anybody who administers users may put on any of them."""

    async def test_that_is_nobodys_else_is_theirs(self, receiver: AReceiver, path: str) -> None:
        receiver.directory.people[OBJECT_ID] = replace(ANNA, mail=MAIL)
        assert await names(receiver, path) == (*NAMES, MAIL)

    async def test_that_is_the_own_address_of_another_is_not(
        self, receiver: AReceiver, path: str
    ) -> None:
        receiver.directory.people[OBJECT_ID] = replace(ANNA, mail=MAIL)
        receiver.directory.people[CEO_OBJECT_ID] = Person(CEO_OBJECT_ID, MAIL)
        assert await names(receiver, path) == NAMES

    async def test_that_stands_on_another_too_leaves_all_unknown(
        self, receiver: AReceiver, path: str
    ) -> None:
        receiver.directory.people[OBJECT_ID] = replace(ANNA, mail=MAIL)
        receiver.directory.people[CEO_OBJECT_ID] = Person(CEO_OBJECT_ID, "x@contoso.com", MAIL)
        assert "another one too" in await names(receiver, path)

    async def test_of_whom_the_index_does_not_find_yet_counts(
        self, receiver: AReceiver, path: str
    ) -> None:
        receiver.directory.people[OBJECT_ID] = replace(ANNA, mail=MAIL)

        async def lags(address: str) -> list[Person]:
            return []

        receiver.directory.holders_of = lags  # type: ignore[method-assign]
        assert await names(receiver, path) == (*NAMES, MAIL)

    async def test_about_which_nobody_answers_leaves_all_unknown(
        self, receiver: AReceiver, path: str
    ) -> None:
        receiver.directory.people[OBJECT_ID] = replace(ANNA, mail=MAIL)

        async def is_down(address: str) -> list[Person]:
            raise Unavailable("down")

        receiver.directory.holders_of = is_down  # type: ignore[method-assign]
        assert await names(receiver, path) == "down"


@pytest.mark.parametrize("path", [ACTOR, OWNER])
async def test_whom_entra_does_not_have_is_unknown_and_not_nobody(
    receiver: AReceiver, path: str
) -> None:
    del receiver.directory.people[OBJECT_ID]
    assert await names(receiver, path) == "Entra has no such user"
    receiver.directory.is_down = True
    assert await names(receiver, path) == receiver.directory.down_because


@pytest.mark.parametrize("path", [ACTOR, OWNER])
async def test_a_row_that_names_nobody_has_no_names(receiver: AReceiver, path: str) -> None:
    receiver.rows.users[USER_ID] = UserRow(USER_ID)
    assert await names(receiver, path) == ()


@pytest.mark.parametrize("path", [ACTOR, OWNER])
async def test_of_no_user_at_all_it_is_unknown(receiver: AReceiver, path: str) -> None:
    del receiver.rows.users[USER_ID]
    assert await names(receiver, path) == "Dataverse has no such user"


async def test_an_application_is_named_by_its_object_id_alone(receiver: AReceiver) -> None:
    receiver.rows.users[QUEUE_ID] = UserRow(QUEUE_ID, "app@contoso.com", "object", "app-id")
    assert await names(receiver, ACTOR, actor_id=QUEUE_ID) == ("object",)
    assert await names(receiver, ACTOR, actor_id=SYSTEM_ID) == ()
    assert receiver.directory.asked == []


@pytest.mark.parametrize("kind", ["queue", "team", None])
async def test_a_queue_and_a_team_have_no_names(receiver: AReceiver, kind: str | None) -> None:
    columns = {"emailaddress": "a@contoso.com", "ownerid.id": QUEUE_ID, "ownerid.type": kind}
    assert await names(receiver, OWNER, columns=columns) == ()


async def test_before_a_create_there_was_nobody(receiver: AReceiver) -> None:
    named = {"operation": "create", "before": {}, "columns": OWNED}
    assert await names(receiver, "old.owner.names", **named) == ()
    assert await names(receiver, OWNER, **named) == UNREADABLE_OWNER


async def test_names_do_not_hinder_the_directory_roles(receiver: AReceiver) -> None:
    found = await gathered(receiver, a_question(ACTOR, "actor.entraRoles", actor_id=ADMIN_ID))
    assert found.values[ACTOR][0] == ADMIN_OBJECT_ID
    assert found.values["actor.entraRoles"]
