"""Deliveries as Dataverse words them, with valid defaults."""

from __future__ import annotations

import json
import uuid
from typing import Any

XRM = "http://schemas.microsoft.com/xrm/2011/Contracts"
ORGANIZATION = "0a1b2c3d-0000-4000-8000-0000000000aa"
MAILBOX_ID = "11111111-1111-4111-8111-111111111111"
USER_ID = "22222222-2222-4222-8222-222222222222"
ADMIN_ID = "33333333-3333-4333-8333-333333333333"
GUARD_ID = "44444444-4444-4444-8444-444444444444"
QUEUE_ID = "55555555-5555-4555-8555-555555555555"
STEP_ID = "66666666-6666-4666-8666-666666666666"
OBJECT_ID = "77777777-7777-4777-8777-777777777777"
CEO_OBJECT_ID = "88888888-8888-4888-8888-888888888888"
ADMIN_OBJECT_ID = "99999999-9999-4999-8999-999999999999"


def choice(value: int) -> dict[str, Any]:
    return {"__type": f"OptionSetValue:{XRM}", "Value": value}


def reference(table: str, record_id: str) -> dict[str, Any]:
    return {
        "__type": f"EntityReference:{XRM}",
        "Id": record_id,
        "KeyAttributes": [],
        "LogicalName": table,
        "Name": None,
        "RowVersion": None,
    }


def pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def entity(
    table: str, record_id: str, columns: dict[str, Any], *, typed: bool = True
) -> dict[str, Any]:
    body: dict[str, Any] = {"__type": f"Entity:{XRM}"} if typed else {}
    return body | {
        "Attributes": pairs(columns),
        "EntityState": None,
        "FormattedValues": [],
        "Id": record_id,
        "KeyAttributes": [],
        "LogicalName": table,
        "RelatedEntities": [],
        "RowVersion": None,
    }


MAILBOX_BEFORE: dict[str, Any] = {
    "mailboxid": MAILBOX_ID,
    "emailaddress": "anna@contoso.com",
    "emailrouteraccessapproval": choice(2),
    "incomingemaildeliverymethod": choice(2),
    "outgoingemaildeliverymethod": choice(2),
    "actdeliverymethod": choice(1),
    "ownerid": reference("systemuser", USER_ID),
    "regardingobjectid": reference("systemuser", USER_ID),
    "isforwardmailbox": False,
    "testemailconfigurationscheduled": False,
    "statecode": choice(0),
}


def context(
    target: dict[str, Any] | None = None,
    *,
    before: dict[str, Any] | None = None,
    table: str = "mailbox",
    record_id: str = MAILBOX_ID,
    message: str = "Update",
    mode: int = 0,
    stage: int | None = None,
    actor: str = USER_ID,
    operation_id: str | None = None,
    tag: str | None = None,
    alias: str = "pre",
    parent: dict[str, Any] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Return a RemoteExecutionContext; a fresh operation each unless it is named."""
    operation_id = operation_id or str(uuid.uuid4())
    sent = {"emailaddress": "anna@contoso.com"} if target is None else target
    if before is None and message == "Update":
        before = MAILBOX_BEFORE if table == "mailbox" else {}
    shared = {"IsAutoTransact": True, "AcceptLang": "en-US"} | ({"tag": tag} if tag else {})
    images = pairs({alias: entity(table, record_id, before, typed=False)}) if before else []
    return {
        "BusinessUnitId": "10101010-1010-4010-8010-101010101010",
        "CorrelationId": str(uuid.uuid4()),
        "Depth": 1,
        "InitiatingUserAgent": "",
        "InitiatingUserAzureActiveDirectoryObjectId": "00000000-0000-0000-0000-000000000000",
        "InitiatingUserId": actor,
        "InputParameters": pairs({"Target": entity(table, record_id, sent)}),
        "IsExecutingOffline": False,
        "IsInTransaction": mode == 0,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": mode,
        "OperationCreatedOn": "/Date(1506384247000)/",
        "OperationId": operation_id,
        "OrganizationId": ORGANIZATION,
        "OrganizationName": "org0abc",
        "OutputParameters": [],
        "OwningExtension": reference("sdkmessageprocessingstep", STEP_ID),
        "ParentContext": parent,
        "PostEntityImages": [],
        "PreEntityImages": images,
        "PrimaryEntityId": record_id,
        "PrimaryEntityName": table,
        "RequestId": operation_id,
        "SecondaryEntityName": "none",
        "SharedVariables": pairs(shared),
        "Stage": stage if stage is not None else (40 if mode else 20),
        "UserAzureActiveDirectoryObjectId": "00000000-0000-0000-0000-000000000000",
        "UserId": actor,
    } | extra


def body(*args: Any, **named: Any) -> bytes:
    return json.dumps(context(*args, **named)).encode()
