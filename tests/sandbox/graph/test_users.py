"""The directory: who owns an address, who holds a role."""

from __future__ import annotations

import pytest

from sandbox import people
from sandbox.directory import Group
from sandbox.people import ANNA, EXCHANGE_ADMIN

EVENTUAL = {"ConsistencyLevel": "eventual"}


async def test_the_default_properties_leave_addresses_out(graph) -> None:
    body = (await graph("GET", f"users/{ANNA.object_id}")).json()
    assert "proxyAddresses" not in body
    assert "accountEnabled" not in body
    path = f"users/{ANNA.address}?$select=id,proxyAddresses,accountEnabled"
    body = (await graph("GET", path)).json()
    assert body["proxyAddresses"] == ["SMTP:anna@contoso.com", "smtp:anna.sales@contoso.com"]


async def test_an_alias_is_no_key(graph) -> None:
    answer = await graph("GET", "users/anna.sales@contoso.com")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "Request_ResourceNotFound")


@pytest.mark.parametrize(
    "condition",
    [
        "proxyAddresses/any(p:p eq 'smtp:anna.sales@contoso.com')",
        "proxyAddresses/any(p:p eq 'SMTP:ANNA@contoso.com') or mail eq 'nobody@contoso.com'",
        "userPrincipalName eq 'anna@contoso.com'",
        "mail eq 'anna@contoso.com' or otherMails/any(m:m eq 'anna@contoso.com')",
        "startswith(userPrincipalName,'anna')",
    ],
)
async def test_the_owner_of_an_address_is_found(condition, graph) -> None:
    answer = await graph("GET", "users", params={"$filter": condition, "$select": "id"})
    assert [one["id"] for one in answer.json()["value"]] == [ANNA.object_id]


async def test_advanced_queries_need_their_header(graph) -> None:
    params = {"$filter": "endswith(mail,'@contoso.com')", "$count": "true"}
    refused = await graph("GET", "users", params=params)
    assert refused.status_code == 400
    found = await graph("GET", "users", params=params, headers=EVENTUAL)
    assert found.json()["@odata.count"] == len(people.SAMPLES) + 1


async def test_lists_come_in_pages(graph) -> None:
    link, ids = "users?$top=4&$select=id", []
    while link:
        body = (await graph("GET", link)).json()
        ids += [one["id"] for one in body["value"]]
        link = body.get("@odata.nextLink")
    assert len(ids) == len(set(ids)) == len(people.SAMPLES) + 1


@pytest.mark.parametrize("cast", ["graph.directoryRole", "microsoft.graph.directoryRole"])
async def test_roles_come_through_groups_too(cast, sandbox, graph) -> None:
    person = sandbox.directory.people[ANNA.object_id]
    sandbox.directory.groups["g"] = Group(
        "g", "Admins", set(sandbox.directory.people[EXCHANGE_ADMIN.object_id].role_template_ids)
    )
    person.group_ids.add("g")
    path = f"users/{ANNA.object_id}/transitiveMemberOf/{cast}?$select=id,displayName,roleTemplateId"
    body = (await graph("GET", path, which="guard")).json()
    assert [one["displayName"] for one in body["value"]] == ["Exchange Administrator"]


async def test_a_mailbox_says_what_it_is_for(graph) -> None:
    path = f"users/{people.SUPPORT_OBJECT_ID}/mailboxSettings"
    body = (await graph("GET", f"{path}?$select=userPurpose", which="guard")).json()
    assert {name for name in body if not name.startswith("@")} == {"userPurpose"}
    assert body["userPurpose"] == "shared"
    everything = (await graph("GET", path, which="guard")).json()
    assert everything["automaticRepliesSetting"]["status"] == "disabled"


async def test_the_settings_of_a_mailbox_need_their_permission(sandbox, graph) -> None:
    sandbox.directory.applications[people.GUARD_CLIENT_ID].graph_roles = {"User.Read.All"}
    answer = await graph("GET", f"users/{ANNA.object_id}/mailboxSettings", which="guard")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ErrorAccessDenied")


async def test_who_has_no_mailbox_has_no_settings(sandbox, graph) -> None:
    del sandbox.exchange.mailboxes[ANNA.object_id]
    answer = await graph("GET", f"users/{ANNA.object_id}/mailboxSettings", which="guard")
    assert answer.json()["error"]["code"] == "MailboxNotEnabledForRESTAPI"


async def test_names_of_roles_are_hidden_without_the_permission(sandbox, graph) -> None:
    path = f"users/{EXCHANGE_ADMIN.object_id}/transitiveMemberOf/graph.directoryRole"
    body = (await graph("GET", path, which="sync")).json()
    assert body["value"][0]["displayName"] is None


async def test_without_a_directory_role_nothing_is_told(sandbox, graph) -> None:
    sandbox.directory.applications[people.SYNC_CLIENT_ID].graph_roles = {"Mail.Read"}
    answer = await graph("GET", "users")
    assert answer.json()["error"]["code"] == "Authorization_RequestDenied"
