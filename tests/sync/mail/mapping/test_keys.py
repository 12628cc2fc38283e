from __future__ import annotations

from uuid import UUID, uuid5

from sync.mail.mapping.keys import (
    attachment_key,
    email_key,
    has_weak_key,
    normalised_message_id,
    other_email_key,
)
from tests.sync.builders import ORGANIZATION, a_message, a_recipient

OTHER = UUID("11111111-2222-4333-8444-555555555555")


def test_the_same_message_id_is_the_same_row_in_every_mailbox() -> None:
    first = a_message(1, id="in-annas-mailbox", receivedDateTime="2026-11-20T09:00:01Z")
    second = a_message(1, id="in-bens-mailbox", receivedDateTime="2026-11-20T09:00:09Z")

    assert email_key(ORGANIZATION, first) == email_key(ORGANIZATION, second)
    assert email_key(ORGANIZATION, first) == uuid5(ORGANIZATION, "incoming:mail-1@fabrikam.com")


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


def test_the_second_key_tells_senders_apart() -> None:
    forged = a_message(1, **{"from": a_recipient("mallory@example.com")})

    assert email_key(ORGANIZATION, forged) == email_key(ORGANIZATION, a_message(1))
    assert other_email_key(ORGANIZATION, forged) != other_email_key(ORGANIZATION, a_message(1))


def test_an_attachments_key_is_its_content_and_name() -> None:
    one = attachment_key(OTHER, sha256="00", name="a.txt")

    assert one == attachment_key(OTHER, sha256="00", name="a.txt")
    assert one != attachment_key(OTHER, sha256="00", name="b.txt")
    assert one != attachment_key(OTHER, sha256="01", name="a.txt")
