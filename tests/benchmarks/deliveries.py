"""Distinct deliveries for the benchmarks: an Update of a mailbox of about 11 KB, as on the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

ORGANIZATION = "7d1c1a5e-6a5f-4e29-9f0b-0d7b6f9f1c01"
ACTOR = "5f0b2f6a-1b7e-4d8e-8a54-7b1c2d3e4f50"
OWNER = "a3a2b1c0-9d8e-4f7a-b6c5-d4e3f2a1b0c9"
PROFILE = "b7c9a0de-6f0e-4a51-9d5c-6a9e1f9b7a10"
_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_RECORD, _OPERATION, _REQUEST = "@@RECORD@@", "@@OPERATION@@", "@@REQUEST@@"


def _option(value: int) -> dict[str, object]:
    return {"__type": f"OptionSetValue:{_CONTRACTS}", "Value": value}


def _reference(table: str, record: str) -> dict[str, object]:
    return {
        "__type": f"EntityReference:{_CONTRACTS}",
        "Id": record,
        "KeyAttributes": [],
        "LogicalName": table,
        "Name": None,
        "RowVersion": None,
    }


def _entity(attributes: dict[str, object]) -> dict[str, object]:
    return {
        "Attributes": [{"key": name, "value": value} for name, value in attributes.items()],
        "EntityState": None,
        "FormattedValues": [],
        "Id": _RECORD,
        "KeyAttributes": [],
        "LogicalName": "mailbox",
        "RelatedEntities": [],
        "RowVersion": None,
    }


def _template() -> str:
    columns: dict[str, object] = {
        "emailaddress": "anna@contoso.com",
        "emailrouteraccessapproval": _option(1),
        "incomingemaildeliverymethod": _option(0),
        "outgoingemaildeliverymethod": _option(0),
        "actdeliverymethod": _option(2),
        "emailserverprofile": _reference("emailserverprofile", PROFILE),
        "regardingobjectid": _reference("systemuser", OWNER),
        "ownerid": _reference("systemuser", OWNER),
        "statecode": _option(0),
        "isforwardmailbox": False,
        "testemailconfigurationscheduled": False,
    }
    changed = columns | {"name": "anna", "outgoingemaildeliverymethod": _option(2)}
    target = {"__type": f"Entity:{_CONTRACTS}", **_entity(changed)}
    filler = [
        {"key": f"x-contoso-context-{n:02}", "value": "a value that a plug-in left behind " * 3}
        for n in range(38)
    ]
    body = {
        "BusinessUnitId": "0a1b2c3d-0000-4000-8000-000000000001",
        "CorrelationId": _REQUEST,
        "Depth": 1,
        "InitiatingUserAgent": "",
        "InitiatingUserAzureActiveDirectoryObjectId": "00000000-0000-0000-0000-000000000000",
        "InitiatingUserId": ACTOR,
        "InputParameters": [{"key": "Target", "value": target}],
        "IsExecutingOffline": False,
        "IsInTransaction": True,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": "Update",
        "Mode": 0,
        "OperationCreatedOn": "/Date(1795348800000)/",
        "OperationId": _OPERATION,
        "OrganizationId": ORGANIZATION,
        "OrganizationName": "orgcontoso",
        "OutputParameters": [],
        "OwningExtension": _reference(
            "sdkmessageprocessingstep", "0a1b2c3d-0000-4000-8000-000000000020"
        ),
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [{"key": "pre", "value": _entity(columns)}],
        "PrimaryEntityId": _RECORD,
        "PrimaryEntityName": "mailbox",
        "RequestId": _REQUEST,
        "SecondaryEntityName": "none",
        "SharedVariables": filler,
        "Stage": 20,
        "UserAzureActiveDirectoryObjectId": "00000000-0000-0000-0000-000000000000",
        "UserId": ACTOR,
    }
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/")


def distinct(first: int, count: int) -> Iterator[bytes]:
    """Return that many bodies which differ in record, operation and request."""
    template = _template()
    for number in range(first, first + count):
        record, operation, request = (str(uuid.UUID(int=number << 8 | kind)) for kind in (1, 2, 3))
        yield (
            template.replace(_RECORD, record)
            .replace(_OPERATION, operation)
            .replace(_REQUEST, request)
            .encode()
        )
