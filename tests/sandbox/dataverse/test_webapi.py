"""Paths, headers and bodies of the Web API."""

from __future__ import annotations

import httpx
import pytest

from sandbox import people
from sandbox.faults import PlannedFault
from sandbox.people import ANNA, APPROVER
from sandbox.server import Sandbox

MAILBOX = f"mailboxes({ANNA.mailbox_id})"


async def test_without_a_good_token_nothing_is_answered(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    url = f"{sandbox.dataverse_url}/api/data/v9.2/WhoAmI"
    wrong = sandbox.user_token("anna", resource=sandbox.graph_url)
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {wrong}"}):
        answer = await client.get(url, headers=header)
        assert answer.status_code == 401
        assert "authorization_uri" in answer.headers["www-authenticate"]


async def test_an_etag_guards_against_a_lost_update(webapi) -> None:
    first = await webapi("anna", "GET", f"{MAILBOX}?$select=username")
    tag = first.json()["@odata.etag"]
    ok = await webapi("anna", "PATCH", MAILBOX, json={"username": "a"}, headers={"If-Match": tag})
    assert ok.status_code == 204
    late = await webapi("anna", "PATCH", MAILBOX, json={"username": "b"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["error"]["code"]) == (412, "0x80060882")


async def test_if_match_star_never_creates(webapi) -> None:
    path = "emails(11111111-2222-4333-8444-555555555555)"
    missing = await webapi("admin", "PATCH", path, json={"subject": "x"}, headers={"If-Match": "*"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "0x80040217")
    made = await webapi("admin", "PATCH", path, json={"subject": "x"})
    assert made.status_code == 204
    assert made.headers["odata-entityid"].endswith(f"/{path}")


async def test_a_representation_comes_back_when_preferred(webapi) -> None:
    headers = {"Prefer": 'return=representation,odata.include-annotations="*"'}
    answer = await webapi(
        "anna",
        "PATCH",
        f"{MAILBOX}?$select=actdeliverymethod",
        json={"actdeliverymethod": 1},
        headers=headers,
    )
    assert answer.status_code == 200
    label = "actdeliverymethod@OData.Community.Display.V1.FormattedValue"
    assert answer.json()[label] == "Server-Side Synchronization"


async def test_pages_follow_each_other_by_their_links(sandbox, client, webapi) -> None:
    headers = {"Prefer": "odata.maxpagesize=4"}
    query = (
        "systemusers?$select=fullname&$orderby=fullname desc&$count=true&$filter=islicensed eq true"
    )
    answer = (await webapi("anna", "GET", query, headers=headers)).json()
    total, found = answer["@odata.count"], list(answer["value"])
    token = {"Authorization": f"Bearer {sandbox.user_token('anna')}", **headers}
    while "@odata.nextLink" in answer:
        answer = (await client.get(answer["@odata.nextLink"], headers=token)).json()
        assert len(answer["value"]) <= 4
        found += answer["value"]
    names = [one["fullname"] for one in found]
    assert len(names) == total == len(people.SAMPLES)
    assert names == sorted(names, key=str.casefold, reverse=True)


@pytest.mark.parametrize(
    ("condition", "aliases"),
    [
        ("emailaddress eq 'ANNA@contoso.com'", {"anna"}),
        (
            "emailaddress eq 'anna@contoso.com' or emailaddress eq 'bob@contoso.com'",
            {"anna", "bob"},
        ),
        ("emailrouteraccessapproval ne 1 and startswith(emailaddress,'b')", {"bob"}),
        (
            "contains(emailaddress,'admin') and not (emailaddress eq 'admin@contoso.com')",
            {"global.admin", "exchange.admin"},
        ),
        (f"_regardingobjectid_value eq {ANNA.user_id}", {"anna"}),
        (f"regardingobjectid_systemuser/domainname eq '{APPROVER.address}'", {"approver"}),
        ("emailaddress in ('ceo@contoso.com','cfo@contoso.com')", {"ceo", "cfo"}),
        ("createdon gt 2030-01-01T00:00:00Z", set()),
        ("username ne null", set()),
    ],
)
async def test_filters_choose_rows(condition, aliases, webapi) -> None:
    answer = await webapi("anna", "GET", f"mailboxes?$select=emailaddress&$filter={condition}")
    assert answer.status_code == 200, answer.text
    found = {one["emailaddress"].partition("@")[0] for one in answer.json()["value"]}
    assert found == aliases


@pytest.mark.parametrize(
    "path",
    [
        "mailboxes?$filter=nosuch eq 1",
        "mailboxes?$filter=emailaddress eq",
        "mailboxes?$select=ownerid",
        "mailboxes?$skip=2",
        "mailboxes?$expand=nosuch",
    ],
)
async def test_a_query_that_cannot_be_understood_is_refused(path, webapi) -> None:
    assert (await webapi("anna", "GET", path)).status_code == 400


async def test_an_unknown_property_in_a_body_is_refused(webapi) -> None:
    answer = await webapi("anna", "PATCH", MAILBOX, json={"nosuch": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80048d19")
    answer = await webapi("anna", "PATCH", MAILBOX, json={"emailrouteraccessapproval": 9})
    assert answer.json()["error"]["code"] == "0x8004431a"


async def test_roles_are_told_directly_and_through_teams(sandbox, webapi) -> None:
    team = sandbox.dataverse.insert("team", {"name": "Approvers"})
    role = people.role_id(people.DELEGATED_APPROVER)
    sandbox.dataverse.insert("teamroles", {"teamid": team["teamid"], "roleid": role})
    member = {"teamid": team["teamid"], "systemuserid": people.ADMIN.user_id}
    sandbox.dataverse.insert("teammembership", member)
    user = f"systemusers({people.ADMIN.user_id})"
    direct = await webapi("anna", "GET", f"{user}/systemuserroles_association?$select=roleid,name")
    assert [one["name"] for one in direct.json()["value"]] == ["System Administrator"]
    through = await webapi(
        "anna",
        "GET",
        f"{user}/teammembership_association?$select=teamid,name,teamtype"
        "&$expand=teamroles_association($select=roleid,name)",
    )
    assert [
        role["name"] for team in through.json()["value"] for role in team["teamroles_association"]
    ] == ["Delegated Mailbox Approver"]


async def test_secrets_are_never_read_back(sandbox, webapi) -> None:
    sandbox.register("http://127.0.0.1:9/x", "very-secret")
    answer = await webapi("admin", "GET", "serviceendpoints")
    assert "very-secret" not in answer.text
    assert answer.json()["value"][0]["isauthvalueset"] is True


async def test_a_disabled_user_is_not_let_in(sandbox, webapi) -> None:
    path = f"systemusers({ANNA.user_id})"
    assert (await webapi("admin", "PATCH", path, json={"isdisabled": True})).status_code == 204
    assert (await webapi("anna", "GET", "WhoAmI")).status_code == 403


async def test_planned_faults_answer_instead_or_afterwards(sandbox, webapi) -> None:
    throttled = PlannedFault(
        "dataverse",
        "mailboxes",
        429,
        headers={"Retry-After": "7"},
        body={"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit."}},
    )
    sandbox.faults.add(throttled)
    answer = await webapi("anna", "PATCH", MAILBOX, json={"username": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert sandbox.row("mailbox", ANNA.mailbox_id)["username"] is None
    sandbox.faults.add(PlannedFault("dataverse", "mailboxes", 504, method="PATCH", after=True))
    answer = await webapi("anna", "PATCH", MAILBOX, json={"username": "a"})
    assert answer.status_code == 504
    assert sandbox.row("mailbox", ANNA.mailbox_id)["username"] == "a"


async def test_every_request_is_in_the_access_log(sandbox, webapi) -> None:
    await webapi("anna", "GET", "WhoAmI")
    entry = sandbox.access_log()[-1]
    assert (entry.origin, entry.route, entry.caller, entry.status) == (
        "dataverse",
        "dataverse GET /WhoAmI",
        ANNA.address,
        200,
    )


async def test_lookups_can_be_expanded_and_followed(webapi) -> None:
    path = f"{MAILBOX}?$select=emailaddress&$expand=emailserverprofile($select=name)"
    row = (await webapi("anna", "GET", path)).json()
    assert row["emailserverprofile"]["name"] == "Microsoft Exchange Online"
    user = "regardingobjectid_systemuser($select=domainname)"
    row = (await webapi("anna", "GET", f"{MAILBOX}?$expand={user}")).json()
    assert row["regardingobjectid_systemuser"]["domainname"] == ANNA.address
    row = (await webapi("anna", "GET", f"{MAILBOX}?$expand=regardingobjectid_queue")).json()
    assert row["regardingobjectid_queue"] is None
    followed = await webapi("anna", "GET", f"{MAILBOX}/emailserverprofile?$select=name")
    assert followed.json()["name"] == "Microsoft Exchange Online"
    user = f"systemusers({people.GUARD_USER_ID})/defaultmailbox"
    assert (await webapi("anna", "GET", user)).status_code == 204


async def test_every_privilege_of_a_user_is_listed(webapi) -> None:
    crm = f"systemusers({people.DESK.user_id})/Microsoft.Dynamics.CRM"
    body = (await webapi("anna", "GET", f"{crm}.RetrieveUserPrivileges()")).json()
    depths = {one["PrivilegeName"]: one["Depth"] for one in body["RolePrivileges"]}
    assert (depths["prvWriteMailbox"], depths["prvCreateActivity"]) == ("Global", "Basic")
    by_name = "RetrieveUserPrivilegeByPrivilegeName(PrivilegeName=@p)?@p='prvNothing'"
    assert (await webapi("anna", "GET", f"{crm}.{by_name}")).json()["RolePrivileges"] == []
    roles = (await webapi("anna", "GET", f"{crm}.RetrieveAadUserRoles()")).json()["value"]
    assert {one["name"] for one in roles} == {"Basic User", "Service Desk"}
    assert (await webapi("anna", "GET", f"{crm}.Nothing()")).status_code == 404


async def test_an_unchanged_row_is_not_sent_again(webapi) -> None:
    first = await webapi("anna", "GET", MAILBOX)
    headers = {"If-None-Match": first.headers["etag"]}
    assert (await webapi("anna", "GET", MAILBOX, headers=headers)).status_code == 304


async def test_impersonation_needs_its_privilege(webapi) -> None:
    headers = {"MSCRMCallerID": people.CEO.user_id}
    assert (await webapi("anna", "GET", "WhoAmI", headers=headers)).status_code == 403
    found = await webapi("admin", "GET", "WhoAmI", headers=headers)
    assert found.json()["UserId"] == people.CEO.user_id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nosuches", 404),
        ("GET", "mailboxes(11111111-2222-4333-8444-555555555555)", 404),
        ("PATCH", "mailboxes", 405),
        ("PUT", MAILBOX, 405),
        ("POST", "mailboxes/Microsoft.Dynamics.CRM.CreateMultiple", 404),
        ("DELETE", "emails(11111111-2222-4333-8444-555555555555)", 404),
        ("GET", "EntityDefinitions(LogicalName='nosuch')", 404),
    ],
)
async def test_what_is_not_there_is_said(method, path, status, webapi) -> None:
    assert (await webapi("admin", method, path)).status_code == status


async def test_more_than_three_steps_are_not_bypassed(webapi) -> None:
    steps = ",".join(["11111111-2222-4333-8444-555555555555"] * 4)
    headers = {"MSCRM.BypassBusinessLogicExecutionStepIds": steps}
    answer = await webapi("admin", "PATCH", MAILBOX, json={"username": "x"}, headers=headers)
    assert answer.status_code == 400
