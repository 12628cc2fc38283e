"""Registered webhook steps are really fired, and what they answer really counts."""

from __future__ import annotations

import asyncio
import json

import pytest

from sandbox import people
from sandbox.dataverse.context import ZERO
from sandbox.dataverse.rows import Ref
from sandbox.server import Sandbox
from tests.sandbox.receiver import Received, Receiver, parameters, values_of

ANNA = f"mailboxes({people.ANNA.mailbox_id})"
BOTH = ("Update", "mailbox", 20, 0), ("Update", "mailbox", 40, 1)


def address_of(sandbox: Sandbox, mailbox_id: str = people.ANNA.mailbox_id) -> str:
    row = sandbox.row("mailbox", mailbox_id)
    assert row is not None
    address: str = row["emailaddress"]
    return address


async def test_a_refusal_rolls_everything_back(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    receiver.answer = lambda _: 403
    before = sandbox.rows("systemuser"), sandbox.rows("mailbox")
    answer = await webapi("anna", "PATCH", ANNA, json={"emailaddress": "ceo@contoso.com"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "0x80050201"
    assert (sandbox.rows("systemuser"), sandbox.rows("mailbox")) == before
    await sandbox.settle()
    assert [got.names() for got in receiver.received] == [BOTH[0]]


async def test_a_refusal_at_depth_two_rolls_the_whole_request_back(
    sandbox, receiver, webapi
) -> None:
    sandbox.register(receiver.url, "k")
    receiver.answer = lambda got: 403 if got.context["PrimaryEntityName"] == "systemuser" else 200
    answer = await webapi("anna", "PATCH", ANNA, json={"emailaddress": "ceo@contoso.com"})
    assert answer.status_code == 400
    assert address_of(sandbox) == "anna@contoso.com"


async def test_an_allowed_edit_reaches_both_rows_and_both_modes(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    answer = await webapi("anna", "PATCH", ANNA, json={"emailaddress": "anna.sales@contoso.com"})
    assert answer.status_code == 204
    await sandbox.settle()
    fired = sorted(got.names() for got in receiver.received)
    assert fired == sorted(
        (message, table, stage, mode)
        for message, _, stage, mode in BOTH
        for table in ("mailbox", "systemuser")
    )
    correlations = {got.context["CorrelationId"] for got in receiver.received}
    assert len(correlations) == 1
    user = sandbox.row("systemuser", people.ANNA.user_id)
    assert user["internalemailaddress"] == "anna.sales@contoso.com"
    assert user["emailrouteraccessapproval"] == 2
    assert address_of(sandbox) == "anna.sales@contoso.com"


async def test_the_context_is_written_as_the_platform_writes_it(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "secret<&>")
    await webapi("anna", "PATCH", ANNA, json={"emailaddress": "ANNA@contoso.com", "statecode": 0})
    got = receiver.received[0]
    assert got.headers["x-guard-key"] == "secret<&>"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-ms-dynamics-entity-name"] == "mailbox"
    assert got.headers["x-ms-dynamics-request-name"] == "Update"
    assert "x-ms-dynamics-msg-size-exceeded" not in got.headers
    assert b"http:\\/\\/schemas.microsoft.com" in got.body
    assert b"/" not in got.body.replace(b"\\/", b"")
    context = got.context
    assert list(context) == sorted(context)
    assert got.headers["x-ms-correlation-request-id"] == context["CorrelationId"]
    assert context["InitiatingUserId"] == context["UserId"] == people.ANNA.user_id
    assert context["InitiatingUserAzureActiveDirectoryObjectId"] == people.ANNA.object_id
    assert context["OrganizationId"] == people.ORGANIZATION_ID
    assert (context["Depth"], context["IsInTransaction"]) == (1, True)
    assert context["OperationCreatedOn"].startswith("/Date(")
    target = parameters(context)["Target"]
    assert target["__type"] == "Entity:http://schemas.microsoft.com/xrm/2011/Contracts"
    assert got.target["statecode"] == {
        "__type": "OptionSetValue:http://schemas.microsoft.com/xrm/2011/Contracts",
        "Value": 0,
    }
    assert got.target["modifiedby"]["LogicalName"] == "systemuser"
    assert got.target["modifiedon"].startswith("/Date(")
    image = context["PreEntityImages"][0]
    assert image["key"] == "pre"
    assert "__type" not in image["value"]
    before = values_of(image["value"])
    assert before["emailaddress"] == "anna@contoso.com"
    assert before["emailrouteraccessapproval"]["Value"] == 1
    assert before["ownerid"]["Name"] == "Anna (Sales)"
    assert "username" not in before
    parent = context["ParentContext"]
    assert (parent["Stage"], parent["ParentContext"]) == (30, None)
    assert set(values_of(parameters(parent)["Target"])) == {"emailaddress", "statecode"}


async def test_an_asynchronous_context_has_its_own_marks(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    await sandbox.settle()
    late = next(got.context for got in receiver.received if got.context["Mode"] == 1)
    assert late["IsInTransaction"] is False
    assert late["OperationCreatedOn"].endswith("+0200)/")
    assert late["OwningExtension"]["Name"] is None
    assert [image["key"] for image in late["PostEntityImages"]] == ["AsynchronousStepPrimaryName"]


async def test_a_new_user_gets_a_mailbox_one_level_deeper(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    body = {
        "fullname": "New",
        "domainname": "new@contoso.com",
        "internalemailaddress": "new@contoso.com",
    }
    answer = await webapi("desk", "POST", "systemusers", json=body)
    assert answer.status_code == 204
    user, mailbox = (got.context for got in receiver.received[:2])
    assert (user["PrimaryEntityName"], user["Depth"]) == ("systemuser", 1)
    assert (mailbox["PrimaryEntityName"], mailbox["Depth"]) == ("mailbox", 2)
    assert mailbox["ParentContext"]["PrimaryEntityName"] == "systemuser"
    regarding = receiver.received[1].target["regardingobjectid"]
    assert regarding["Id"] == user["PrimaryEntityId"]
    await sandbox.settle()
    made = sandbox.row("mailbox", mailbox["PrimaryEntityId"])
    assert made["emailrouteraccessapproval"] == 2
    created = next(
        got.context for got in receiver.received if got.names() == ("Create", "systemuser", 40, 1)
    )
    assert created["OutputParameters"] == [{"key": "id", "value": user["PrimaryEntityId"]}]


async def test_filtering_attributes_go_by_presence(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    await webapi("anna", "PATCH", ANNA, json={"name": "Anna"})
    assert receiver.received == []
    await webapi("anna", "PATCH", ANNA, json={"username": None})
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_one_more_attempt_is_made_for(status, sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    answers = iter([status, 200])
    receiver.answer = lambda got: next(answers) if got.context["Mode"] == 0 else 200
    answer = await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    assert answer.status_code == 204
    assert sandbox.webhook_log()[0].attempts == 2


async def test_no_further_attempt_is_made_for_another_status(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    receiver.answer = lambda _: 500
    answer = await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    assert answer.json()["error"]["code"] == "0x80050201"
    assert len(receiver.received) == 1


async def test_two_unavailable_answers_are_a_refusal(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    receiver.answer = lambda _: 503
    answer = await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    assert answer.json()["error"]["code"] == "0x80050201"
    assert len(receiver.received) == 2


async def test_a_slow_receiver_times_out(sandbox, receiver, webapi) -> None:
    async def slowly() -> int:
        await asyncio.sleep(0.5)
        return 200

    sandbox.register(receiver.url, "k")
    sandbox.dataverse.poster.timeout_seconds = 0.05
    receiver.answer = lambda _: slowly()
    answer = await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    assert answer.json()["error"]["code"] == "0x80050202"


async def test_an_unreachable_receiver_is_its_own_error(sandbox, webapi) -> None:
    sandbox.register("http://127.0.0.1:9/nobody", "k")
    answer = await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    assert answer.json()["error"]["code"] == "0x80050205"


async def test_reads_during_a_synchronous_step_see_the_old_row(sandbox, receiver, webapi) -> None:
    seen: list[str] = []

    async def looking() -> int:
        answer = await webapi("admin", "GET", f"{ANNA}?$select=username")
        seen.append(answer.json()["username"])
        return 200

    sandbox.register(receiver.url, "k")
    receiver.answer = lambda got: looking() if got.context["Mode"] == 0 else 200
    await webapi("anna", "PATCH", ANNA, json={"username": "new"})
    assert seen == [None]
    assert sandbox.row("mailbox", people.ANNA.mailbox_id)["username"] == "new"


async def test_two_edits_of_one_row_wait_for_each_other(sandbox, receiver, webapi) -> None:
    running = most = 0

    async def counting() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return 200

    sandbox.register(receiver.url, "k")
    receiver.answer = lambda got: counting() if got.context["Mode"] == 0 else 200
    edits = (webapi("anna", "PATCH", ANNA, json={"username": name}) for name in "abc")
    assert {answer.status_code for answer in await asyncio.gather(*edits)} == {204}
    assert most == 1


async def test_a_large_body_loses_four_members(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    sandbox.dataverse.insert("sdkmessageprocessingstep", await _email_step(sandbox, receiver.url))
    body = {"subject": "Large", "description": "x" * 300_000}
    answer = await webapi("admin", "POST", "emails", json=body)
    assert answer.status_code == 204
    got = receiver.received[0]
    assert "x-ms-dynamics-msg-size-exceeded" in got.headers
    assert not {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"} & set(
        got.context
    )
    assert got.context["PrimaryEntityName"] == "email"


async def _email_step(sandbox: Sandbox, url: str) -> dict[str, object]:
    endpoint = sandbox.rows("serviceendpoint")[0]["serviceendpointid"]
    limit = next(
        row for row in sandbox.rows("sdkmessagefilter") if row["name"] == "Create of email"
    )
    return {
        "name": "large",
        "stage": 20,
        "mode": 0,
        "eventhandler": Ref("serviceendpoint", endpoint),
        "sdkmessageid": limit["sdkmessageid"],
        "sdkmessagefilterid": Ref("sdkmessagefilter", limit["sdkmessagefilterid"]),
    }


async def test_a_failed_asynchronous_delivery_is_a_failed_job(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    receiver.answer = lambda got: 200 if got.context["Mode"] == 0 else 500
    assert (await webapi("anna", "PATCH", ANNA, json={"username": "x"})).status_code == 204
    await sandbox.settle()
    found = await webapi(
        "admin",
        "GET",
        "asyncoperations?$filter=statuscode eq 31&$select=name,friendlymessage,errorcode",
    )
    jobs = found.json()["value"]
    assert [job["errorcode"] for job in jobs] == [-2147155455]


async def test_the_tag_of_a_request_reaches_the_step(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    await webapi("anna", "PATCH", f"{ANNA}?tag=nonce-1", json={"username": "x"})
    shared = {
        pair["key"]: pair["value"] for pair in receiver.received[0].context["SharedVariables"]
    }
    assert shared["tag"] == "nonce-1"


async def test_named_steps_are_bypassed_and_only_those(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    steps = [
        row["sdkmessageprocessingstepid"]
        for row in sandbox.rows("sdkmessageprocessingstep")
        if row["name"] == "guard: Update of mailbox, synchronous"
    ]
    headers = {"MSCRM.BypassBusinessLogicExecutionStepIds": ",".join(steps)}
    await webapi("anna", "PATCH", ANNA, json={"username": "x"}, headers=headers)
    await sandbox.settle()
    assert [got.context["Mode"] for got in receiver.received] == [1]


async def test_bypassing_a_kind_needs_the_privilege(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    headers = {"MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync"}
    refused = await webapi("anna", "PATCH", ANNA, json={"username": "x"}, headers=headers)
    assert refused.status_code == 403
    allowed = await webapi("admin", "PATCH", ANNA, json={"username": "x"}, headers=headers)
    assert allowed.status_code == 204
    await sandbox.settle()
    assert receiver.received == []


async def test_the_person_behind_an_impersonation_is_the_initiator(
    sandbox, receiver, webapi
) -> None:
    sandbox.register(receiver.url, "k")
    headers = {"CallerObjectId": people.ANNA.object_id}
    await webapi("admin", "PATCH", ANNA, json={"username": "x"}, headers=headers)
    assert receiver.received[0].context["InitiatingUserId"] == people.ANNA.user_id
    row = sandbox.row("mailbox", people.ANNA.mailbox_id)
    assert row["modifiedonbehalfby"] == Ref("systemuser", people.ADMIN.user_id)


@pytest.mark.parametrize("style", ["code", "query"])
async def test_the_key_travels_in_the_query_too(style, sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k 1", style=style)
    await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    assert receiver.received[0].query == {"code": "code=k+1", "query": "guard-key=k+1"}[style]


async def test_stage_ten_comes_before_the_transaction(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    transaction = sandbox.dataverse.store.begin()
    for row in sandbox.rows("sdkmessageprocessingstep"):
        if row["mode"] == 0:
            transaction.put("sdkmessageprocessingstep", {**row, "stage": 10})
    transaction.commit()
    body = {"name": "New queue", "emailaddress": "new.queue@contoso.com"}
    assert (await webapi("desk", "POST", "queues", json=body)).status_code == 204
    first = receiver.received[0].context
    assert (first["Stage"], first["IsInTransaction"]) == (10, False)
    assert first["PrimaryEntityId"] == ZERO
    nested = receiver.received[1].context
    assert (nested["PrimaryEntityName"], nested["IsInTransaction"]) == ("mailbox", True)


async def test_a_disabled_step_fires_nothing(sandbox, receiver, webapi) -> None:
    sandbox.register(receiver.url, "k")
    for row in sandbox.rows("sdkmessageprocessingstep"):
        path = f"sdkmessageprocessingsteps({row['sdkmessageprocessingstepid']})"
        answer = await webapi("admin", "PATCH", path, json={"statecode": 1, "statuscode": 2})
        assert answer.status_code == 204
    await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    await sandbox.settle()
    assert receiver.received == []


async def test_steps_registered_through_the_web_api_fire(
    sandbox: Sandbox, receiver: Receiver, webapi
) -> None:
    """The documented registration, word for word."""

    async def post(entity_set: str, **body: object) -> str:
        answer = await webapi(
            "admin", "POST", entity_set, json=body, headers={"Prefer": "return=representation"}
        )
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return str(next(made[key] for key in made if key == entity_set[:-1] + "id"))

    endpoint = await post(
        "serviceendpoints",
        name="guard",
        url=receiver.url + "/",
        contract=8,
        authtype=4,
        authvalue="K1",
    )
    found = await webapi("admin", "GET", "sdkmessages?$select=name&$filter=name eq 'Update'")
    message = found.json()["value"][0]["sdkmessageid"]
    wanted = f"primaryobjecttypecode eq 'mailbox' and _sdkmessageid_value eq {message}"
    found = await webapi("admin", "GET", f"sdkmessagefilters?$filter={wanted}")
    limit = found.json()["value"][0]["sdkmessagefilterid"]
    step = await post(
        "sdkmessageprocessingsteps",
        name="guard: Update of mailbox",
        stage=40,
        mode=0,
        rank=1,
        supporteddeployment=0,
        filteringattributes="username",
        **{
            "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
            "sdkmessageid@odata.bind": f"/sdkmessages({message})",
            "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({limit})",
        },
    )
    await post(
        "sdkmessageprocessingstepimages",
        name="both",
        entityalias="both",
        imagetype=2,
        messagepropertyname="Target",
        attributes="username",
        **{"sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step})"},
    )
    await webapi("anna", "PATCH", ANNA, json={"username": "x"})
    got: Received = receiver.received[0]
    assert got.query == "code=K1"
    after = values_of(got.context["PostEntityImages"][0]["value"])
    assert after["username"] == "x"
    listed = await webapi(
        "admin",
        "GET",
        f"serviceendpoints({endpoint})/serviceendpoint_sdkmessageprocessingstep?$select=name,stage",
    )
    assert [row["stage"] for row in listed.json()["value"]] == [40]
    assert json.loads(got.body)["OwningExtension"]["Id"] == step
