"""The Graph adapter: a mail that is gone is told from a mailbox that is."""

from __future__ import annotations

import base64

import pytest

from cloud.errors import NotThere
from sync.mail.exchange.graph import EXPAND, GraphExchange
from tests.cloud.scripted import MAILBOX, Scripted, ok, permitted, problem

GONE = problem(404, "ErrorItemNotFound")
NO_MAILBOX = problem(404, "MailboxNotEnabledForRESTAPI")


def exchange_of(*replies: object) -> GraphExchange:
    return GraphExchange(Scripted(*replies).graph)  # type: ignore[arg-type]


async def test_a_mail_that_is_there_has_a_folder_attachments_and_bytes() -> None:
    exchange = exchange_of(
        ok({"id": "m1", "parentFolderId": "inbox-id"}),
        ok({"value": [{"id": "a1", "name": "a.txt", "contentBytes": "YQ=="}]}),
        ok({"id": "a1", "contentBytes": base64.b64encode(b"order").decode()}),
    )
    assert await exchange.place(MAILBOX, "m1", permit=permitted) == "inbox-id"
    listed = await exchange.attachments(MAILBOX, "m1", permit=permitted)
    assert listed == [{"id": "a1", "name": "a.txt"}]
    assert await exchange.attachment_bytes(MAILBOX, "m1", "a1", permit=permitted) == b"order"


async def test_a_page_and_a_mail_are_asked_for_with_all_that_a_row_and_a_policy_need() -> None:
    link = "https://graph.example.com/v1.0/users/x/messages/delta?$deltatoken=1"
    service = Scripted(ok({"value": [], "@odata.deltaLink": link.replace("/x/", f"/{MAILBOX}/")}))
    exchange = GraphExchange(service.graph)
    await exchange.page(MAILBOX, folder="inbox", link=None, permit=permitted)
    await exchange.message(MAILBOX, "m1", permit=permitted)
    for request in service.requests:
        options = dict(request.url.params)
        assert {"body", "categories"} <= set(options["$select"].split(","))
        assert options["$expand"] == EXPAND


async def test_a_mail_that_is_gone_has_nothing() -> None:
    exchange = exchange_of(GONE)
    assert await exchange.message(MAILBOX, "m1", permit=permitted) is None
    assert await exchange.place(MAILBOX, "m1", permit=permitted) is None
    assert await exchange.attachments(MAILBOX, "m1", permit=permitted) is None
    assert await exchange.attachment_bytes(MAILBOX, "m1", "a1", permit=permitted) is None


async def test_a_mailbox_that_is_gone_says_nothing_of_its_mails() -> None:
    exchange = exchange_of(NO_MAILBOX)
    with pytest.raises(NotThere):
        await exchange.place(MAILBOX, "m1", permit=permitted)
    with pytest.raises(NotThere):
        await exchange.attachments(MAILBOX, "m1", permit=permitted)
    with pytest.raises(NotThere):
        await exchange.attachment_bytes(MAILBOX, "m1", "a1", permit=permitted)
