"""Whether the person who owns a row is still here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guard.facts.fact_sheet import UNREADABLE_OWNER
from guard.ledger.entry import MirrorRow
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import OBJECT_ID, QUEUE_ID, USER_ID
from tests.guard.facts.questions import a_question, gathered

PATH = "facts.stewardLeft"


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


def of_queue(owner: str | None = USER_ID, kind: str = "systemuser", **named: Any) -> Any:
    columns = {"emailaddress": "s@contoso.com", "ownerid.id": owner, "ownerid.type": kind}
    return a_question(PATH, table="queue", record_id=QUEUE_ID, columns=columns, **named)


async def told(receiver: AReceiver, question: Any) -> Any:
    found = await gathered(receiver, question)
    return found.values.get(PATH, found.missing.get(PATH))


async def test_a_person_whose_account_is_enabled_is_here(receiver: AReceiver) -> None:
    assert await told(receiver, of_queue()) is False


async def test_a_person_whose_account_is_shut_or_gone_has_left(receiver: AReceiver) -> None:
    anna = receiver.directory.people[OBJECT_ID]
    receiver.directory.people[OBJECT_ID] = replace(anna, is_enabled=False)
    assert await told(receiver, of_queue()) is True
    del receiver.directory.people[OBJECT_ID]
    assert await told(receiver, of_queue()) is True
    del receiver.rows.users[USER_ID]
    assert await told(receiver, of_queue()) is True


async def test_a_user_who_is_disabled_in_dataverse_has_left_whatever_entra_says(
    receiver: AReceiver, clock: FrozenClock
) -> None:
    row = MirrorRow("systemuser", USER_ID, {"isdisabled": True}, clock.now())
    receiver.ledger.rows["systemuser", USER_ID] = row
    assert await told(receiver, of_queue()) is True
    assert receiver.directory.asked == []


async def test_a_team_an_application_and_nobody_cannot_leave(receiver: AReceiver) -> None:
    assert await told(receiver, of_queue(kind="team")) is False
    assert await told(receiver, of_queue(None)) is None
    receiver.rows.users[USER_ID] = UserRow(USER_ID, application_id="app")
    assert await told(receiver, of_queue()) is False


async def test_of_a_user_without_a_name_nothing_is_known(receiver: AReceiver) -> None:
    receiver.rows.users[USER_ID] = UserRow(USER_ID)
    assert await told(receiver, of_queue()) == "the user has no sign-in name"


async def test_on_a_create_the_owner_is_not_read(receiver: AReceiver, clock: FrozenClock) -> None:
    question = of_queue(operation="create", before={})
    assert await told(receiver, question) == UNREADABLE_OWNER
    known = {"domainname": "anna@contoso.com", "azureactivedirectoryobjectid": OBJECT_ID}
    receiver.ledger.rows["systemuser", USER_ID] = MirrorRow(
        "systemuser", USER_ID, known, clock.now()
    )
    assert await told(receiver, question) is False
    assert receiver.rows.asked == []


async def test_an_entra_that_is_silent_leaves_it_unknown(receiver: AReceiver) -> None:
    receiver.directory.is_down = True
    assert await told(receiver, of_queue()) == "The directory does not answer."
