import base64

import httpx
import pytest

from cloud.errors import BadAnswer, CursorLost, ForeignLink, NotThere, RequestRejected, Throttled
from tests.cloud.scripted import (
    GRAPH,
    MAILBOX,
    OTHER_MAILBOX,
    USER,
    Scripted,
    ok,
    permitted,
    problem,
)

DELTA = f"{GRAPH.base_url}/users('{MAILBOX}')/mailfolders('inbox')/messages/delta?"


class TestUser:
    async def test_a_user_is_read_by_id_or_upn_with_an_explicit_list_of_properties(self) -> None:
        service = Scripted(ok({"id": USER}))
        assert await service.graph.user("anna@contoso.com") == {"id": USER}
        (request,) = service.decoded
        assert request.startswith("GET /v1.0/users/anna@contoso.com?$select=id,userPrincipalName,")
        for name in ("mail", "proxyAddresses", "otherMails", "accountEnabled", "userType"):
            assert name in request

    async def test_no_such_user_is_none(self) -> None:
        assert await Scripted(problem(404, "Request_ResourceNotFound")).graph.user(USER) is None

    async def test_a_404_of_something_else_on_the_way_proves_nothing(self) -> None:
        with pytest.raises(NotThere):
            await Scripted(httpx.Response(404, text="no route")).graph.user(USER)

    async def test_odd_names_stay_inside_their_segment(self) -> None:
        service = Scripted(ok({}))
        await service.graph.user("guest_fabrikam.com#EXT#@contoso.com", select=())
        await service.graph.user("$a'b@contoso.com", select=())
        await service.graph.user("a/groups?x", select=())
        with pytest.raises(ForeignLink):
            await service.graph.user("../groups", select=())
        assert [r.url.raw_path.decode() for r in service.requests] == [
            "/v1.0/users/guest_fabrikam.com%23EXT%23@contoso.com",
            "/v1.0/users(%27%24a%27%27b%40contoso.com%27)",
            "/v1.0/users/a%2Fgroups%3Fx",
        ]


class TestUsersByAddress:
    async def test_one_filter_over_upn_mail_and_proxy_addresses(self) -> None:
        service = Scripted(ok({"value": [{"id": "1"}]}))
        assert await service.graph.users_by_address("o'hara@contoso.com") == [{"id": "1"}]
        assert service.request.url.params["$filter"] == (
            "userPrincipalName eq 'o''hara@contoso.com' or mail eq 'o''hara@contoso.com'"
            " or proxyAddresses/any(p:p eq 'smtp:o''hara@contoso.com')"
            " or proxyAddresses/any(p:p eq 'SMTP:o''hara@contoso.com')"
        )
        assert service.request.url.params["$count"] == "true"
        assert service.request.headers["consistencylevel"] == "eventual"

    async def test_another_spelling_is_asked_for_in_lower_case_too(self) -> None:
        service = Scripted(ok({"value": []}))
        await service.graph.users_by_address("Anna@Contoso.com")
        asked = service.request.url.params["$filter"]
        assert "mail eq 'Anna@Contoso.com'" in asked
        assert "mail eq 'anna@contoso.com'" in asked

    async def test_every_page_is_read_with_the_same_consistency(self) -> None:
        service = Scripted(
            ok({"value": [{"id": "1"}], "@odata.nextLink": f"{GRAPH.base_url}/users?$skiptoken=2"}),
            ok({"value": [{"id": "2"}]}),
        )
        found = await service.graph.users_by_address("anna@contoso.com")
        assert [user["id"] for user in found] == ["1", "2"]
        assert [r.headers["consistencylevel"] for r in service.requests] == ["eventual"] * 2

    async def test_a_directory_that_refuses_the_filter_is_asked_in_parts(self) -> None:
        service = Scripted(
            problem(400, "Request_UnsupportedQuery"),
            ok({"value": [{"id": "1"}]}),
            ok({"value": [{"id": "1"}, {"id": "2"}]}),
            ok({"value": []}),
        )
        found = await service.graph.users_by_address("anna@contoso.com")
        assert [user["id"] for user in found] == ["1", "2"]
        assert service.requests[2].url.params["$filter"] == "mail eq 'anna@contoso.com'"

    async def test_another_refusal_is_told(self) -> None:
        with pytest.raises(RequestRejected):
            await Scripted(problem(409)).graph.users_by_address("anna@contoso.com")


