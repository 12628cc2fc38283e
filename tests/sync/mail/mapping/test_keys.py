from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mail.mapping.keys import (
    attachment_key,
    email_key,
    has_weak_key,
    normalised_message_id,
    other_email_key,
)
from tests.sync.builders import ORGANIZATION, a_message, a_recipient

OTHER = UUID("11111111-2222-4333-8444-555555555555")


def test_the_same_mail_is_the_same_row_in_every_mailbox() -> None:
    first = a_message(1, id="in-annas-mailbox", receivedDateTime="2026-11-20T09:00:01Z")
    second = a_message(1, id="in-bens-mailbox", receivedDateTime="2026-11-20T09:00:09Z")

    assert email_key(ORGANIZATION, first) == email_key(ORGANIZATION, second)


SAFE = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Ffabrikam.com%2F7&data="


def linked(url: str, said: str = "Your order") -> dict[str, Any]:
    return {"contentType": "html", "content": f'<p><a href="{url}">{said}</a></p>'}


def test_recipients_count_only_where_there_is_no_message_id() -> None:
    """A list may write each recipient's own address into its copy of a mail."""
    ben = {"toRecipients": [a_recipient("ben@contoso.com")]}

    assert email_key(ORGANIZATION, a_message(**ben)) == email_key(ORGANIZATION, a_message())
    none = a_message(internetMessageId=None)
    assert email_key(ORGANIZATION, none | ben) != email_key(ORGANIZATION, none)


def test_a_link_that_exchange_wrapped_for_each_recipient_makes_no_difference() -> None:
    keys = {
        email_key(ORGANIZATION, a_message(body=linked(url)))
        for url in ("https://fabrikam.com/7", f"{SAFE}05%7Canna", f"{SAFE}05%7Cben&amp;sdata=x")
    }

    assert len(keys) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Another order"},
        {"sentDateTime": "2026-11-20T09:00:01Z"},
        {"from": a_recipient("mallory@example.com")},
        {"body": {"contentType": "html", "content": "<p>Order 2</p>"}},
        {"body": linked("https://fabrikam.com/8")},
        {"body": linked("https://fabrikam.com/7", "Your bill")},
        {"internetMessageId": "<mail-2@fabrikam.com>"},
        {"internetMessageId": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_one_message_id_does_not_make_two_mails_the_same(changes: dict[str, Any]) -> None:
    assert email_key(ORGANIZATION, a_message(**changes)) != email_key(ORGANIZATION, a_message())


def test_the_names_of_attachments_count_and_the_sizes_that_nobody_can_compare_otherwise() -> None:
    def key(*attachments: dict[str, Any]) -> UUID:
        return email_key(ORGANIZATION, a_message(), attachments, max_bytes=100)

    one, same = {"name": "scan.pdf", "size": 90}, {"name": "scan.pdf", "size": 91, "id": "other"}
    assert key(one) == key(same) != key()
    assert key(one) != key({"name": "scan2.pdf", "size": 90})
    assert key({"name": "scan.pdf", "size": 900}) != key({"name": "scan.pdf", "size": 901})
    assert key(one, {"name": "a"}) == key({"name": "a"}, one)


def test_where_attachments_are_not_known_no_other_item_is_the_same() -> None:
    one, other = (email_key(ORGANIZATION, a_message(id=id_), None) for id_ in ("a", "b"))

    assert one != other


@given(st.text(), st.text())
def test_every_text_has_a_key(subject: str, body: str) -> None:
    mail = a_message(subject=subject, body={"contentType": "html", "content": body})

    assert email_key(ORGANIZATION, mail) == email_key(ORGANIZATION, mail)


@pytest.mark.parametrize("piece", ["<", "<a ", 'href="', "href='", "https://", "&#", "<div>", "= "])
def test_a_body_that_never_ends_what_it_begins_is_read_once(piece: str) -> None:
    body = {"contentType": "html", "content": piece * 400_000}

    assert email_key(ORGANIZATION, a_message(body=body))


def test_another_organisation_has_other_keys() -> None:
    assert email_key(ORGANIZATION, a_message()) != email_key(OTHER, a_message())


def test_blanks_and_brackets_make_no_difference_but_case_does() -> None:
    assert normalised_message_id(" <a@x>\r\n ") == normalised_message_id("a@x") == "a@x"
    assert normalised_message_id("<A@x>") != normalised_message_id("<a@x>")


def test_without_a_message_id_the_key_comes_from_what_all_copies_share() -> None:
    mail = a_message(1, internetMessageId=None)
    copy = a_message(1, internetMessageId=None, id="other", receivedDateTime=None)
    other = a_message(1, internetMessageId=None, subject="Another order")

    assert has_weak_key(mail)
    assert email_key(ORGANIZATION, mail) == email_key(ORGANIZATION, copy)
    assert email_key(ORGANIZATION, mail) != email_key(ORGANIZATION, other)


def test_the_second_key_is_the_bytes_of_the_attachments() -> None:
    first = email_key(ORGANIZATION, a_message())

    assert other_email_key(first, ["1", "2"]) == other_email_key(first, ["2", "1"])
    assert len({first, other_email_key(first, ["1"]), other_email_key(first, ["2"])}) == 3


def test_an_attachments_key_is_its_content_and_name() -> None:
    one = attachment_key(OTHER, sha256="00", name="a.txt")

    assert one == attachment_key(OTHER, sha256="00", name="a.txt")
    assert one != attachment_key(OTHER, sha256="00", name="b.txt")
    assert one != attachment_key(OTHER, sha256="01", name="a.txt")
