from __future__ import annotations

from uuid import UUID

import pytest

from sync.mail.mapping.attachment import ITEM, attachment_row, name_of

EMAIL = UUID("0d3c6a3e-6a6e-4b7a-9a53-5d0b6b9f2f11")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (None, "attachment"),
        ("\x00", "attachment"),
        ("a\x00b.txt", "a b.txt"),
        ("😀" * 200, "😀" * 127),
    ],
)
def test_a_name_is_one_line_that_fits(name: str | None, kept: str) -> None:
    assert name_of({"name": name}) == kept


def test_an_attached_mail_is_a_message_file_however_long_its_name_is() -> None:
    assert name_of({"@odata.type": ITEM, "name": "m" * 300}) == f"{'m' * 251}.eml"


def test_a_type_that_is_missing_is_the_general_one() -> None:
    columns = attachment_row(EMAIL, {"name": "a", "contentType": None}, b"x")
    assert columns["mimetype"] == "application/octet-stream"
