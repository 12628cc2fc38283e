import json
from datetime import UTC, datetime

import httpx
import pytest

from cloud.dataverse import Role, WhoAmI
from cloud.errors import (
    BadAnswer,
    ForeignLink,
    NotThere,
    PreconditionFailed,
    Refused,
    RequestRejected,
    Unknown,
    WebhookRejected,
)
from kernel.errors import Bug
from tests.cloud.scripted import DATAVERSE, ROW, STEP, USER, Scripted, no_content, ok, problem

ETAG = 'W/"123"'
ANNOTATED = 'odata.include-annotations="*"'


class TestReads:
    async def test_the_documented_headers_are_sent(self) -> None:
        service = Scripted(ok({"mailboxid": ROW}))
        await service.dataverse.get("mailboxes", ROW, select=("emailaddress",))
        headers = service.request.headers
        for name, value in {
            "accept": "application/json",
            "odata-version": "4.0",
            "odata-maxversion": "4.0",
            "if-none-match": "null",
            "prefer": ANNOTATED,
            "authorization": "Bearer token",
        }.items():
            assert headers[name] == value
        assert service.decoded == [f"GET /api/data/v9.2/mailboxes({ROW})?$select=emailaddress"]

    async def test_no_such_row_is_none(self) -> None:
        assert await Scripted(problem(404, "0x80040217")).dataverse.get("mailboxes", ROW) is None

    async def test_an_unknown_table_is_not_an_absent_row(self) -> None:
        for reply in (problem(404, "0x8006088a"), httpx.Response(404, text="no route")):
            with pytest.raises(NotThere):
                await Scripted(reply).dataverse.get("mailboxes", ROW)

    async def test_a_key_in_braces_and_capitals_is_the_same_key(self) -> None:
        service = Scripted(ok())
        await service.dataverse.get("mailboxes", "{" + ROW.upper() + "}")
        assert service.decoded == [f"GET /api/data/v9.2/mailboxes({ROW})"]

    async def test_what_is_no_guid_reaches_no_path(self) -> None:
        service = Scripted(ok())
        with pytest.raises(Bug):
            await service.dataverse.get("mailboxes", "x) or (1 eq 1")
        assert service.requests == []

    async def test_who_am_i(self) -> None:
        body = {"OrganizationId": ROW.upper(), "UserId": USER, "BusinessUnitId": ROW}
        assert await Scripted(ok(body)).dataverse.who_am_i() == WhoAmI(ROW, USER, ROW)
        with pytest.raises(BadAnswer):
            await Scripted(ok({})).dataverse.who_am_i()

    async def test_pages_are_followed_with_the_page_size_on_each(self) -> None:
        link = f"{DATAVERSE.base_url}/mailboxes?$skiptoken=%3Ccookie%3E"
        service = Scripted(
            ok({"value": [{"n": 1}, {"n": 2}], "@odata.nextLink": link}), ok({"value": [{"n": 3}]})
        )
        pages = [
            page
            async for page in service.dataverse.pages(
                "mailboxes", select=("n",), filter="statecode eq 0", page_size=2
            )
        ]
        assert pages == [[{"n": 1}, {"n": 2}], [{"n": 3}]]
        assert service.decoded[0].endswith("/mailboxes?$select=n&$filter=statecode%20eq%200")
        assert service.requests[1].url == link
        assert {r.headers["prefer"] for r in service.requests} == {
            f"{ANNOTATED},odata.maxpagesize=2"
        }

    async def test_a_page_says_when_it_was_answered_by_the_clock_of_the_service(self) -> None:
        body = {"value": [{"n": 1}]}
        for said, at in (
            ("Sun, 01 Mar 2026 12:00:00 GMT", datetime(2026, 3, 1, 12, tzinfo=UTC)),
            ("some day", None),
            (None, None),
        ):
            answer = ok(body) if said is None else ok(body, date=said)
            service = Scripted(answer)
            pages = [page async for page in service.dataverse.pages("mailboxes")]
            assert [page.answered_at for page in pages] == [at]

    async def test_a_next_link_elsewhere_or_in_a_circle_is_refused(self) -> None:
        for link, kind in (
            ("https://evil.example.net/api/data/v9.2/x", ForeignLink),
            (f"{DATAVERSE.base_url}/x?2", BadAnswer),
        ):
            service = Scripted(ok({"value": [], "@odata.nextLink": link}))
            with pytest.raises(kind):
                await service.dataverse.rows("x")
            assert len(service.requests) <= 2


