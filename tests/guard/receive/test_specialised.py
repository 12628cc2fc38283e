"""Assign and SetState are the updates that they are, where our own step has sent them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guard.errors import DeliveryUnreadable
from guard.receive import Delivery, change_from, read_delivery
from tests.guard.builders import (
    ADMIN_ID,
    QUEUE_ID,
    USER_ID,
    choice,
    context,
    entity,
    pairs,
    reference,
)

OPERATION = "aa439201-bd38-4152-9047-60528cf7ecf3"
BEFORE = {
    "queueid": QUEUE_ID,
    "emailaddress": "support@contoso.com",
    "ownerid": reference("systemuser", USER_ID),
    "statecode": choice(0),
}


def _read(
    message: str, parameters: list[Any], *, images: bool = True, table: str = "queue"
) -> Delivery:
    body = context({}, table=table, record_id=QUEUE_ID, operation_id=OPERATION) | {
        "MessageName": message,
        "InputParameters": parameters,
        "PreEntityImages": [{"key": "pre", "value": entity(table, QUEUE_ID, BEFORE, typed=False)}]
        if images
        else [],
    }
    return read_delivery(json.dumps(body).encode())


def _assign(owner: Any = None) -> list[Any]:
    owner = owner or reference("systemuser", ADMIN_ID)
    return pairs({"Target": reference("queue", QUEUE_ID), "Assignee": owner})


def _state(state: int) -> list[Any]:
    values = {"EntityMoniker": reference("queue", QUEUE_ID), "State": choice(state)}
    return pairs(values | {"Status": choice(2)})


def test_an_assignment_is_a_change_of_the_owner() -> None:
    change = change_from(_read("Assign", _assign()))
    assert (change.table, change.operation, change.record_id) == ("queue", "update", QUEUE_ID)
    assert change.differing == {"ownerid.id"}
    assert (change.before["ownerid.id"], change.after["ownerid.id"]) == (USER_ID, ADMIN_ID)
    assert change.after["emailaddress"] == "support@contoso.com"


def test_a_state_that_is_set_is_a_change_of_the_state() -> None:
    change = change_from(_read("setstate", _state(1)))
    assert change.differing == {"statecode"}
    assert change.after["statecode"] == 1


def test_a_user_that_is_switched_off_is_disabled() -> None:
    assert _read("SetState", _state(1), table="systemuser").target == {"isdisabled": True}


@pytest.mark.parametrize(
    ("message", "parameters"), [("Assign", _assign()), ("SetState", _state(1))]
)
def test_without_an_image_it_is_a_message_that_is_not_guarded(message, parameters) -> None:
    assert not _read(message, parameters, images=False).is_guarded


@pytest.mark.parametrize(
    ("message", "parameters"),
    [
        ("Assign", pairs({"Target": reference("queue", QUEUE_ID)})),
        ("Assign", [*_assign(), *_assign()]),
        ("Assign", _assign(choice(1))),
        ("Assign", _assign({"__type": "Surprise", "x": 1})),
        ("SetState", pairs({"EntityMoniker": reference("queue", QUEUE_ID)})),
        ("SetState", [*_state(1), *_state(0)]),
    ],
)
def test_what_cannot_be_read_of_it_cannot_be_decided(message, parameters) -> None:
    delivery = _read(message, parameters)
    assert delivery.is_guarded
    with pytest.raises(DeliveryUnreadable):
        change_from(delivery)


def test_two_that_differ_are_two_deliveries() -> None:
    first, again = _read("Assign", _assign()), _read("Assign", _assign())
    other = _read("Assign", _assign(reference("team", ADMIN_ID)))
    assert first.key == again.key
    assert first.key != other.key
