"""An approval that the platform makes by itself counts for nobody once a person said no since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from guard.columns.change import GuardedChange
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from rules.model.change import Change
from tests.guard.assembled import SYSTEM_ID, AReceiver, a_receiver
from tests.guard.builders import (
    ADMIN_ID,
    ADMIN_OBJECT_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    USER_ID,
    body,
    choice,
)

SCHEDULED = {"testemailconfigurationscheduled": True}
OLD, NEW = "anna@contoso.com", "a.berg@contoso.com"
USER_BEFORE = {
    "internalemailaddress": OLD,
    "emailrouteraccessapproval": choice(2),
    "domainname": OLD,
}
Edit = tuple[str, dict[str, Any], dict[str, Any]]
REJECTED: Edit = ("mailbox", {"emailrouteraccessapproval": choice(3)}, {})
PENDING: Edit = (
    "mailbox",
    {"emailrouteraccessapproval": choice(2)},
    {"emailrouteraccessapproval": choice(3)},
)
AWAY: Edit = ("systemuser", {"domainname": NEW}, {})
BACK: Edit = ("systemuser", {"domainname": OLD}, {"domainname": NEW})
OTHER_OWNER: Edit = ("mailbox", {"emailaddress": None}, {})
SAME_OWNER: Edit = ("mailbox", {"emailaddress": OLD}, {"emailaddress": None})
USER_REJECTED: Edit = ("systemuser", {"emailrouteraccessapproval": choice(3)}, {})
USER_PENDING: Edit = (
    "systemuser",
    {"emailrouteraccessapproval": choice(2)},
    {"emailrouteraccessapproval": choice(3)},
)
DIRECTION: Edit = ("mailbox", {"incomingemaildeliverymethod": choice(0)}, {})


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    receiver = a_receiver(clock)
    receiver.rows.users[ADMIN_ID] = UserRow(ADMIN_ID, "admin@contoso.com", ADMIN_OBJECT_ID)
    return receiver


async def edited(receiver: AReceiver, edit: Edit) -> None:
    """Let an administrator make an edit that is committed."""
    table, sent, before = edit
    is_mailbox = table == "mailbox"
    known = MAILBOX_BEFORE if is_mailbox else USER_BEFORE
    for mode in (0, 1):
        await receiver.post(
            body(
                sent,
                table=table,
                record_id=MAILBOX_ID if is_mailbox else USER_ID,
                before={**known, **before},
                mode=mode,
                actor=ADMIN_ID,
            )
        )
    receiver.clock.advance(1)


async def approved_by_the_platform(receiver: AReceiver) -> Any:
    before = {
        "emailaddress": OLD,
        "emailrouteraccessapproval": 2,
        "ownerid.id": USER_ID,
        "ownerid.type": "systemuser",
        "regardingobjectid.id": USER_ID,
        "regardingobjectid.type": "systemuser",
    }
    change = Change("mailbox", "update", MAILBOX_ID, before,
                    {**before, "emailrouteraccessapproval": 1})  # fmt: skip
    return await receiver.judge.judge(
        GuardedChange(change), actor_id=SYSTEM_ID, is_synchronous=False, now=receiver.clock.now()
    )


@pytest.mark.parametrize(
    "edits",
    [
        (REJECTED,),
        (REJECTED, PENDING),
        (USER_REJECTED, USER_PENDING),
        (AWAY, BACK),
        (OTHER_OWNER, SAME_OWNER),
    ],
)
async def test_a_rejection_or_a_change_and_back_ends_what_a_test_may_approve(
    receiver: AReceiver, edits: Sequence[Edit]
) -> None:
    await edited(receiver, ("mailbox", SCHEDULED, {}))
    assert (await approved_by_the_platform(receiver)).attributed_to == ADMIN_ID
    for edit in edits:
        await edited(receiver, edit)
    judged = await approved_by_the_platform(receiver)
    assert [one.id for one in judged.decision.contributing] == ["guard/unattributed-approval"]
    # A newer test is a newer word.
    await edited(receiver, ("mailbox", SCHEDULED, {}))
    assert (await approved_by_the_platform(receiver)).attributed_to == ADMIN_ID


async def test_an_edit_that_changes_nothing_of_it_ends_nothing(receiver: AReceiver) -> None:
    await edited(receiver, ("mailbox", SCHEDULED, {}))
    await edited(receiver, DIRECTION)
    assert (await approved_by_the_platform(receiver)).attributed_to == ADMIN_ID
