from __future__ import annotations

import json

import httpx
import pytest

from cloud.errors import Unknown
from guard.notices.notice import Notice, NoticeLink
from guard.ports.directory import MemoryDirectory, Person
from guard.ports.mail_notices import HEADER, MailNotifier
from guard.ports.notifier import MemoryNotifier, NoticeRefused, NoticeRejected
from guard.ports.rows import MemoryRows, Myself, UserRow
from tests.cloud.scripted import MAILBOX, Scripted, problem
from tests.guard.builders import GUARD_ID, OBJECT_ID, ORGANIZATION, USER_ID

NOTICE = Notice(
    "d1", USER_ID, False, "Not accepted", "Why. Decision d1.",
    (NoticeLink("Row", "?pagetype=x"), NoticeLink("Show", "https://guard.contoso.com/decisions/d1")),
)  # fmt: skip


def mail_over(service: Scripted, *, mail: str | None = "anna@contoso.com") -> MailNotifier:
    rows = MemoryRows(Myself(ORGANIZATION, GUARD_ID))
    # What stands in Dataverse is what people try to change.
    rows.users = {USER_ID: UserRow(USER_ID, "ceo@contoso.com", OBJECT_ID)}
    return MailNotifier(
        service.graph,
        rows,
        MemoryDirectory([Person(OBJECT_ID, "anna@contoso.com", mail)]),
        MemoryNotifier(locales={USER_ID: 1036}),
        sender_id=MAILBOX,
        dataverse_url="https://contoso.crm.example.com/",
    )


async def test_it_is_sent_from_the_configured_mailbox_to_the_address_in_entra() -> None:
    service = Scripted(httpx.Response(202))
    await mail_over(service).give(NOTICE)
    assert service.decoded == [f"POST /v1.0/users/{MAILBOX}/sendMail"]
    sent = json.loads(service.request.content)
    message = sent["message"]
    assert sent["saveToSentItems"] is True
    assert message["toRecipients"] == [{"emailAddress": {"address": "anna@contoso.com"}}]
    assert message["internetMessageHeaders"] == [{"name": HEADER, "value": "d1"}]
    assert message["body"] == {
        "contentType": "text",
        "content": "Why. Decision d1.\n\n"
        "Row: https://contoso.crm.example.com/main.aspx?pagetype=x\n\n"
        "Show: https://guard.contoso.com/decisions/d1",
    }


async def test_what_may_have_been_sent_is_not_sent_again() -> None:
    service = Scripted(httpx.Response(504), httpx.Response(202))
    with pytest.raises(Unknown):
        await mail_over(service).give(NOTICE)
    assert len(service.requests) == 1


async def test_the_access_is_logged_as_one_to_a_mailbox_with_its_reason() -> None:
    service = Scripted(httpx.Response(202))
    await mail_over(service).give(NOTICE)
    (access,) = service.accesses
    assert (access.kind, access.mailbox) == ("mailbox", MAILBOX)
    assert access.reason == "guard: tell a person by mail why a change was refused"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (problem(403, "ErrorAccessDenied"), NoticeRefused),
        (problem(404, "ErrorInvalidUser"), NoticeRefused),
        (problem(400, "ErrorInvalidRecipients"), NoticeRejected),
    ],
)
async def test_a_missing_right_is_told_from_a_mail_that_is_not_taken(
    reply: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await mail_over(Scripted(reply)).give(NOTICE)


async def test_without_a_mailbox_in_entra_nothing_is_sent() -> None:
    service = Scripted(httpx.Response(202))
    with pytest.raises(NoticeRejected):
        await mail_over(service, mail=None).give(NOTICE)
    assert service.requests == []


async def test_the_language_is_that_of_dataverse() -> None:
    assert await mail_over(Scripted(httpx.Response(202))).locale_of(USER_ID) == 1036
