"""The guarded columns: which they are, what kind of value each holds, where it lives.

The list is that of docs/contract.md. Everything that compares, mirrors or restores a row goes by
this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["string", "choice", "bool", "guid", "lookup"]

APPROVED = 1
PENDING = 2
REJECTED = 3
ACTIVE = 0


@dataclass(frozen=True, slots=True)
class GuardedTable:
    """One guarded table.

    `columns` maps each guarded column to its kind; `sensitive` are the columns whose rejected
    change makes the approval Rejected: address, approval, owner and identity.
    """

    name: str
    entity_set: str
    key: str
    address: str
    columns: Mapping[str, Kind]
    sensitive: frozenset[str]

    @property
    def flat(self) -> tuple[str, ...]:
        """Return the guarded names as a change has them: a lookup is `<column>.id`."""
        return tuple(
            f"{name}.id" if kind == "lookup" else name for name, kind in self.columns.items()
        )


MAILBOX = GuardedTable(
    name="mailbox",
    entity_set="mailboxes",
    key="mailboxid",
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
    sensitive=frozenset(
        {"emailaddress", "emailrouteraccessapproval", "ownerid.id", "regardingobjectid.id"}
    ),
)

SYSTEMUSER = GuardedTable(
    name="systemuser",
    entity_set="systemusers",
    key="systemuserid",
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
    sensitive=frozenset(
        {
            "internalemailaddress",
            "emailrouteraccessapproval",
            "domainname",
            "azureactivedirectoryobjectid",
            "applicationid",
        }
    ),
)

QUEUE = GuardedTable(
    name="queue",
    entity_set="queues",
    key="queueid",
    address="emailaddress",
    columns=MappingProxyType(
        {
            "emailaddress": "string",
            "emailrouteraccessapproval": "choice",
            "ownerid": "lookup",
            "statecode": "choice",
        }
    ),
    sensitive=frozenset({"emailaddress", "emailrouteraccessapproval", "ownerid.id"}),
)

TABLES: Mapping[str, GuardedTable] = MappingProxyType(
    {table.name: table for table in (MAILBOX, SYSTEMUSER, QUEUE)}
)
MESSAGES: Mapping[str, Literal["create", "update"]] = MappingProxyType(
    {"Create": "create", "Update": "update"}
)
APPROVAL = "emailrouteraccessapproval"


def select_of(table: GuardedTable) -> tuple[str, ...]:
    """Return what to `$select` to read a row's key and guarded columns by the Web API."""
    return (
        table.key,
        *(f"_{name}_value" if kind == "lookup" else name for name, kind in table.columns.items()),
    )
