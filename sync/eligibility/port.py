"""The port to the mailbox rows of Dataverse.

Terms:
- *mailbox row*: the row of the mailbox table that an approval is about, by its `mailboxid`;
- *approval*: what Dataverse itself says (`emailrouteraccessapproval`), beside which the guard's
  approval stands in our own database; a mailbox is synced only while both hold;
- *owner*: the user or queue that the row regards, else the user or team that owns it;
- *delivery column*: who syncs a direction or workload of the mailbox, by a choice whose numbers
  differ from column to column;
- *server profile*: the row that lets Microsoft's server-side synchronization reach mailboxes; while
  it is active and a delivery column names that service, the workload is not ours.

Every method reads now, completely, or raises an error of `cloud.errors`: a list with a part missing
would withdraw the approvals of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sync.model.delivery_method import DeliveryMethod

APPROVED = 1
ACTIVE = 0
# Server-side synchronization by its number in each delivery column: they are numbered differently.
SERVER_SIDE_SYNC = {DeliveryMethod.INCOMING: 2, DeliveryMethod.OUTGOING: 2, DeliveryMethod.ACT: 1}


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """What Dataverse says of a mailbox; a column that did not come is None."""

    record_id: str
    address: str | None
    approval: int | None
    state: int | None
    incoming_delivery: int | None = None
    outgoing_delivery: int | None = None
    act_delivery: int | None = None
    profile_id: str | None = None
    owner_id: str | None = None

    def names_server_side_sync(self, delivery: DeliveryMethod) -> bool:
        """Return whether that delivery column names Microsoft's service."""
        column = {
            DeliveryMethod.INCOMING: self.incoming_delivery,
            DeliveryMethod.OUTGOING: self.outgoing_delivery,
            DeliveryMethod.ACT: self.act_delivery,
        }[delivery]
        return column == SERVER_SIDE_SYNC[delivery]


class MailboxRows(Protocol):
    """The mailbox rows of the configured organisation, and its server profiles."""

    async def mailboxes(self) -> list[MailboxRow]:
        """Return every mailbox row, read now, in pages. All of them, or an error."""
        ...

    async def active_profiles(self) -> frozenset[str]:
        """Return the ids of the server profiles that are active, in lower case."""
        ...
