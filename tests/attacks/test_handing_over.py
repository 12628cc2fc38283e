"""A clerk gives away a row that holds a person's address, approved or not."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import people
from tests.attacks.insider import PAST_SYNCHRONOUS, Insider, all_is_done, reads_mail_of
from tests.crashes.guarded_organization import GuardedOrganization

ANNA, DESK = people.ANNA, people.DESK
TO_DESK = {"ownerid@odata.bind": f"/systemusers({DESK.user_id})"}


@pytest.mark.parametrize("headers", [{}, PAST_SYNCHRONOUS])
async def test_the_row_of_a_persons_mailbox_stays_theirs(
    guarded: GuardedOrganization, headers: dict[str, str]
) -> None:
    clerk = Insider(guarded, people.ADMIN.alias)
    given = await clerk.update("mailboxes", ANNA.mailbox_id, TO_DESK, headers)
    assert given.went_through is bool(headers)
    await all_is_done(guarded)
    row = guarded.sandbox.row("mailbox", ANNA.mailbox_id)
    assert row is not None
    assert row["ownerid"].id == ANNA.user_id
    assert ANNA.object_id not in reads_mail_of(guarded)


async def test_a_shared_mailbox_goes_to_who_answers_for_it(guarded: GuardedOrganization) -> None:
    clerk = Insider(guarded, people.ADMIN.alias)
    to_anna: dict[str, Any] = {"ownerid@odata.bind": f"/systemusers({ANNA.user_id})"}
    assert (await clerk.update("queues", people.SUPPORT_QUEUE_ID, to_anna)).went_through
    assert (await clerk.update("mailboxes", people.SUPPORT_MAILBOX_ID, to_anna)).went_through
