"""What is to be decided, and by which way it came."""

from __future__ import annotations

from dataclasses import dataclass

from guard.receive.delivery import ASYNCHRONOUS, SYNCHRONOUS, Delivery
from kernel.tasks import COMMON_LANE

# The ways by which something comes to be decided, as records name them (`source`).
FROM_DELIVERY = "delivery"
FROM_RECONCILIATION = "reconciliation"
FROM_EXAMINATION = "examination"
FROM_GRANT = "grant"

# The lane of what is owed for what the guard saw itself. Anybody who has the webhook key can make
# the common one as long as they like.
SEEN_LANE = "seen"

# Notices wait behind notices alone: a revert never waits until somebody was told of another.
NOTICE_LANE = "notices"
SEEN_NOTICE_LANE = "seen-notices"


def lane_of(source: str) -> str:
    """Return the lane in which what a decision owes is carried out."""
    return SEEN_LANE if source == FROM_RECONCILIATION else COMMON_LANE


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to decide; `on_behalf_by` acted in the name of the initiating user, if somebody."""

    table: str
    record_id: str
    operation: str | None
    mode: int
    stage: int
    initiating_user_id: str | None
    on_behalf_by: str | None = None
    organization_id: str | None = None
    operation_id: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    message: str | None = None
    key: str | None = None
    source: str = FROM_DELIVERY

    @property
    def is_synchronous(self) -> bool:
        """Return whether the change waits for the answer."""
        return self.mode == SYNCHRONOUS


def case_of(delivery: Delivery) -> Case:
    """Return the case that a delivery brings."""
    return Case(
        table=delivery.table,
        record_id=delivery.record_id or "",
        operation=delivery.operation,
        mode=delivery.mode,
        stage=delivery.stage,
        initiating_user_id=delivery.initiating_user_id,
        on_behalf_by=delivery.on_behalf_by,
        organization_id=delivery.organization_id,
        operation_id=delivery.operation_id,
        request_id=delivery.request_id,
        correlation_id=delivery.correlation_id,
        message=delivery.message,
        key=delivery.key,
    )


def read_back_case(
    table: str,
    record_id: str,
    *,
    operation: str | None,
    source: str,
    actor_id: str | None = None,
    on_behalf_by: str | None = None,
) -> Case:
    """Return the case of a committed row that is judged without a delivery."""
    return Case(
        table=table,
        record_id=record_id,
        operation=operation,
        mode=ASYNCHRONOUS,
        stage=40,
        initiating_user_id=actor_id,
        on_behalf_by=on_behalf_by,
        source=source,
    )
