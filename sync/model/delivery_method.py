"""Which column of a mailbox row says who syncs a workload, Microsoft's service or we."""

from __future__ import annotations

from enum import StrEnum


class DeliveryMethod(StrEnum):
    """One direction, or group of workloads, that a mailbox row has a delivery column for.

    Source: the mailbox table of the Dataverse reference.
    """

    INCOMING = "incoming"
    """Incoming mail: `incomingemaildeliverymethod`."""
    OUTGOING = "outgoing"
    """Outgoing mail: `outgoingemaildeliverymethod`."""
    ACT = "act"
    """Appointments, contacts and tasks, all three by one column: `actdeliverymethod`."""
