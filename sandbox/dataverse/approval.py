"""Who may approve an address, as the platform itself decides it."""

from __future__ import annotations

from sandbox.dataverse.faults import Fault, lacks_privilege
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.privileges import (
    APPROVE_ADDRESSES,
    holds,
    is_system_administrator,
    roles_of,
)
from sandbox.dataverse.rows import View
from sandbox.directory import EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR, Directory

DELEGATED_APPROVER_NAME = "Delegated Mailbox Approver"
_NOT_AN_APPROVER = "0x8005E24B"


def is_qualified(view: View, directory: Directory, user_id: str) -> bool:
    """Tell whether a user is in one of the combinations that may approve any address."""
    if not holds(view, user_id, APPROVE_ADDRESSES) or not is_system_administrator(view, user_id):
        return False
    names = {role["name"] for role in roles_of(view, user_id)}
    if DELEGATED_APPROVER_NAME in names:
        return True
    user = view.get("systemuser", user_id) or {}
    person = directory.person(user.get("azureactivedirectoryobjectid") or "")
    held = {role.template_id for role in directory.roles_of(person)} if person else set()
    return bool(held & {GLOBAL_ADMINISTRATOR, EXCHANGE_ADMINISTRATOR})


def may_self_approve(
    view: View, user_id: str, *, record_id: str, address: str | None, needs_privilege: bool
) -> bool:
    """Tell whether a user may approve the own mailbox: its address is the own UPN."""
    user = view.get("systemuser", user_id) or {}
    return bool(
        record_id == user_id
        and address
        and (user.get("domainname") or "").casefold() == address.casefold()
        and (not needs_privilege or holds(view, user_id, APPROVE_ADDRESSES))
        and holds(view, user_id, "prvWriteMailbox")
    )


def may_approve(
    operation: Operation,
    directory: Directory,
    *,
    address: str | None,
    privilege_to_self_approve: bool,
) -> None:
    """Raise Fault unless the caller may set this row to approved."""
    view, user_id = operation.transaction, operation.caller.user_id
    if is_qualified(view, directory, user_id):
        return
    owner = operation.present("regardingobjectid") if operation.table == "mailbox" else None
    own = operation.as_ref() if owner is None else owner
    if own.table == "systemuser" and may_self_approve(
        view,
        user_id,
        record_id=own.id,
        address=address,
        needs_privilege=privilege_to_self_approve,
    ):
        return
    raise Fault(
        403,
        _NOT_AN_APPROVER,
        "Only a Global Administrator or Exchange Administrator in Office 365 or a Delegated "
        "Mailbox Approver may approve the email address.",
    )


def may_reject(operation: Operation) -> None:
    """Raise Fault unless the caller may change the approval at all."""
    user_id = operation.caller.user_id
    if not holds(operation.transaction, user_id, APPROVE_ADDRESSES):
        raise lacks_privilege(user_id, APPROVE_ADDRESSES, operation.table)
