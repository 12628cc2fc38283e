"""What the platform does by itself: address, approval, mailboxes of users and queues, mail rows.

Several of these are not documented for the online service; each of those is a switch.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sandbox.dataverse.approval import may_approve, may_reject
from sandbox.dataverse.choices import (
    APPROVED,
    EMAIL_STATE_OF_STATUS,
    EMPTY,
    PENDING,
)
from sandbox.dataverse.faults import (
    BAD_STATUS_FOR_STATE,
    INVALID_ARGUMENT,
    MAILBOX_ADDRESS_FIXED,
    Fault,
)
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.pipeline import Pipeline
from sandbox.dataverse.registering import check_registration
from sandbox.dataverse.rows import Ref, Row, View
from sandbox.dataverse.tables import TABLES
from sandbox.dataverse.values import read_body
from sandbox.directory import Directory

ADDRESS_COLUMN: Mapping[str, str] = {
    "mailbox": "emailaddress",
    "systemuser": "internalemailaddress",
    "queue": "emailaddress",
}
_OWNERS = ("systemuser", "queue")
_APPROVAL, _BY_ADMIN = "emailrouteraccessapproval", "isemailaddressapprovedbyo365admin"
# A completed e-mail lets only its state and its delivery be changed.
_MOVING = frozenset(
    {
        "statecode",
        "statuscode",
        "deliveryattempts",
        "postponeemailprocessinguntil",
        "regardingobjectid",
        "ownerid",
        "activityid",
        "modifiedon",
        "modifiedby",
        "modifiedonbehalfby",
    }
)


class AddressEdit(StrEnum):
    """What becomes of an address or approval edit on the mailbox of a user or queue."""

    REDIRECT = "redirect"
    """It is made on the user or queue instead, and the mailbox shows that."""
    REFUSE = "refuse"
    """An address can't be edited there; an approval goes the way of REDIRECT."""
    IN_PLACE = "in-place"
    """It is made on the mailbox, and the user or queue shows that."""
    PLAIN = "plain"
    """It is made on the mailbox and goes no further."""


@dataclass(slots=True)
class Switches:
    """The behaviours that differ between versions or are not confirmed online.

    `mirror_fires` says whether what the platform copies from one row to the other is an event.
    """

    address_edit: AddressEdit = AddressEdit.REDIRECT
    mirror_fires: bool = True
    approval_is_checked: bool = True
    privilege_to_self_approve: bool = False
    tests_mailboxes: bool = True


