"""Whose act an approval is: of whoever scheduled the test, of both in a name, never of our own."""

from __future__ import annotations

import pytest

from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load_documents
from tests.guard.assembled import ADVICE, SYSTEM_ID, AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    GUARD_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    USER_ID,
    choice,
    reference,
)

APPROVE = {"emailrouteraccessapproval": choice(1)}
SCHEDULE = {"testemailconfigurationscheduled": True}


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    return guard


class TestImplicitApproval:
    async def test_it_is_attributed_to_whoever_scheduled_the_test(self, guard: AGuard) -> None:
        await guard.deliver(SCHEDULE, actor=ADMIN_ID)
        answer = await guard.deliver(APPROVE, mode=1, actor=SYSTEM_ID)
        assert answer.body["decision"] == "allow"
        held = guard.approval()
        assert held is not None
        assert (held.state, held.evidence["approved_by"]) == ("approved", ADMIN_ID)

    async def test_the_schedulers_own_rights_count(self, guard: AGuard) -> None:
        await guard.deliver(SCHEDULE, actor=USER_ID)
        answer = await guard.deliver(APPROVE, mode=1, actor=SYSTEM_ID)
        assert answer.body["decision"] == "reject"

    async def test_without_a_scheduler_it_is_rejected(self, guard: AGuard) -> None:
        answer = await guard.deliver(APPROVE, actor=SYSTEM_ID)
        assert answer.status == 403
        assert answer.body["findings"][0]["rule"] == "unattributed-approval"

    async def test_after_24_hours_it_is_rejected(self, guard: AGuard, clock: FrozenClock) -> None:
        await guard.deliver(SCHEDULE, actor=ADMIN_ID)
        clock.advance(24 * 3600 + 1)
        assert (await guard.deliver(APPROVE, actor=SYSTEM_ID)).status == 403

    async def test_after_another_change_of_the_address_it_is_rejected(self, guard: AGuard) -> None:
        await guard.deliver(SCHEDULE, actor=ADMIN_ID)
        moved = MAILBOX_BEFORE | {"emailaddress": "boss@contoso.com"}
        assert (await guard.deliver(APPROVE, actor=SYSTEM_ID, before=moved)).status == 403


@pytest.mark.parametrize("is_told", [True, False])
async def test_both_must_qualify_who_acts_in_the_name_of_another(
    guard: AGuard, is_told: bool
) -> None:
    # The delivery may leave out who it was; the row has it.
    by = {"modified_by": ADMIN_ID, "on_behalf_by": USER_ID}
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1, **by)
    stamps = {"modifiedonbehalfby": reference("systemuser", USER_ID)} if is_told else {}
    await guard.deliver({**APPROVE, **stamps}, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is None or held.state == "withdrawn"


async def test_the_guard_itself_never_approves(guard: AGuard) -> None:
    rows = guard.receiver.rows
    rows.roles[GUARD_ID] = rows.roles[ADMIN_ID]
    guard.receiver.policies.swap(load_documents({"policies/advice.yaml": ADVICE}))
    for is_down in (True, False):
        rows.is_down = is_down
        answer = await guard.deliver(APPROVE, actor=GUARD_ID)
        assert answer.body["decision"] == "reject"
        assert [one["rule"] for one in answer.body["findings"]] == ["own-approval"]
    await guard.deliver(APPROVE, mode=1, actor=GUARD_ID)
    held = guard.approval()
    assert held is None or held.state == "withdrawn"
