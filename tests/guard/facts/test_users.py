"""Who a user row is: whom a decision allowed it to name; and whoever acts, as before the edit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from guard.errors import IdentityInDoubt
from guard.facts.users import Users
from guard.ledger.entry import MirrorRow
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from tests.conftest import NOON
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import ADMIN_ID, CEO_OBJECT_ID, OBJECT_ID, USER_ID
from tests.guard.facts.questions import a_question, gathered

GOOD = {"domainname": "anna@contoso.com", "azureactivedirectoryobjectid": OBJECT_ID}
SWAPPED = {"domainname": "ceo@contoso.com", "azureactivedirectoryobjectid": CEO_OBJECT_ID}


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


def allow(receiver: AReceiver, columns: dict[str, Any]) -> None:
    """Hold these columns of Anna's user row known good."""
    at = NOON - timedelta(days=1)
    row = MirrorRow("systemuser", USER_ID, columns, at)
    receiver.ledger.rows["systemuser", USER_ID] = row


@pytest.mark.parametrize(
    "row",
    [
        UserRow(USER_ID, "ceo@contoso.com", OBJECT_ID),
        UserRow(USER_ID, "anna@contoso.com", CEO_OBJECT_ID),
        UserRow(USER_ID, "anna@contoso.com", None),
        UserRow(USER_ID, None, OBJECT_ID),
        UserRow(USER_ID, "anna@contoso.com", OBJECT_ID, ADMIN_ID),
    ],
)
async def test_a_row_that_names_somebody_else_than_was_allowed_is_nobody(
    receiver: AReceiver, row: UserRow
) -> None:
    allow(receiver, {**GOOD, "applicationid": None})
    users = Users(receiver.rows, receiver.ledger.mirrored)
    assert await users.user(USER_ID) is not None
    receiver.rows.users[USER_ID] = row
    with pytest.raises(IdentityInDoubt, match="is not the one that was last allowed"):
        await users.user(USER_ID)


async def test_letters_of_another_case_and_unknown_columns_name_nobody_else(
    receiver: AReceiver,
) -> None:
    users = Users(receiver.rows, receiver.ledger.mirrored)
    receiver.rows.users[USER_ID] = UserRow(USER_ID, "ANNA@contoso.com", OBJECT_ID, ADMIN_ID)
    allow(receiver, GOOD)
    assert await users.user(USER_ID) is not None


async def test_facts_of_somebody_in_doubt_are_missing(receiver: AReceiver) -> None:
    allow(receiver, GOOD)
    receiver.rows.users[USER_ID] = UserRow(USER_ID, "ceo@contoso.com", CEO_OBJECT_ID)
    of_owner = a_question("new.owner.objectId", "new.owner.upn")
    of_actor = a_question("actor.kind", "actor.objectId", actor_id=USER_ID)
    for question in (of_owner, of_actor):
        found = await gathered(receiver, question)
        assert question.needed <= found.missing.keys()


@pytest.mark.parametrize("is_synchronous", [True, False])
async def test_who_edits_the_own_row_is_who_they_were_before(
    receiver: AReceiver, is_synchronous: bool
) -> None:
    receiver.rows.users[USER_ID] = UserRow(USER_ID, "ceo@contoso.com", CEO_OBJECT_ID)
    question = a_question(
        "actor.objectId",
        "actor.upn",
        table="systemuser",
        record_id=USER_ID,
        actor_id=USER_ID,
        before=GOOD,
        columns=SWAPPED,
        is_synchronous=is_synchronous,
    )
    found = await gathered(receiver, question)
    assert found.values["actor.objectId"] == OBJECT_ID
    assert found.values["actor.upn"] == "anna@contoso.com"


@pytest.mark.parametrize(
    ("row", "others"),
    [
        (UserRow(ADMIN_ID, "other@contoso.com", OBJECT_ID), 1),
        (UserRow(ADMIN_ID, "Anna@Contoso.com", CEO_OBJECT_ID), 1),
        (UserRow(ADMIN_ID, "anna@contoso.com", None), 1),
        (UserRow(ADMIN_ID, "other@contoso.com", CEO_OBJECT_ID), 0),
        (UserRow(ADMIN_ID), 0),
    ],
)
async def test_another_row_of_the_same_person_is_counted(
    receiver: AReceiver, row: UserRow, others: int
) -> None:
    receiver.rows.users[ADMIN_ID] = row
    found = await gathered(receiver, a_question("facts.ownerElsewhere"))
    assert found.values["facts.ownerElsewhere"] == others