class NativePlatform:
    """The organisation's own logic around a write."""

    def __init__(self, directory: Directory, *, switches: Switches) -> None:
        self._directory = directory
        self.switches = switches
        self.test_mailbox: Callable[[str, str], Awaitable[None]] | None = None

    def lock_key(self, view: View, table: str, record_id: str) -> Hashable:
        """Return what must be held: a mailbox changes together with its user or queue."""
        row = view.get(table, record_id) if table == "mailbox" else None
        owner = row.get("regardingobjectid") if row else None
        return (owner.table, owner.id) if owner else (table, record_id)

    async def before_write(self, operation: Operation, pipeline: Pipeline) -> None:
        """Refuse, complete or redirect what is about to be written."""
        if operation.table == "email":
            _check_email(operation)
        if operation.table == "activitymimeattachment":
            _check_attachment(operation)
        check_registration(operation)
        if operation.table in ADDRESS_COLUMN and operation.message != "Delete":
            await self._route(operation, pipeline)

    async def after_write(self, operation: Operation, pipeline: Pipeline) -> None:
        """Create mailboxes, mirror addresses, create what was sent beneath the row."""
        if operation.table in _OWNERS and operation.message == "Create":
            await self._create_mailbox(operation, pipeline)
        if operation.table in _OWNERS and operation.message == "Update":
            await self._mirror(operation, pipeline)
        if operation.table == "mailbox" and operation.message == "Update":
            await self._show_on_owner(operation, pipeline)
        if operation.beneath:
            _create_beneath(operation)
        if operation.table == "activitymimeattachment":
            _count_attachments(operation)
        scheduled = operation.sent.get("testemailconfigurationscheduled") is True
        test = self.test_mailbox
        if operation.table == "mailbox" and scheduled and self.switches.tests_mailboxes and test:
            mailbox_id, user_id = operation.record_id, operation.caller.user_id
            operation.transaction.after_commit(
                lambda: pipeline.jobs.begin(lambda: test(mailbox_id, user_id))
            )

    async def _route(self, operation: Operation, pipeline: Pipeline) -> None:
        """Apply the rules of address and approval to the row that owns them."""
        owner = operation.before.get("regardingobjectid") if operation.before else None
        stays = self.switches.address_edit in (AddressEdit.PLAIN, AddressEdit.IN_PLACE)
        column = ADDRESS_COLUMN[operation.table]
        touched = {column, _APPROVAL} & set(operation.sent)
        if operation.copied:
            return
        if operation.table == "mailbox" and owner and touched and not stays:
            if not _is_mirror(operation, owner):
                await self._redirect(operation, owner, pipeline)
            return
        if _is_mirror(operation, owner):
            return
        self._check_approval(operation)
        _set_approval(operation, column)
        if operation.target.get(_APPROVAL) == APPROVED:
            operation.target[_BY_ADMIN] = True
        elif _APPROVAL in operation.target:
            operation.target[_BY_ADMIN] = False

    async def _redirect(self, operation: Operation, owner: Ref, pipeline: Pipeline) -> None:
        """Change the user or queue instead; the mailbox then shows what that row holds."""
        sent, before = operation.sent, operation.before or {}
        moves = "emailaddress" in sent and not _same(
            sent["emailaddress"], before.get("emailaddress")
        )
        if moves and self.switches.address_edit is AddressEdit.REFUSE:
            raise Fault(
                400,
                MAILBOX_ADDRESS_FIXED,
                "The email address of a mailbox that is associated with a user or queue "
                "cannot be updated.",
            )
        target: dict[str, Any] = {}
        if "emailaddress" in sent:
            target[ADDRESS_COLUMN[owner.table]] = sent["emailaddress"]
        if _APPROVAL in sent:
            target[_APPROVAL] = sent[_APPROVAL]
        nested = operation.beneath_it("Update", owner.table, owner.id, target)
        await pipeline.execute(nested)
        written = nested.after or {}
        shown = {
            "emailaddress": written.get(ADDRESS_COLUMN[owner.table]),
            _APPROVAL: written.get(_APPROVAL),
            _BY_ADMIN: written.get(_BY_ADMIN),
        }
        for name, value in shown.items():
            if name in sent or before.get(name) != value:
                operation.target[name] = value

    def _check_approval(self, operation: Operation) -> None:
        """Refuse an approval by somebody who may not give it. Raises Fault."""
        wanted = operation.sent.get(_APPROVAL)
        created_empty = operation.message == "Create" and wanted in (None, EMPTY, PENDING)
        if (
            _APPROVAL not in operation.sent
            or created_empty
            or not self.switches.approval_is_checked
        ):
            return
        if operation.root().by_platform:
            return
        present = operation.before.get(_APPROVAL) if operation.before else None
        if wanted == present:
            return
        if wanted == APPROVED:
            may_approve(
                operation,
                self._directory,
                address=operation.present(ADDRESS_COLUMN[operation.table]),
                privilege_to_self_approve=self.switches.privilege_to_self_approve,
            )
        else:
            may_reject(operation)

    async def _create_mailbox(self, operation: Operation, pipeline: Pipeline) -> None:
        """Give a new user or queue its mailbox, in a nested operation."""
        row = operation.after or {}
        table, transaction = TABLES[operation.table], operation.transaction
        address = row.get(ADDRESS_COLUMN[operation.table])
        profiles = [p for p in transaction.all("emailserverprofile") if p["statecode"] == 0]
        mailbox_id = str(uuid4())
        target: dict[str, Any] = {
            "name": row.get(table.name_column) or address,
            "emailaddress": address,
            _APPROVAL: row.get(_APPROVAL),
            "regardingobjectid": operation.as_ref(),
            "ownerid": operation.as_ref()
            if operation.table == "systemuser"
            else row.get("ownerid"),
            "incomingemaildeliverymethod": row.get("incomingemaildeliverymethod"),
            "outgoingemaildeliverymethod": row.get("outgoingemaildeliverymethod"),
            "actdeliverymethod": 2,
            "emailserverprofile": Ref("emailserverprofile", profiles[0]["emailserverprofileid"])
            if profiles
            else None,
        }
        await pipeline.execute(operation.beneath_it("Create", "mailbox", mailbox_id, target))
        seen = transaction.get(operation.table, operation.record_id) or row
        operation.after = transaction.put(
            operation.table, {**seen, "defaultmailbox": Ref("mailbox", mailbox_id)}
        )

    async def _mirror(self, operation: Operation, pipeline: Pipeline) -> None:
        """Show the owner's address and approval on its mailbox too."""
        parent, after = operation.parent, operation.after or {}
        mailbox = after.get("defaultmailbox")
        if mailbox is None or (parent is not None and parent.record_id == mailbox.id):
            return
        shown = {
            "emailaddress": after.get(ADDRESS_COLUMN[operation.table]),
            _APPROVAL: after.get(_APPROVAL),
            _BY_ADMIN: after.get(_BY_ADMIN),
        }
        row = operation.transaction.get("mailbox", mailbox.id) or {}
        target = {name: value for name, value in shown.items() if row.get(name) != value}
        if not target or self.switches.address_edit is AddressEdit.PLAIN:
            return
        nested = operation.beneath_it("Update", "mailbox", mailbox.id, target)
        nested.silent = not self.switches.mirror_fires
        await pipeline.execute(nested)

    async def _show_on_owner(self, operation: Operation, pipeline: Pipeline) -> None:
        """Show the mailbox's address and approval on its user or queue too."""
        after, parent = operation.after or {}, operation.parent
        owner = after.get("regardingobjectid")
        if self.switches.address_edit is not AddressEdit.IN_PLACE or owner is None:
            return
        if parent is not None and parent.table in _OWNERS:
            return
        shown = {
            ADDRESS_COLUMN[owner.table]: after.get("emailaddress"),
            _APPROVAL: after.get(_APPROVAL),
            _BY_ADMIN: after.get(_BY_ADMIN),
        }
        row = operation.transaction.get(owner.table, owner.id) or {}
        target = {name: value for name, value in shown.items() if row.get(name) != value}
        if target:
            nested = operation.beneath_it("Update", owner.table, owner.id, target)
            nested.silent, nested.copied = not self.switches.mirror_fires, True
            await pipeline.execute(nested)