class TestDirectoryRoles:
    async def test_roles_are_read_through_groups_and_over_pages(self) -> None:
        role = {"roleTemplateId": "29232cdf-9323-42fd-ade2-1d097af3e4de", "displayName": "x"}
        service = Scripted(
            ok({"value": [], "@odata.nextLink": f"{GRAPH.base_url}/users/u/transitiveMemberOf?x"}),
            ok({"value": [role]}),
        )
        assert await service.graph.directory_roles(USER) == [role]
        assert service.decoded[0] == (
            f"GET /v1.0/users/{USER}/transitiveMemberOf/microsoft.graph.directoryRole"
            "?$select=id,displayName,roleTemplateId"
        )

    async def test_nobody_has_no_roles(self) -> None:
        with pytest.raises(NotThere):
            await Scripted(problem(404)).graph.directory_roles(USER)

    async def test_a_next_link_that_leaves_graph_is_refused(self) -> None:
        page = {"value": [], "@odata.nextLink": "https://evil.example.net/v1.0/users"}
        service = Scripted(ok(page))
        with pytest.raises(ForeignLink):
            await service.graph.directory_roles(USER)
        assert len(service.requests) == 1


class TestMailboxSettings:
    async def test_only_what_is_named_is_asked_for_and_nothing_of_the_mailbox_is_opened(
        self,
    ) -> None:
        service = Scripted(ok({"userPurpose": "shared"}))
        settings = service.graph.mailbox_settings
        found = await settings(USER, select=["userPurpose"], reason="why")
        assert found == {"userPurpose": "shared"}
        assert service.decoded == [f"GET /v1.0/users/{USER}/mailboxSettings?$select=userPurpose"]
        (access,) = service.accesses
        assert (access.kind, access.mailbox, access.reason) == ("directory", "", "why")

    async def test_a_mailbox_that_asks_to_wait_keeps_nothing_else_waiting(self) -> None:
        service = Scripted(problem(429, retry_after="90"), ok({"id": USER}))
        graph = service.graph.within(10.0)
        with pytest.raises(Throttled):
            await graph.mailbox_settings(USER, select=["userPurpose"])
        with pytest.raises(Throttled):
            await graph.mailbox_settings(USER, select=["userPurpose"])
        assert await graph.user(USER) == {"id": USER}
        assert len(service.requests) == 2


class TestMessageDelta:
    async def test_a_round_begins_at_the_folder_and_follows_links_as_they_are(self) -> None:
        first = {"value": [{"id": "m1"}], "@odata.nextLink": DELTA + "$skiptoken=a%2Bb"}
        last = {"value": [], "@odata.deltaLink": DELTA + "$deltatoken=z"}
        service = Scripted(ok(first), ok(last))
        page = await service.graph.message_delta(MAILBOX, page_size=7, permit=permitted)
        assert (page.items, page.delta_link) == ([{"id": "m1"}], None)
        page = await service.graph.message_delta(
            MAILBOX, link=page.next_link, page_size=7, permit=permitted
        )
        assert (page.items, page.next_link) == ([], None)
        assert page.delta_link == DELTA + "$deltatoken=z"
        assert service.decoded[0].startswith(
            f"GET /v1.0/users/{MAILBOX}/mailFolders/inbox/messages/delta?$select=id,"
        )
        assert service.requests[1].url == DELTA + "$skiptoken=a%2Bb"
        assert [r.headers["prefer"] for r in service.requests] == [
            'IdType="ImmutableId", odata.maxpagesize=7'
        ] * 2
        assert [(a.kind, a.mailbox) for a in service.accesses] == [("mailbox", MAILBOX)] * 2

    @pytest.mark.parametrize(
        "link",
        [
            "https://evil.example.net/v1.0/users('x')/messages/delta",
            DELTA.replace(MAILBOX, OTHER_MAILBOX) + "$deltatoken=z",
        ],
    )
    async def test_a_link_out_of_the_service_or_the_mailbox_is_refused(self, link) -> None:
        service = Scripted(ok({"value": [], "@odata.deltaLink": link}))
        with pytest.raises(ForeignLink):
            await service.graph.message_delta(MAILBOX, permit=permitted)
        with pytest.raises(ForeignLink):
            await service.graph.message_delta(MAILBOX, link=link, permit=permitted)
        assert len(service.requests) == 1

    async def test_a_page_without_any_link_is_unusable(self) -> None:
        for body in ({"value": []}, {"@odata.deltaLink": DELTA}, [1], {"value": ["x"]}):
            with pytest.raises(BadAnswer):
                await Scripted(ok(body)).graph.message_delta(MAILBOX, permit=permitted)

    async def test_a_dead_link_is_a_lost_cursor(self) -> None:
        service = Scripted(problem(410, "syncStateNotFound"))
        with pytest.raises(CursorLost):
            await service.graph.message_delta(MAILBOX, link=DELTA + "x", permit=permitted)


