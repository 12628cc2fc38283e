"""Decisions on a committed change of Anna's mailbox, as obligations are asked about them."""

from __future__ import annotations

from typing import Any

from guard.case import FROM_RECONCILIATION, Case, read_back_case
from guard.columns.change import GuardedChange
from guard.consequences import Committed
from rules.model.change import Change
from rules.model.decision import Outcome
from tests.guard.builders import MAILBOX_ID, USER_ID

DECISION_ID = "d1"
BEFORE = {
    "emailaddress": "anna@contoso.com",
    "emailrouteraccessapproval": 2,
    "ownerid.id": USER_ID,
    "ownerid.type": "systemuser",
    "statecode": 0,
}


def a_case() -> Case:
    return read_back_case(
        "mailbox",
        MAILBOX_ID,
        operation="update",
        source=FROM_RECONCILIATION,
        actor_id=USER_ID,
    )


def committed(outcome: Outcome, **sent: Any) -> Committed:
    """A decision on a change that sent these columns."""
    change = Change("mailbox", "update", MAILBOX_ID, BEFORE, {**BEFORE, **sent})
    return Committed(a_case(), DECISION_ID, outcome, GuardedChange(change))


def unread() -> Committed:
    """The refusal of a change whose row could not be read."""
    return Committed(a_case(), DECISION_ID, Outcome.REJECT, change=None)
