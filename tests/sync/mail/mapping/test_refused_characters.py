"""No text of a row holds a character for which Dataverse refuses it, whatever the mail says."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.mail.mapping.attachment import attachment_row
from sync.mail.mapping.email import email_values
from tests.sync.builders import ORGANIZATION, a_message, a_recipient

# XML 1.0, section 2.2, and no control characters beside it.
ALLOWED = re.compile("[\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
ODD = st.text(
    st.sampled_from("a<>&;\x00\x0b\x1f\x7f\x85\x9f\ufffe\uffff\ud800\udfff\U0001f600\t\n")
)
REFERENCES = st.integers(0, 0x110000).map(lambda number: f"&#{number};")
TEXTS = st.lists(st.one_of(ODD, REFERENCES, ODD.map(html.escape)), max_size=6).map("".join)


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["html", "text"]))
def test_in_the_row_of_a_mail(said: str, address: str, name: str, kind: str) -> None:
    message = a_message(
        subject=said,
        internetMessageId=f"<{address}@x>",
        importance=name,
        body={"contentType": kind, "content": f'<p title="{said}" class={name}>{said}</p>{name}'},
        **{"from": a_recipient(address, name)},
        toRecipients=[a_recipient(f"Named {name} <{address}@fabrikam.com>", name)],
        ccRecipients=[a_recipient(said, name), None, {}, {"emailAddress": None}],
    )
    for text in texts_in(email_values(message, {}).columns):
        assert ALLOWED.fullmatch(text), ascii(text)


@given(TEXTS, TEXTS)
def test_in_the_row_of_an_attachment(name: str, kind: str) -> None:
    columns = attachment_row(ORGANIZATION, {"name": name, "contentType": kind}, b"x")
    for text in texts_in(columns):
        assert ALLOWED.fullmatch(text), ascii(text)