class TestMessage:
    async def test_a_message_is_read_with_its_immutable_id(self) -> None:
        service = Scripted(ok({"id": "A="}))
        found = await service.graph.message(MAILBOX, "A/+=", select=("id",), permit=permitted)
        assert found == {"id": "A="}
        assert service.request.headers["prefer"] == 'IdType="ImmutableId"'
        path = f"/v1.0/users/{MAILBOX}/messages/A%2F%2B%3D?$select=id"
        assert service.request.url.raw_path.decode() == path

    async def test_only_an_item_that_is_said_to_be_gone_is_none(self) -> None:
        gone = Scripted(problem(404, "ErrorItemNotFound"))
        assert await gone.graph.message(MAILBOX, "m", permit=permitted) is None

    @pytest.mark.parametrize(
        "code", ["MailboxNotEnabledForRESTAPI", "ErrorInvalidUser", "ResourceNotFound", ""]
    )
    async def test_a_mailbox_that_is_gone_says_nothing_about_its_items(self, code) -> None:
        with pytest.raises(NotThere):
            await Scripted(problem(404, code)).graph.message(MAILBOX, "m", permit=permitted)


class TestAttachments:
    async def test_they_are_listed_without_their_bytes_over_all_pages(self) -> None:
        link = f"{GRAPH.base_url}/users('{MAILBOX}')/messages('m')/attachments?$skip=1"
        service = Scripted(
            ok({"value": [{"id": "a", "contentBytes": "eA=="}], "@odata.nextLink": link}),
            ok({"value": [{"id": "b"}]}),
        )
        found = await service.graph.attachments(MAILBOX, "m", permit=permitted)
        assert found == [{"id": "a"}, {"id": "b"}]
        assert service.requests[0].url.params["$select"].startswith("id,name,contentType,size")
        assert {r.headers["prefer"] for r in service.requests} == {'IdType="ImmutableId"'}

    async def test_a_files_bytes_come_from_the_attachment_itself(self) -> None:
        service = Scripted(ok({"contentBytes": base64.b64encode(b"\x00report").decode()}))
        content = await service.graph.attachment_bytes(MAILBOX, "m", "a", permit=permitted)
        assert content == b"\x00report"
        assert service.decoded == [f"GET /v1.0/users/{MAILBOX}/messages/m/attachments/a"]

    async def test_an_attached_item_comes_as_its_mime_text(self) -> None:
        service = Scripted(ok({"id": "a"}), httpx.Response(200, content=b"From: x"))
        content = await service.graph.attachment_bytes(MAILBOX, "m", "a", permit=permitted)
        assert content == b"From: x"
        assert service.decoded[1].endswith("/attachments/a/$value")

    async def test_bytes_that_are_no_base64_are_refused(self) -> None:
        service = Scripted(ok({"contentBytes": "%%%"}))
        with pytest.raises(BadAnswer):
            await service.graph.attachment_bytes(MAILBOX, "m", "a", permit=permitted)


async def test_another_deadline_and_urgency_for_the_same_calls() -> None:
    service = Scripted(ok({}))
    await service.graph.within(1.5).user(USER)
    assert service.request.extensions["timeout"]["read"] == 1.5
