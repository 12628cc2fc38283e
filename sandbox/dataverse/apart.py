"""Assign and SetState: messages that the platform may raise beside the update that they are.

Whether it does online, and in which order, is not documented; the parameters are those of the
messages' own requests. Source: the references of AssignRequest and SetStateRequest.
"""

from __future__ import annotations

from typing import Any

from sandbox.dataverse.context import encode
from sandbox.dataverse.operation import Operation

ASSIGN, SET_STATE = "Assign", "SetState"


def messages_apart(operation: Operation) -> list[str]:
    """Return the messages that an update is as well: of its owner, of its state."""
    if operation.message != "Update":
        return []
    before, target = operation.before or {}, operation.target
    found = []
    if "ownerid" in target and target["ownerid"] != before.get("ownerid"):
        found.append(ASSIGN)
    if "statecode" in target and target["statecode"] != before.get("statecode"):
        found.append(SET_STATE)
    return found


def parameters_apart(message: str, operation: Operation) -> dict[str, Any]:
    """Return the parameters of one of these messages beside the row that it is about."""
    view, present = operation.transaction, operation.present
    if message == ASSIGN:
        return {"Assignee": encode("lookup", present("ownerid"), view)}
    return {
        "State": encode("choice", present("statecode"), view),
        "Status": encode("choice", present("statuscode"), view),
    }


def as_apart(message: str, operation: Operation) -> dict[str, Any]:
    """Return what of an event is otherwise where it is told by one of these messages."""
    return {
        "message": message,
        "target": operation.as_ref(),
        "parameters": parameters_apart(message, operation),
    }
