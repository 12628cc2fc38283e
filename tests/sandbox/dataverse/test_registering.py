"""What the platform refuses to register, and what follows from what it takes."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.people import stable_id

ENDPOINT = {"name": "g", "url": "https://g.contoso.com/w", "contract": 8, "authtype": 4}


async def _made(webapi, entity_set: str, body: dict[str, Any]) -> Any:
    headers = {"Prefer": "return=representation"}
    return await webapi("admin", "POST", entity_set, json=body, headers=headers)


async def _step(webapi, message: str = "Update", table: str = "mailbox", **values: Any) -> Any:
    endpoint = await _made(webapi, "serviceendpoints", {**ENDPOINT, "authvalue": "k"})
    filters = f"sdkmessageid/name eq '{message}' and primaryobjecttypecode eq '{table}'"
    found = await webapi("admin", "GET", f"sdkmessagefilters?$filter={filters}")
    (limit,) = found.json()["value"]
    endpoint_id = endpoint.json()["serviceendpointid"]
    body = {
        "name": "s",
        "stage": 20,
        "mode": 0,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint_id})",
        "sdkmessageid@odata.bind": f"/sdkmessages({limit['_sdkmessageid_value']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({limit['sdkmessagefilterid']})",
        **values,
    }
    return await _made(webapi, "sdkmessageprocessingsteps", body)


async def _image(webapi, step: Any, **values: Any) -> Any:
    step_id = step.json()["sdkmessageprocessingstepid"]
    body = {
        "name": "pre",
        "entityalias": "pre",
        "imagetype": 0,
        "messagepropertyname": "Target",
        "attributes": "emailaddress",
        "sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step_id})",
        **values,
    }
    return await _made(webapi, "sdkmessageprocessingstepimages", body)


@pytest.mark.parametrize("change", [{"url": None}, {"name": None}, {"authtype": 2}])
async def test_a_webhook_needs_a_name_an_address_and_its_own_way_of_proving(webapi, change) -> None:
    answer = await _made(webapi, "serviceendpoints", {**ENDPOINT, **change})
    assert answer.status_code == 400


async def test_the_key_of_an_endpoint_is_never_read_again(webapi) -> None:
    made = (await _made(webapi, "serviceendpoints", ENDPOINT)).json()
    assert made["isauthvalueset"] is False
    path = f"serviceendpoints({made['serviceendpointid']})"
    await webapi("admin", "PATCH", path, json={"authvalue": "a-secret-that-nobody-reads"})
    read = await webapi("admin", "GET", path)
    assert read.json()["isauthvalueset"] is True
    assert "a-secret" not in read.text
    assert "authvalue" not in read.json()


@pytest.mark.parametrize(
    "values",
    [
        {"stage": 30},
        {"mode": 1},
        {"asyncautodelete": True},
        {"filteringattributes": "emailaddress,nosuchcolumn"},
        {"sdkmessageid@odata.bind": None},
        {"eventhandler_serviceendpoint@odata.bind": None},
        {"statuscode": 2},
        {"EventHandler_ServiceEndpoint@odata.bind": "/serviceendpoints(x)"},
    ],
)
async def test_a_step_that_the_platform_cannot_run_is_refused(webapi, values) -> None:
    assert (await _step(webapi, **values)).status_code == 400
    assert (await _step(webapi)).status_code == 201


async def test_a_filter_belongs_to_its_message_and_may_forbid_steps(webapi, sandbox) -> None:
    other = {"sdkmessageid@odata.bind": f"/sdkmessages({stable_id('sdkmessage/Delete')})"}
    assert (await _step(webapi, **other)).status_code == 400
    row = next(r for r in sandbox.rows("sdkmessagefilter") if r["name"] == "Update of mailbox")
    sandbox.dataverse.insert("sdkmessagefilter", {**row, "iscustomprocessingstepallowed": False})
    assert (await _step(webapi)).status_code == 400


async def test_a_step_is_disabled_by_its_state(webapi) -> None:
    step = (await _step(webapi)).json()
    path = f"sdkmessageprocessingsteps({step['sdkmessageprocessingstepid']})"
    assert (await webapi("admin", "PATCH", path, json={"statecode": 1})).status_code == 204
    assert (await webapi("admin", "GET", path)).json()["statuscode"] == 2
    wrong = await webapi("admin", "PATCH", path, json={"statecode": 0, "statuscode": 2})
    assert wrong.status_code == 400


async def test_images_are_those_that_a_message_and_a_stage_have(webapi) -> None:
    update, create = await _step(webapi), await _step(webapi, "Create")
    assert (await _image(webapi, update)).status_code == 201
    for values in (
        {"imagetype": 1},
        {"messagepropertyname": "Id"},
        {"attributes": "nosuchcolumn"},
    ):
        assert (await _image(webapi, update, **values)).status_code == 400, values
    assert (await _image(webapi, create)).status_code == 400
    after = await _step(webapi, "Create", stage=40)
    made = await _image(webapi, after, imagetype=1, messagepropertyname="Id")
    assert made.status_code == 201


async def test_an_endpoint_that_is_called_stays_and_a_step_takes_its_images_along(
    webapi, sandbox
) -> None:
    step = await _step(webapi)
    await _image(webapi, step)
    endpoint_id = step.json()["_eventhandler_value"]
    step_id = step.json()["sdkmessageprocessingstepid"]
    assert (await webapi("admin", "DELETE", f"serviceendpoints({endpoint_id})")).status_code == 400
    gone = await webapi("admin", "DELETE", f"sdkmessageprocessingsteps({step_id})")
    assert gone.status_code == 204
    assert sandbox.rows("sdkmessageprocessingstepimage") == []
    assert (await webapi("admin", "DELETE", f"serviceendpoints({endpoint_id})")).status_code == 204


async def test_registering_takes_the_privileges_of_its_tables(webapi) -> None:
    answer = await webapi("anna", "POST", "serviceendpoints", json=ENDPOINT)
    assert answer.status_code == 403
    assert "prvCreateServiceEndpoint" in answer.text
