"""Unbound actions of the Web API: a notification is sent inside the apps.

Source: "Send in-app notifications within model-driven apps" and "SendAppNotification Action" of
Microsoft's documentation. Title and recipient are demanded; whoever sends needs a privilege of its
own beside that on the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sandbox.dataverse.faults import (
    INVALID_ARGUMENT,
    TEXT_TOO_LONG,
    Fault,
    lacks_privilege,
    not_found,
)
from sandbox.dataverse.operation import Caller
from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.privileges import SEND_NOTIFICATION, demand, holds
from sandbox.dataverse.tables import TABLES
from sandbox.dataverse.values import reference

_PARAMETERS = {
    "Title": str,
    "Recipient": str,
    "Body": str,
    "IconType": int,
    "ToastType": int,
    "Priority": int,
    "Expiry": int,
    "OverrideContent": dict,
    "Actions": dict,
}
_COLUMNS = {
    "Title": "title",
    "Body": "body",
    "IconType": "icontype",
    "ToastType": "toasttype",
    "Priority": "priority",
    "Expiry": "ttlinseconds",
}


async def send_app_notification(
    dataverse: Dataverse, caller: Caller, body: Mapping[str, Any]
) -> str:
    """Create the notification of one user and return its id. Raises Fault."""
    for name, value in body.items():
        wanted = _PARAMETERS.get(name)
        if wanted is None or (value is not None and not isinstance(value, wanted)):
            raise Fault(
                400,
                INVALID_ARGUMENT,
                f"The parameter '{name}' of SendAppNotification is not valid.",
            )
    if not body.get("Title") or not body.get("Recipient"):
        raise Fault(400, INVALID_ARGUMENT, "'Title' and 'Recipient' are required.")
    if not holds(dataverse.store, caller.user_id, SEND_NOTIFICATION):
        raise lacks_privilege(caller.user_id, SEND_NOTIFICATION, "appnotification")
    demand(dataverse.store, caller.user_id, "Create", "appnotification", row=None)
    recipient = reference(body["Recipient"])
    if recipient.table != "systemuser" or dataverse.store.get("systemuser", recipient.id) is None:
        raise not_found(recipient.table, recipient.id)
    values = {column: body[name] for name, column in _COLUMNS.items() if body.get(name) is not None}
    for name, value in values.items():
        limit = TABLES["appnotification"].columns[name].limit
        if isinstance(value, str) and limit is not None and len(value) > limit:
            raise Fault(400, TEXT_TOO_LONG, f"The text of '{name}' is longer than {limit}.")
    data = _data(body)
    if data:
        values["data"] = json.dumps(data)
    notification_id = str(uuid4())
    values["ownerid"] = recipient
    await dataverse.write(
        "Create", "appnotification", notification_id, values, caller=caller, by_platform=True
    )
    return notification_id


def _data(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table keeps of actions and content: without the marks of their types."""
    content = _plain(body.get("OverrideContent") or {})
    actions = _plain(body.get("Actions") or {})
    return {**content, **actions}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items() if "@odata." not in name}
    return [_plain(one) for one in value] if isinstance(value, list) else value