class TestRoles:
    async def test_direct_roles(self) -> None:
        row = {
            "roleid": ROW.upper(),
            "name": "System Administrator",
            "_roletemplateid_value": "627090FF-40A3-4053-8790-584EDC5BE201",
            "_parentrootroleid_value": None,
        }
        service = Scripted(ok({"value": [row]}))
        (role,) = await service.dataverse.roles_of(USER)
        assert role == Role(ROW, "System Administrator", "627090ff-40a3-4053-8790-584edc5be201")
        assert service.decoded[0].startswith(
            f"GET /api/data/v9.2/systemusers({USER})/systemuserroles_association?$select=roleid,"
        )

    async def test_nobody_has_no_roles(self) -> None:
        with pytest.raises(NotThere):
            await Scripted(problem(404)).dataverse.roles_of(USER)

    async def test_roles_of_teams_come_once_expanded_or_not(self) -> None:
        teams = [
            {"teamid": ROW, "teamroles_association": [{"roleid": "r1", "name": "A"}]},
            {"teamid": ROW, "teamroles_association": [{"roleid": "r1", "name": "A"}]},
            {"teamid": ROW},
        ]
        service = Scripted(ok({"value": teams}), ok({"value": [{"roleid": "r2", "name": "B"}]}))
        roles = await service.dataverse.team_roles_of(USER)
        assert [role.role_id for role in roles] == ["r1", "r2"]
        assert "$expand=teamroles_association($select=roleid,name," in service.decoded[0]
        assert f"/teams({ROW})/teamroles_association" in service.decoded[1]

    async def test_a_privilege_is_held_when_the_list_is_not_empty(self) -> None:
        name = "prvApproveRejectEmailAddress"
        held = Scripted(ok({"RolePrivileges": [{"PrivilegeName": name, "Depth": "Global"}]}))
        assert await held.dataverse.has_privilege(USER, name)
        assert held.decoded == [
            f"GET /api/data/v9.2/systemusers({USER})/Microsoft.Dynamics.CRM."
            f"RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='{name}')"
        ]
        assert not await Scripted(ok({"RolePrivileges": []})).dataverse.has_privilege(USER, name)
        with pytest.raises(BadAnswer):
            await Scripted(ok({})).dataverse.has_privilege(USER, name)


class TestUpdate:
    async def update(self, service: Scripted, **changes) -> None:
        values = {"emailaddress": "anna@contoso.com"}
        await service.dataverse.update(
            "mailboxes", ROW, values, **({"if_match": ETAG, "failpoint": STEP} | changes)
        )

    async def test_it_is_conditional_tagged_and_bypasses_only_named_steps(self) -> None:
        service = Scripted(no_content())
        await self.update(service, tag="guard:a&b", bypass_steps=["s1", "s2"])
        request = service.request
        assert request.method == "PATCH"
        assert request.url.params["tag"] == "guard:a&b"
        assert request.headers["if-match"] == ETAG
        assert "if-none-match" not in request.headers
        assert request.headers["mscrm.bypassbusinesslogicexecutionstepids"] == "s1,s2"
        assert request.headers["content-type"] == "application/json; charset=utf-8"
        assert json.loads(request.content) == {"emailaddress": "anna@contoso.com"}

    async def test_a_newer_row_is_a_failed_precondition(self) -> None:
        with pytest.raises(PreconditionFailed):
            await self.update(Scripted(problem(412, "0x80060882")))

    async def test_a_newer_row_after_a_lost_answer_may_be_our_own_doing(self) -> None:
        with pytest.raises(Unknown):
            await self.update(Scripted(httpx.ReadError("lost"), problem(412, "0x80060882")))

    async def test_other_refusals_are_told_by_their_kind(self) -> None:
        for reply, kind in (
            (problem(404), NotThere),
            (problem(403, "0x80040220"), Refused),
            (problem(400, "0x80050201"), WebhookRejected),
            (problem(500, "0x80050201"), WebhookRejected),
            (problem(503, "0x80050202"), WebhookRejected),
        ):
            with pytest.raises(kind):
                await self.update(Scripted(reply))


class TestRemove:
    async def remove(self, service: Scripted) -> bool:
        return await service.dataverse.remove("serviceendpoints", ROW, failpoint=STEP)

    async def test_a_row_is_removed_by_its_key(self) -> None:
        service = Scripted(no_content())
        assert await self.remove(service) is True
        assert service.decoded == [f"DELETE /api/data/v9.2/serviceendpoints({ROW})"]

    async def test_a_row_that_is_gone_already_is_removed(self) -> None:
        assert await self.remove(Scripted(problem(404, "0x80040217"))) is False
        lost = Scripted(httpx.ReadError("lost"), problem(404, "0x80040217"))
        assert await self.remove(lost) is False

    async def test_a_path_that_nobody_knows_is_told(self) -> None:
        for reply in (problem(404), problem(404, "0x80060888")):
            with pytest.raises(NotThere):
                await self.remove(Scripted(reply))


class TestCreateIfAbsent:
    async def create(self, service: Scripted) -> bool:
        return await service.dataverse.create_if_absent(
            "emails", ROW, {"subject": "ä"}, failpoint=STEP
        )

    async def test_it_creates_under_the_given_id_and_never_overwrites(self) -> None:
        service = Scripted(no_content())
        assert await self.create(service) is True
        assert service.request.headers["if-none-match"] == "*"
        assert service.decoded == [f"PATCH /api/data/v9.2/emails({ROW})"]
        assert service.request.content == '{"subject": "ä"}'.encode()

    async def test_a_row_that_exists_is_not_an_error(self) -> None:
        assert await self.create(Scripted(problem(412, "0x80060891"))) is False
        assert await self.create(Scripted(problem(400, "0x80040237"))) is False
        assert await self.create(Scripted(httpx.ReadError("lost"), problem(412))) is False

    async def test_a_row_that_only_looks_like_another_is_refused_and_does_not_exist(self) -> None:
        with pytest.raises(RequestRejected, match="0x80040333"):
            await self.create(Scripted(problem(412, "0x80040333")))
