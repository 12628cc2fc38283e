from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kernel.approvals import Approval, ApprovalState
from sync.eligibility.eligibility import EligibilityStatus, eligibility_of
from sync.model.delivery_method import DeliveryMethod
from tests.sync.builders import ANNA, ANNA_OBJECT, ANNA_RECORD, ANNA_USER, PROFILE, a_mailbox_row

INCOMING, OUTGOING, ACT = DeliveryMethod
APPROVAL = Approval(
    ANNA_RECORD, ANNA, ANNA_OBJECT, ANNA_USER, "systemuser", {}, ApprovalState.APPROVED, None, 1,
    "", datetime(2026, 11, 23, tzinfo=UTC), None, datetime(2026, 11, 23, tzinfo=UTC),
)  # fmt: skip


def eligibility(*deliveries: DeliveryMethod, profiles: frozenset[str] | None, **row: object):  # type: ignore[no-untyped-def]
    rows = {ANNA_RECORD: a_mailbox_row(profile_id=PROFILE, **row)}
    return eligibility_of(APPROVAL, rows, profiles, deliveries=deliveries or tuple(DeliveryMethod))


@pytest.mark.parametrize(
    ("row", "ours"),
    [
        ({}, {INCOMING, OUTGOING, ACT}),
        ({"incoming_delivery": 2}, {OUTGOING, ACT}),
        ({"outgoing_delivery": 2}, {INCOMING, ACT}),
        ({"act_delivery": 1}, {INCOMING, OUTGOING}),
        # The numbers of one column mean something else in another.
        ({"act_delivery": 2, "incoming_delivery": 1}, {INCOMING, OUTGOING, ACT}),
    ],
)
def test_each_delivery_method_has_a_column_with_numbers_of_its_own(
    row: dict[str, int], ours: set[DeliveryMethod]
) -> None:
    found = eligibility(profiles=frozenset({PROFILE}), **row)

    assert (found.status, found.deliveries) == (EligibilityStatus.ELIGIBLE, ours)


def test_a_mailbox_of_which_nothing_is_ours_is_microsofts() -> None:
    found = eligibility(INCOMING, profiles=frozenset({PROFILE}), incoming_delivery=2)

    assert (found.status, found.deliveries) == (EligibilityStatus.MICROSOFT_SYNC, frozenset())
    assert "owns incoming mail" in found.reason


def test_what_a_person_can_mend_is_told_before_what_is_as_it_should_be() -> None:
    found = eligibility(INCOMING, ACT, profiles=None, incoming_delivery=2, act_delivery=1)

    assert found.status is EligibilityStatus.UNKNOWN
    assert "its server profile could not be read" in found.reason


def test_a_profile_that_is_not_active_leaves_everything_ours() -> None:
    found = eligibility(profiles=frozenset(), incoming_delivery=2, act_delivery=1)

    assert found.deliveries == set(DeliveryMethod)