def _is_mirror(operation: Operation, owner: Ref | None) -> bool:
    """Tell whether a mailbox operation only repeats what its owner's row already holds."""
    parent = operation.parent
    return bool(
        operation.table == "mailbox"
        and parent is not None
        and parent.table in _OWNERS
        and (owner is None or parent.record_id == owner.id)
    )


def _same(left: str | None, right: str | None) -> bool:
    return (left or "").casefold() == (right or "").casefold()


def _set_approval(operation: Operation, column: str) -> None:
    """Make a changed address pending, unless the request carries an approval itself."""
    if operation.message == "Create":
        if operation.sent.get(_APPROVAL) is None:
            operation.target[_APPROVAL] = PENDING if operation.target.get(column) else EMPTY
        return
    if _APPROVAL in operation.sent or column not in operation.sent:
        return
    address, before = operation.sent[column], (operation.before or {}).get(column)
    if not address:
        operation.target[_APPROVAL] = EMPTY
    elif operation.table == "queue" or not _same(address, before):
        operation.target[_APPROVAL] = PENDING


def _check_email(operation: Operation) -> None:
    before, target = operation.before, operation.target
    if operation.message == "Delete":
        return
    if before is not None and before["statecode"] != 0 and not set(target) <= _MOVING:
        raise Fault(
            400,
            INVALID_ARGUMENT,
            f"The email with Id {operation.record_id} is completed or canceled and cannot be "
            "changed.",
        )
    status, state = target.get("statuscode"), target.get("statecode")
    if status is not None:
        fitting = EMAIL_STATE_OF_STATUS[status]
        if state is not None and state != fitting:
            raise Fault(
                400,
                BAD_STATUS_FOR_STATE,
                f"{status} is not a valid status code for state code {state} on email with Id "
                f"{operation.record_id}.",
            )
        target["statecode"] = fitting
    elif state is not None:
        target["statuscode"] = {0: 1, 1: 2, 2: 5}[state]
    if operation.message == "Create":
        target["activitytypecode"] = "email"


def _check_attachment(operation: Operation) -> None:
    if operation.message == "Delete":
        return
    owner: Ref | None = operation.present("objectid")
    email: Row | None = operation.transaction.get("email", owner.id) if owner else None
    if email is None:
        raise Fault(400, INVALID_ARGUMENT, "An attachment needs the e-mail that it belongs to.")
    if email["statecode"] != 0:
        raise Fault(
            400, INVALID_ARGUMENT, "Attachments of a completed e-mail cannot be created or changed."
        )
    body = operation.target.get("body")
    if body is not None:
        try:
            size = len(base64.b64decode(body, validate=True))
        except ValueError as error:
            raise Fault(400, INVALID_ARGUMENT, "'body' is not valid base64.") from error
        organization = operation.transaction.all("organization")[0]
        if size > organization["maxuploadfilesize"]:
            raise Fault(413, "0x80044a02", "Attachment file size is too big.")
        operation.target["filesize"] = size


def _create_beneath(operation: Operation) -> None:
    """Create the rows that a deep insert carries; they raise no events of their own."""
    table = TABLES[operation.table]
    for name, bodies in operation.beneath.items():
        relation = table.relations[name]
        child = TABLES[relation.target]
        for body in bodies:
            values = read_body(child, body).values
            row = {column: described.default for column, described in child.columns.items()}
            row |= values
            row[child.key] = values.get(child.key) or str(uuid4())
            row[relation.lookup] = operation.as_ref()
            row["createdon"] = row["modifiedon"] = operation.started_at.replace(microsecond=0)
            if child.logical == "activityparty":
                _resolve_party(row, operation.transaction)
            operation.transaction.put(child.logical, row)


def _resolve_party(row: Row, view: View) -> None:
    """Fill the address of a party that points to a row."""
    party = row.get("partyid")
    if party is not None and not row.get("addressused"):
        target = view.get(party.table, party.id) or {}
        column = ADDRESS_COLUMN.get(party.table, "emailaddress1")
        row["addressused"] = target.get(column)


def _count_attachments(operation: Operation) -> None:
    owner: Ref | None = operation.present("objectid")
    email = operation.transaction.get("email", owner.id) if owner else None
    if email is not None:
        mine = [
            row
            for row in operation.transaction.all("activitymimeattachment")
            if row["objectid"] == owner
        ]
        operation.transaction.put("email", {**email, "attachmentcount": len(mine)})
