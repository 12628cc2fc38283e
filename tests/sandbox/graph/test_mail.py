"""Messages, attachments, permissions on mailboxes, and what is not there."""

from __future__ import annotations

import pytest

from sandbox import people
from sandbox.faults import PlannedFault
from sandbox.people import ANNA, BOB, CEO

OWNER = f"users/{BOB.object_id}"


async def first_message(graph, query: str = "", **headers: str) -> dict[str, object]:
    answer = await graph("GET", f"{OWNER}/messages?$top=1{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()["value"][0]
    return found


async def test_headers_come_only_when_selected(graph) -> None:
    plain = await first_message(graph, "&$filter=isDraft eq false")
    assert "internetMessageHeaders" not in plain
    path = f"{OWNER}/messages/{plain['id']}?$select=internetMessageHeaders,subject"
    chosen = (await graph("GET", path)).json()
    assert chosen["internetMessageHeaders"][0]["name"] == "Message-ID"
    assert set(chosen) == {
        "@odata.context",
        "@odata.etag",
        "id",
        "internetMessageHeaders",
        "subject",
    }


async def test_bodies_come_as_text_when_preferred(graph) -> None:
    query = "&$filter=subject eq 'Order 1'"
    html = await first_message(graph, query)
    assert html["body"]["contentType"] == "html"
    text = await first_message(graph, query, Prefer='outlook.body-content-type="text"')
    assert text["body"] == {"contentType": "text", "content": "Order 1 is on its way."}


async def test_ids_are_case_sensitive(graph) -> None:
    message = await first_message(graph)
    answer = await graph("GET", f"{OWNER}/messages/{str(message['id']).swapcase()}")
    assert answer.json()["error"]["code"] == "ErrorItemNotFound"


async def test_inline_files_are_not_attachments_to_the_flag(graph) -> None:
    file = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": "logo.png",
        "contentType": "image/png",
        "contentBytes": "AAAA",
        "isInline": True,
        "contentId": "logo",
    }
    body = {"subject": "With a picture", "attachments": [file]}
    made = (await graph("POST", f"{OWNER}/messages", json=body)).json()
    assert (made["isDraft"], made["hasAttachments"]) == (True, False)
    listed = await graph("GET", f"{OWNER}/messages/{made['id']}/attachments?$select=name,isInline")
    only = listed.json()["value"][0]
    assert "contentBytes" not in only
    assert only["isInline"] is True


async def test_a_stamp_is_found_again_by_its_filter(graph) -> None:
    stamp = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name DataverseId"
    body = {"subject": "x", "singleValueExtendedProperties": [{"id": stamp, "value": "token-1"}]}
    made = (await graph("POST", f"{OWNER}/messages", json=body)).json()
    wanted = f"singleValueExtendedProperties/Any(ep: ep/id eq '{stamp}' and ep/value eq 'token-1')"
    found = await graph("GET", f"{OWNER}/messages", params={"$filter": wanted})
    assert [one["id"] for one in found.json()["value"]] == [made["id"]]


async def test_a_draft_keeps_its_immutable_id_when_it_is_sent(sandbox, graph) -> None:
    headers = {"Prefer": 'IdType="ImmutableId"'}
    body = {
        "subject": "Sent",
        "toRecipients": [{"emailAddress": {"address": ANNA.address}}],
        "internetMessageHeaders": [{"name": "x-guard", "value": "1"}],
    }
    made = (await graph("POST", f"{OWNER}/messages", json=body, headers=headers)).json()
    sent = await graph("POST", f"{OWNER}/messages/{made['id']}/send")
    assert (sent.status_code, sent.content) == (202, b"")
    again = (await graph("GET", f"{OWNER}/messages/{made['id']}", headers=headers)).json()
    assert again["isDraft"] is False
    assert again["parentFolderId"] == sandbox.mailbox("bob").folder("sentitems").id
    arrived = sandbox.mailbox("anna").in_folder(sandbox.mailbox("anna").folder("inbox").id)
    assert arrived[0].properties["internetMessageId"] == made["internetMessageId"]
    twice = await graph("POST", f"{OWNER}/messages/{made['id']}/send")
    assert twice.status_code == 400


