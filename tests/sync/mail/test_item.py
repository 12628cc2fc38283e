from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.errors import ItemUnreadable
from sync.mail.item import MailItem, entry_from, item_from_message, moment_from_text
from sync.model.item import UnreadableEntry
from tests.sync.builders import a_message


def test_a_whole_message_needs_no_second_reading() -> None:
    item = item_from_message(a_message(7))

    assert item.is_whole
    assert item.item_id == "AAkImmutable00007"
    assert item.sender == "buyer@fabrikam.com"
    assert item.received_at == datetime(2026, 11, 20, 9, 0, 3, tzinfo=UTC)


def test_a_partial_update_is_not_whole() -> None:
    assert not item_from_message({"id": "a", "isRead": True}).is_whole


def test_a_removal_needs_nothing_but_its_id() -> None:
    removed = item_from_message({"id": "a", "@removed": {"reason": "deleted"}})

    assert removed == MailItem("a", removed=True)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"id": ""},
        {"id": 5},
        {"id": "nul\x00byte"},
        {"id": "a" * 2000},
        "text",
        {"id": "a", "receivedDateTime": "tomorrow"},
        {"id": "a", "receivedDateTime": "0001-01-01T00:00:00+01:00"},
        {"id": "a", "isDraft": "yes"},
        {"id": "a", "from": {"emailAddress": {"address": 7}}},
    ],
)
def test_an_entry_that_makes_no_sense_keeps_a_name_and_a_reason(entry: object) -> None:
    found = entry_from(entry)

    assert isinstance(found, UnreadableEntry)
    assert found.item_id
    assert found.reason


def test_a_time_without_offset_is_utc_and_seven_digits_are_read() -> None:
    expected = datetime(2016, 12, 9, 20, 30, tzinfo=UTC)

    assert moment_from_text("2016-12-09T20:30:00.0000000") == expected
    assert moment_from_text("2016-12-09T21:30:00+01:00") == expected
    with pytest.raises(ItemUnreadable):
        moment_from_text("9 December")
