from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rules.load.loader import load_documents
from sync.errors import ItemUnreadable
from sync.mail.exchange.graph import EXPAND, PAGE_SELECT
from sync.mail.fields import ENTITY, fields_of
from tests.sync.builders import ANNA, BEN, a_message, a_recipient


def fields(**changes: Any) -> dict[str, Any]:
    return fields_of(a_message(**changes), address=ANNA, folder="inbox")


def told(**values: int) -> list[dict[str, str]]:
    tags = {"sensitivity": "Integer 0x36", "size": "Integer 0xE08"}
    return [{"id": tags[name], "value": str(value)} for name, value in values.items()]


def test_a_mail_shows_policies_what_the_catalogue_names() -> None:
    found = fields(
        categories=["Travel"],
        ccRecipients=[a_recipient(BEN)],
        singleValueExtendedProperties=told(sensitivity=3, size=4096),
    )

    assert found == {
        "from": "buyer@fabrikam.com",
        "to": (ANNA,),
        "cc": (BEN,),
        "domain": "fabrikam.com",
        "domains": ("fabrikam.com", "contoso.com"),
        "category": ("Travel",),
        "sensitivity": "confidential",
        "importance": "normal",
        "size": 4096,
        "folder": "inbox",
        "subject": "Order 1",
        "direction": "incoming",
        "isdraft": False,
        "hasattachments": False,
        "receivedon": datetime(2026, 11, 20, 9, 0, 3, tzinfo=UTC),
        "mailbox": ANNA,
    }


def test_every_field_is_one_of_the_catalogue_and_only_internal_is_not_learnt() -> None:
    entity = load_documents({}).catalogue.entities[ENTITY]
    found = fields(categories=[], singleValueExtendedProperties=told(sensitivity=0, size=1))

    assert set(entity.fields) - set(found) == {"internal"}
    assert set(found) <= set(entity.fields)


@pytest.mark.parametrize(
    ("properties", "sensitivity"),
    [
        (told(sensitivity=0, size=1), "normal"),
        (told(sensitivity=1, size=1), "personal"),
        (told(sensitivity=2, size=1), "private"),
        (told(size=1), "normal"),
        (told(sensitivity=2), "private"),
        (told(sensitivity=9, size=1), None),
        ([], None),
        (None, None),
    ],
)
def test_a_sensitivity_that_was_not_told_is_normal_only_where_the_size_was(
    properties: Any, sensitivity: str | None
) -> None:
    assert fields(singleValueExtendedProperties=properties).get("sensitivity") == sensitivity


def test_what_the_mail_does_not_tell_is_left_out() -> None:
    found = fields_of({"id": "a"}, address=ANNA, folder="inbox")

    assert found == {
        "to": (),
        "cc": (),
        "domains": (),
        "folder": "inbox",
        "direction": "incoming",
        "mailbox": ANNA,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"categories": "Private"},
        {"categories": [1]},
        {"subject": 5},
        {"hasAttachments": "yes"},
        {"toRecipients": 5},
        {"receivedDateTime": "tomorrow"},
        {"singleValueExtendedProperties": [{"id": "Integer 0x36"}]},
        {"singleValueExtendedProperties": [{"id": "Integer zero", "value": "1"}]},
        {"singleValueExtendedProperties": [{"id": "Integer 0x36", "value": "private"}]},
        {"singleValueExtendedProperties": ["private"]},
    ],
)
def test_what_makes_no_sense_is_never_taken_for_harmless(changes: dict[str, Any]) -> None:
    with pytest.raises(ItemUnreadable):
        fields(**changes)


def test_a_page_is_asked_for_all_of_it() -> None:
    assert {"categories", "body"} <= set(PAGE_SELECT)
    assert "Integer 0x36" in EXPAND
    assert "Integer 0xe08" in EXPAND