async def test_the_parameters_of_send_mail_have_any_capitals(sandbox, graph) -> None:
    message = {"subject": "Now", "toRecipients": [{"emailAddress": {"address": CEO.address}}]}
    body = {"Message": message, "SaveToSentItems": False}
    assert (await graph("POST", f"{OWNER}/sendMail", json=body)).status_code == 202
    ceo = sandbox.mailbox("ceo")
    assert ceo.in_folder(ceo.folder("inbox").id)[0].properties["subject"] == "Now"
    bob = sandbox.mailbox("bob")
    assert bob.in_folder(bob.folder("sentitems").id) == []


class TestPermission:
    async def test_an_application_without_mail_roles_reads_no_mail(self, graph) -> None:
        answer = await graph("GET", f"{OWNER}/messages", which="guard")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ErrorAccessDenied")

    async def test_a_scope_opens_single_mailboxes(self, sandbox, graph) -> None:
        sandbox.graph.mail.scoped[people.GUARD_CLIENT_ID] = {BOB.object_id}
        assert (await graph("GET", f"{OWNER}/messages", which="guard")).status_code == 200
        other = await graph("GET", f"users/{CEO.object_id}/messages", which="guard")
        assert other.status_code == 403

    async def test_an_access_policy_closes_single_mailboxes(self, sandbox, graph) -> None:
        sandbox.graph.mail.denied[people.SYNC_CLIENT_ID] = {CEO.object_id}
        answer = await graph("GET", f"users/{CEO.object_id}/messages")
        assert "[RAOP]" in answer.json()["error"]["message"]

    async def test_a_user_without_a_mailbox_is_not_an_empty_mailbox(self, sandbox, graph) -> None:
        del sandbox.exchange.mailboxes[CEO.object_id]
        answer = await graph("GET", f"users/{CEO.object_id}/mailFolders/inbox/messages/delta")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "MailboxNotEnabledForRESTAPI"

    async def test_an_unknown_user_is_told_apart(self, graph) -> None:
        answer = await graph("GET", "users/nobody@contoso.com/messages")
        assert answer.json()["error"]["code"] == "ErrorInvalidUser"


async def test_errors_carry_the_ids_that_support_asks_for(graph) -> None:
    headers = {"client-request-id": "11111111-2222-4333-8444-555555555555"}
    answer = await graph("GET", f"{OWNER}/messages/none", headers=headers)
    inner = answer.json()["error"]["innerError"]
    assert inner["client-request-id"] == answer.headers["client-request-id"]
    assert answer.headers["client-request-id"] == headers["client-request-id"]
    assert inner["request-id"] == answer.headers["request-id"]


async def test_an_expired_token_is_refused(sandbox, client) -> None:
    token = sandbox.tokens.issue(
        sandbox.graph_url, {"appid": "a", "oid": "o", "tid": "t", "idtyp": "app", "exp": 1}
    )
    url = f"{sandbox.graph_url}/v1.0/{OWNER}"
    answer = await client.get(url, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"
    assert "expired" in answer.json()["error"]["message"]


async def test_a_planned_throttling_is_answered(sandbox, graph) -> None:
    fault = PlannedFault("graph", BOB.object_id, 429, headers={"Retry-After": "3"})
    sandbox.faults.add(fault)
    answer = await graph("GET", f"{OWNER}/messages")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert (await graph("GET", f"{OWNER}/messages")).status_code == 200


@pytest.mark.parametrize("path", ["nosuch", f"{OWNER}/nosuch", "users/x/y/z"])
async def test_an_unknown_path_is_refused(path, graph) -> None:
    assert (await graph("GET", path)).status_code == 400


async def test_basic_reading_leaves_the_words_out(sandbox, graph) -> None:
    sandbox.directory.applications[people.SYNC_CLIENT_ID].graph_roles = {"Mail.ReadBasic.All"}
    message = await first_message(graph)
    assert "subject" in message
    assert not {"body", "bodyPreview"} & set(message)
    files = await graph("GET", f"{OWNER}/messages/{message['id']}/attachments")
    assert files.status_code == 403


async def test_lists_are_ordered_counted_and_paged(graph) -> None:
    link = f"{OWNER}/mailFolders/inbox/messages?$orderby=receivedDateTime&$top=12&$count=true"
    subjects: list[str] = []
    while link:
        body = (await graph("GET", link)).json()
        assert body["@odata.count"] == 30
        subjects += [one["subject"] for one in body["value"]]
        link = body.get("@odata.nextLink")
    assert subjects == [f"Order {number}" for number in range(1, 31)]
