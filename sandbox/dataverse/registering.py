"""The platform's rules for endpoints, steps and images: what it refuses to register.

Source: the references of the tables serviceendpoint, sdkmessageprocessingstep and -image, and the
guide to registering steps. Which code a refusal has is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.dataverse.faults import INVALID_ARGUMENT, Fault, not_found
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.rows import Row
from sandbox.dataverse.tables import TABLES

_WEBHOOK = 8
_AUTHENTICATIONS = (4, 5, 6)
_SYNCHRONOUS, _ASYNCHRONOUS = 0, 1
_BEFORE, _AFTER, _BOTH = 0, 1, 2
_STAGES = (10, 20, 40)
_POST = 40
# In which parameter of a message the row stands of which an image is taken, before and after.
_IMAGED: Mapping[str, tuple[str | None, str | None]] = {
    "Create": (None, "Id"),
    "Update": ("Target", "Target"),
    "Delete": ("Target", None),
    "Assign": ("Target", "Target"),
    "SetState": ("EntityMoniker", "EntityMoniker"),
}
_STATUS_OF_STATE = {0: 1, 1: 2}


def _refuse(text: str) -> Fault:
    return Fault(400, INVALID_ARGUMENT, text)


def check_registration(operation: Operation) -> None:
    """Refuse what cannot be registered, and fill in what follows. Raises Fault."""
    check = _CHECKS.get(operation.table)
    if check is not None:
        check(operation)


def _check_endpoint(operation: Operation) -> None:
    view, key = operation.transaction, operation.record_id
    if operation.message == "Delete":
        if any(_is_called(row, key) for row in view.all("sdkmessageprocessingstep")):
            raise _refuse("The endpoint cannot be deleted: steps refer to it.")
        return
    if "authvalue" in operation.target:
        operation.target["isauthvalueset"] = operation.target["authvalue"] is not None
    if operation.present("contract") == _WEBHOOK:
        if not operation.present("url") or not operation.present("name"):
            raise _refuse("A webhook needs a name and a url.")
        if operation.present("authtype") not in _AUTHENTICATIONS:
            raise _refuse("The authentication type does not fit the contract of a webhook.")


def _is_called(step: Row, endpoint_id: str) -> bool:
    handler = step.get("eventhandler")
    return handler is not None and handler.id.lower() == endpoint_id.lower()


def _check_step(operation: Operation) -> None:
    view = operation.transaction
    if operation.message == "Delete":
        for row in view.all("sdkmessageprocessingstepimage"):
            owner = row["sdkmessageprocessingstepid"]
            if owner is not None and owner.id == operation.record_id:
                view.delete("sdkmessageprocessingstepimage", row["sdkmessageprocessingstepimageid"])
        return
    message, limit = operation.present("sdkmessageid"), operation.present("sdkmessagefilterid")
    if message is None or operation.present("eventhandler") is None:
        raise _refuse("A step needs a message and an event handler.")
    if limit is not None:
        found = view.get("sdkmessagefilter", limit.id)
        if found is None or found["sdkmessageid"] != message:
            raise _refuse("The message filter does not belong to the message.")
        if not found["iscustomprocessingstepallowed"]:
            raise _refuse("Custom steps are not allowed on this message of this table.")
    stage, mode = operation.present("stage"), operation.present("mode")
    if stage not in _STAGES:
        raise _refuse(f"No step can be registered at stage {stage}.")
    if mode == _ASYNCHRONOUS and stage != _POST:
        raise _refuse("An asynchronous step must be registered at stage 40.")
    if operation.target.get("asyncautodelete") and mode == _SYNCHRONOUS:
        raise _refuse("Only asynchronous steps have jobs to delete.")
    if limit is not None and operation.target.get("filteringattributes"):
        table = str((view.get("sdkmessagefilter", limit.id) or {})["primaryobjecttypecode"])
        _check_columns(table, operation.target["filteringattributes"])
    _keep_state(operation)


def _keep_state(operation: Operation) -> None:
    target = operation.target
    state, status = target.get("statecode"), target.get("statuscode")
    if state is not None and status is None:
        target["statuscode"] = _STATUS_OF_STATE[state]
    elif status is not None and _STATUS_OF_STATE[operation.present("statecode") or 0] != status:
        raise Fault(400, "0x80048408", f"{status} is not a valid status code for the state code.")


def _check_image(operation: Operation) -> None:
    if operation.message == "Delete":
        return
    view, owner = operation.transaction, operation.present("sdkmessageprocessingstepid")
    step = view.get("sdkmessageprocessingstep", owner.id) if owner is not None else None
    if owner is None:
        raise _refuse("An image needs the step that it belongs to.")
    if step is None:
        raise not_found("sdkmessageprocessingstep", owner.id)
    message = (view.get("sdkmessage", step["sdkmessageid"].id) or {})["name"]
    kind = operation.present("imagetype")
    before, after = _IMAGED.get(message, (None, None))
    if kind in (_BEFORE, _BOTH) and before is None:
        raise _refuse(f"The message {message} has no image of the row before it.")
    if kind in (_AFTER, _BOTH) and (after is None or step["stage"] != _POST):
        raise _refuse("There is an image of the row afterwards at stage 40 alone.")
    if operation.present("messagepropertyname") not in (before, after):
        raise _refuse(f"The message {message} has no such parameter for an image.")
    limit = step["sdkmessagefilterid"]
    found = view.get("sdkmessagefilter", limit.id) if limit is not None else None
    if found is not None and operation.target.get("attributes"):
        _check_columns(found["primaryobjecttypecode"], operation.target["attributes"])


def _check_columns(table: str, text: str) -> None:
    known = TABLES[table].columns
    for name in text.split(","):
        if name not in known:
            raise _refuse(f"The attribute '{name}' does not exist on the table {table}.")


_CHECKS: Mapping[str, Callable[[Operation], None]] = {
    "serviceendpoint": _check_endpoint,
    "sdkmessageprocessingstep": _check_step,
    "sdkmessageprocessingstepimage": _check_image,
}
