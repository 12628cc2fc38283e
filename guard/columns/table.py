"""Every guarded table with its role and its columns: the list of docs/contract.md.

Whatever receives, judges, compares, keeps or restores a row goes by this table, and asks a table
for its role instead of comparing its name: a new table is an entry here
(docs/adding-a-guarded-table.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from kernel.words import DocumentedWord

Kind = Literal["string", "choice", "bool", "guid", "lookup"]

APPROVAL = "emailrouteraccessapproval"
APPROVED = 1
PENDING = 2
REJECTED = 3
ACTIVE = 0


# A text column of one line holds so many characters at most, an address far fewer. Source: the
# StringAttributeMetadata and the mailbox, systemuser and queue tables of the Dataverse reference.
MOST_TEXT = 4000
MOST_ADDRESS = 100


class TableRole(DocumentedWord):
    """What a row of a guarded table is to the approvals of mailboxes."""

    MAILBOX = "mailbox", "It stands for an Exchange mailbox: its approval is found by its own id."
    OWNER = "owner", "Mailboxes follow it: their approvals are found by its id as their owner's."


class OwnerType(DocumentedWord):
    """Who may own a mailbox, by the words of policies (`owner.type`)."""

    USER = "user", "A person or an application: a sign-in name, and an Entra object."
    QUEUE = "queue", "A queue of records: known to have no sign-in name and no Entra object."
    TEAM = "team", "Several users: known to have no sign-in name and no Entra object."


# A row that is switched off loses its approvals, and one that is switched on may be approved again.
_SWITCHES = frozenset({"isdisabled", "statecode"})


@dataclass(frozen=True, slots=True)
class GuardedTable:
    """One guarded table: how Dataverse names it, its role, and what of it is guarded.

    `columns` maps each guarded column by its logical name to its kind. `context` are columns that
    images and reads carry beside them, for policies alone: a change of them brings no delivery, and
    nothing compares or restores them. `label` is that of them which holds the name of the row,
    `address` the column that holds its address. `sensitive` are the columns, by their flat names,
    whose rejected change makes the approval Rejected: address, approval, owner and identity;
    `identity` are those of them that say which Entra object the row is. `owner_type` is what rows
    with the role of an owner are to a mailbox, None for the others.

    `flat` are the guarded names as a change has them: a lookup is `<column>.id`. `evidence` are
    those on which an approval rests.
    """

    name: str
    entity_set: str
    key: str
    role: TableRole
    address: str
    columns: Mapping[str, Kind]
    context: Mapping[str, Kind]
    label: str
    sensitive: frozenset[str]
    identity: frozenset[str] = frozenset()
    owner_type: OwnerType | None = None
    flat: tuple[str, ...] = field(init=False)
    evidence: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        # Every comparison of two rows walks these names, so they are made once per table.
        flat = tuple(
            f"{name}.id" if kind == "lookup" else name for name, kind in self.columns.items()
        )
        object.__setattr__(self, "flat", flat)
        object.__setattr__(self, "evidence", self.sensitive | _SWITCHES.intersection(flat))

    def most_characters(self, column: str) -> int:
        """Return how long a text of a column may be in Dataverse."""
        return MOST_ADDRESS if column == self.address else MOST_TEXT

    @property
    def carried(self) -> Mapping[str, Kind]:
        """Return the columns that every image and every read of a row carries, with their kinds."""
        return {**self.columns, **self.context}

    @property
    def holds_approval(self) -> bool:
        """Return whether rows of the table have the column that says they are approved."""
        return APPROVAL in self.columns


MAILBOX = GuardedTable(
    name="mailbox",
    entity_set="mailboxes",
    key="mailboxid",
    role=TableRole.MAILBOX,
    address="emailaddress",
    columns=MappingProxyType(
        {
            "emailaddress": "string",
            "emailrouteraccessapproval": "choice",
            "testemailconfigurationscheduled": "bool",
            "incomingemaildeliverymethod": "choice",
            "outgoingemaildeliverymethod": "choice",
            "actdeliverymethod": "choice",
            "emailserverprofile": "lookup",
            "ownerid": "lookup",
            "regardingobjectid": "lookup",
            "isforwardmailbox": "bool",
            "allowemailconnectortousecredentials": "bool",
            "username": "string",
            "statecode": "choice",
        }
    ),
    context=MappingProxyType(
        {
            "name": "string",
            "isserviceaccount": "bool",
            "isemailaddressapprovedbyo365admin": "bool",
            "processanddeleteemails": "bool",
        }
    ),
    label="name",
    sensitive=frozenset(
        {"emailaddress", "emailrouteraccessapproval", "ownerid.id", "regardingobjectid.id"}
    ),
)

SYSTEMUSER = GuardedTable(
    name="systemuser",
    entity_set="systemusers",
    key="systemuserid",
    role=TableRole.OWNER,
    owner_type=OwnerType.USER,
    address="internalemailaddress",
    columns=MappingProxyType(
        {
            "internalemailaddress": "string",
            "emailrouteraccessapproval": "choice",
            "domainname": "string",
            "azureactivedirectoryobjectid": "guid",
            "applicationid": "guid",
            "isdisabled": "bool",
        }
    ),
    context=MappingProxyType(
        {
            "fullname": "string",
            "isemailaddressapprovedbyo365admin": "bool",
            "incomingemaildeliverymethod": "choice",
            "outgoingemaildeliverymethod": "choice",
            "islicensed": "bool",
            "accessmode": "choice",
            "businessunitid": "lookup",
        }
    ),
    label="fullname",
    sensitive=frozenset(
        {
            "internalemailaddress",
            "emailrouteraccessapproval",
            "domainname",
            "azureactivedirectoryobjectid",
            "applicationid",
        }
    ),
    identity=frozenset({"domainname", "azureactivedirectoryobjectid", "applicationid"}),
)

QUEUE = GuardedTable(
    name="queue",
    entity_set="queues",
    key="queueid",
    role=TableRole.OWNER,
    owner_type=OwnerType.QUEUE,
    address="emailaddress",
    columns=MappingProxyType(
        {
            "emailaddress": "string",
            "emailrouteraccessapproval": "choice",
            "ownerid": "lookup",
            "statecode": "choice",
        }
    ),
    context=MappingProxyType(
        {
            "name": "string",
            "isemailaddressapprovedbyo365admin": "bool",
            "incomingemaildeliverymethod": "choice",
            "outgoingemaildeliverymethod": "choice",
            "incomingemailfilteringmethod": "choice",
            "queueviewtype": "choice",
            "owningbusinessunit": "lookup",
        }
    ),
    label="name",
    sensitive=frozenset({"emailaddress", "emailrouteraccessapproval", "ownerid.id"}),
)

# Who made a change in the name of somebody else, as the platform stamps it on every row. It is held
# to its kind like a guarded column, but it is part of who acted: nobody restores it.
ON_BEHALF_BY: Mapping[str, Kind] = MappingProxyType(
    {"modifiedonbehalfby": "lookup", "createdonbehalfby": "lookup"}
)
TABLES: Mapping[str, GuardedTable] = MappingProxyType(
    {table.name: table for table in (MAILBOX, SYSTEMUSER, QUEUE)}
)
MESSAGES: Mapping[str, Literal["create", "update"]] = MappingProxyType(
    {"Create": "create", "Update": "update"}
)
OWNERS: tuple[GuardedTable, ...] = tuple(
    table for table in TABLES.values() if table.role is TableRole.OWNER
)


def select_of(table: GuardedTable) -> tuple[str, ...]:
    """Return what to `$select` to read a row's key and what images carry of it by the Web API."""
    return (
        table.key,
        *(f"_{name}_value" if kind == "lookup" else name for name, kind in table.carried.items()),
    )
