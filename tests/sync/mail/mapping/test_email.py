from __future__ import annotations

import pytest

from sync.errors import ItemUnreadable
from sync.mail.mapping.email import email_values
from sync.model.address_book import KnownRow
from tests.sync.builders import ANNA, a_message, a_recipient

BOOK = {ANNA: KnownRow("systemuser", "u-1"), "sales@contoso.com": KnownRow("queue", "q-1")}


def test_an_incoming_mail_becomes_an_open_incoming_row() -> None:
    columns = email_values(a_message(1), {}).columns

    assert columns["directioncode"] is False
    assert columns["messageid"] == "<mail-1@fabrikam.com>"
    assert columns["subject"] == "Order 1"
    assert columns["sender"] == "buyer@fabrikam.com"
    assert columns["torecipients"] == f"{ANNA};"
    assert columns["description"] == "<p>Order 1</p>"
    assert columns["actualstart"] == "2026-11-20T09:00:00Z"
    assert columns["actualend"] == "2026-11-20T09:00:03Z"
    assert columns["prioritycode"] == 1
    assert not columns.keys() & {"statecode", "statuscode", "senton", "conversationindex"}


def test_everyone_takes_part_in_their_own_way_and_the_known_are_bound() -> None:
    message = a_message(
        toRecipients=[a_recipient("Anna@contoso.com"), a_recipient("anna@CONTOSO.com")],
        ccRecipients=[a_recipient("sales@contoso.com")],
        bccRecipients=[a_recipient(None, "Undisclosed")],
    )

    parties = email_values(message, BOOK).columns["email_activity_parties"]

    assert parties == [
        {"participationtypemask": 1, "addressused": "buyer@fabrikam.com"},
        {
            "participationtypemask": 2,
            "addressused": "Anna@contoso.com",
            "partyid_systemuser@odata.bind": "/systemusers(u-1)",
        },
        {
            "participationtypemask": 3,
            "addressused": "sales@contoso.com",
            "partyid_queue@odata.bind": "/queues(q-1)",
        },
    ]


def test_columns_are_cut_to_their_length() -> None:
    many = [a_recipient(f"person-{n:03}@fabrikam.com") for n in range(60)]
    message = a_message(subject="s" * 999, internetMessageId=f"<{'m' * 999}@x>", toRecipients=many)

    columns = email_values(message, {}).columns

    assert len(columns["subject"]) == 200
    assert len(columns["messageid"]) == 320
    assert len(columns["torecipients"]) <= 500
    assert columns["torecipients"].endswith("@fabrikam.com;")
    assert (
        sum(party["participationtypemask"] == 2 for party in columns["email_activity_parties"])
        == 60
    )


def test_no_column_is_longer_than_dataverse_counts_where_each_character_is_two_units() -> None:
    wide = "😀" * 400
    message = a_message(
        subject=wide,
        internetMessageId=wide,
        **{"from": a_recipient(wide)},
        toRecipients=[a_recipient(f"{number}{'😀' * 99}@x.example") for number in range(9)],
    )

    columns = email_values(message, {}).columns

    assert columns["subject"] == "😀" * 100
    assert columns["messageid"] == "😀" * 160
    assert columns["sender"] == "😀" * 125
    assert columns["torecipients"].count(";") == 2
    assert columns["email_activity_parties"][0]["addressused"] == "😀" * 125


def test_control_characters_are_left_out() -> None:
    message = a_message(
        subject="\x00Order\r\n\x0bnow\x1f",
        toRecipients=[a_recipient("\x00"), a_recipient("\x07anna@contoso.com\x00")],
        body={"contentType": "text", "content": "a\tb\x00\nc"},
    )

    columns = email_values(message, {}).columns

    assert columns["subject"] == "Order now"
    assert columns["torecipients"] == f"{ANNA};"
    assert columns["email_activity_parties"][1]["addressused"] == ANNA
    assert columns["description"] == "a\tb<br>c"


def test_the_body_is_cleaned_of_whatever_runs() -> None:
    body = '<p onclick="x()">Hi<script>alert(1)</script><img src="cid:logo"></p>'

    cleaned = email_values(a_message(body={"contentType": "html", "content": body}), {}).columns[
        "description"
    ]

    assert "script" not in cleaned
    assert "onclick" not in cleaned
    assert 'src="cid:logo"' in cleaned


def test_plain_text_is_escaped_and_keeps_its_lines() -> None:
    message = a_message(body={"contentType": "text", "content": "1 < 2\r\nbye"})

    assert email_values(message, {}).columns["description"] == "1 &lt; 2<br>bye"


def test_a_metadata_only_mail_has_no_description() -> None:
    columns = email_values(a_message(), {}, is_metadata_only=True).columns

    assert "description" not in columns
    assert columns["subject"] == "Order 1"


def test_a_bare_message_still_becomes_a_row() -> None:
    columns = email_values({"id": "a"}, {}).columns

    assert columns == {"directioncode": False, "subject": ""}


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1752-12-31T23:59:59Z"])
def test_a_date_before_the_first_of_dataverse_is_left_out_as_if_it_were_missing(at: str) -> None:
    columns = email_values(a_message(sentDateTime=at, receivedDateTime=at), {}).columns

    assert not columns.keys() & {"actualstart", "actualend"}


def test_the_first_date_of_dataverse_is_written() -> None:
    columns = email_values(a_message(sentDateTime="1753-01-01T00:00:00.5Z"), {}).columns

    assert columns["actualstart"] == "1753-01-01T00:00:00Z"


def test_half_a_surrogate_pair_can_still_be_sent() -> None:
    columns = email_values(
        a_message(subject="\ud83d", body={"contentType": "html", "content": "\ud83d"}), {}
    ).columns

    assert columns["subject"].encode()
    assert columns["description"].encode()


def test_a_body_without_text_cannot_be_understood() -> None:
    with pytest.raises(ItemUnreadable):
        email_values(a_message(body={"content": 5}), {})
