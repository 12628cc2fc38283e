from __future__ import annotations

from typing import Any

import pytest

from guard.ledger import mirror
from guard.ledger.entry import MirrorRow
from guard.obligations.grant import ATTEMPTS_FOR_FACTS, Grant
from guard.ports.directory import HolderType, Person
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import failpoint
from rules.model.decision import Outcome
from tests.guard.assembled import SYSTEM_ID, AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    CEO_OBJECT_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    OBJECT_ID,
    QUEUE_ID,
    USER_ID,
    choice,
    reference,
)
from tests.guard.obligations.decided import committed

APPROVE = {"emailrouteraccessapproval": choice(1)}
STEP = failpoint("tests.grant", "A copy of the tests of grants is kept.")


OWED_BY = committed(Outcome.ALLOW, emailrouteraccessapproval=1)


@pytest.mark.parametrize(
    "sent",
    [
        {"username": "anna"},
        {"emailrouteraccessapproval": 1, "statecode": 1},
        {"emailrouteraccessapproval": 1, "emailaddress": None},
        {"emailrouteraccessapproval": 3},
    ],
)
def test_it_is_owed_only_where_a_row_is_newly_approvable(sent: dict[str, Any]) -> None:
    assert Grant.owed_by(committed(Outcome.ALLOW, **sent)) is None


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    return guard


async def test_an_approval_is_granted_after_the_row_was_read_back(guard: AGuard) -> None:
    answer = await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert answer.body["decision"] == "allow"
    held = guard.approval()
    assert held is not None
    assert (held.state, held.epoch, held.object_id) == ("approved", 1, OBJECT_ID)
    assert (held.owner_id, held.owner_type, held.address) == (USER_ID, "user", "anna@contoso.com")
    assert held.evidence["approved_by"] == ADMIN_ID
    assert held.evidence["decision_id"] == answer.body["decision_id"]
    (listed,) = guard.decisions()
    assert [(one["kind"], one["state"]) for one in listed["obligations"]] == [("grant", "done")]


async def test_a_synchronous_allow_grants_nothing(guard: AGuard) -> None:
    assert (await guard.deliver(APPROVE, actor=ADMIN_ID)).status == 200
    assert guard.approval() is None


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"emailrouteraccessapproval": 2}, "does not hold the address approved"),
        ({"statecode": 1}, "inactive"),
        ({"emailaddress": "ceo@contoso.com"}, "no longer has the address"),
        ({"emailaddress": None}, "no address"),
    ],
)
async def test_what_the_row_does_not_say_is_not_granted(
    guard: AGuard, columns: dict[str, Any], reason: str
) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **columns)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert held.state == "withdrawn"
    assert reason in held.reason


async def test_nobody_holding_the_address_is_not_approved(guard: AGuard) -> None:
    guard.receiver.directory.people.clear()
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert (held.state, "No user of Entra" in held.reason) == ("withdrawn", True)


async def test_what_else_holds_the_address_is_named(guard: AGuard) -> None:
    directory = guard.receiver.directory
    directory.people[OBJECT_ID] = Person(OBJECT_ID, "a.berg@contoso.com")
    directory.others = [Person(QUEUE_ID, "anna@contoso.com", is_deleted=True)]
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert "No user of Entra holds" in held.reason
    assert "; deleted anna@contoso.com does" in held.reason


async def test_what_only_carries_the_address_does_not_stop_the_approval(guard: AGuard) -> None:
    directory = guard.receiver.directory
    directory.people[QUEUE_ID] = Person(QUEUE_ID, "other@contoso.com", "anna@contoso.com")
    directory.others = [Person(SYSTEM_ID, mail="anna@contoso.com", type=HolderType.GROUP)]
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert (held.state, held.object_id) == ("approved", OBJECT_ID)


async def test_several_holders_are_not_approved(guard: AGuard) -> None:
    twin = Person(QUEUE_ID, "other@contoso.com", None, ("smtp:ANNA@contoso.com",))
    guard.receiver.directory.people[QUEUE_ID] = twin
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert "2 users of Entra" in held.reason


async def test_a_users_mailbox_must_be_the_owners_own_object(guard: AGuard) -> None:
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "anna@contoso.com", CEO_OBJECT_ID)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert held.state == "withdrawn"
    assert "not to the owner" in held.reason


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({USER_ID: UserRow(USER_ID, "anna@contoso.com")}, "names no object of Entra"),
        (
            {USER_ID: UserRow(USER_ID, "anna@contoso.com", OBJECT_ID, SYSTEM_ID)},
            "is an application",
        ),
        ({QUEUE_ID: UserRow(QUEUE_ID, "x@contoso.com", OBJECT_ID)}, f"too: {QUEUE_ID}"),
        ({QUEUE_ID: UserRow(QUEUE_ID, "ANNA@contoso.com")}, f"too: {QUEUE_ID}"),
    ],
)
async def test_whose_row_it_is_must_be_plain(
    guard: AGuard, rows: dict[str, UserRow], reason: str
) -> None:
    guard.receiver.rows.users.update(rows)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    assert (held.state, reason in held.reason) == ("withdrawn", True)


async def test_whom_the_owners_row_names_is_evidence(guard: AGuard) -> None:
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval()
    assert held is not None
    named = held.evidence["owner_upn"], held.evidence["owner_object_id"]
    assert named == ("Anna@contoso.com", OBJECT_ID)


async def test_nothing_is_granted_while_the_owner_is_in_doubt(guard: AGuard) -> None:
    at = guard.receiver.clock.now()
    columns = {"domainname": "anna@contoso.com", "azureactivedirectoryobjectid": CEO_OBJECT_ID}
    known = MirrorRow("systemuser", USER_ID, columns, at)
    guard.database.write_now(lambda c: mirror.keep(c, known), failpoint=STEP)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert guard.approval() is None
    (listed,) = guard.decisions()
    assert [(one["kind"], one["state"]) for one in listed["obligations"]] == [("grant", "queued")]
    # Once the row names whom it did, what waited is done.
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "anna@contoso.com", CEO_OBJECT_ID)
    guard.receiver.clock.advance(60)
    await guard.carry_out()
    held = guard.approval()
    assert held is not None
    assert "not to the owner" in held.reason


async def test_another_identity_ends_the_approval_until_a_newer_one(guard: AGuard) -> None:
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    await guard.deliver(
        {"domainname": "a.berg@contoso.com"},
        table="systemuser",
        record_id=USER_ID,
        before={
            "internalemailaddress": "anna@contoso.com",
            "emailrouteraccessapproval": choice(1),
            "domainname": "anna@contoso.com",
            "azureactivedirectoryobjectid": OBJECT_ID,
        },
        mode=1,
        actor=ADMIN_ID,
    )
    held = guard.approval()
    assert held is not None
    assert (held.state, "names another identity" in held.reason) == ("withdrawn", True)


async def test_a_queue_mailbox_needs_no_own_object(guard: AGuard) -> None:
    queue = {
        "regardingobjectid__id": QUEUE_ID,
        "regardingobjectid__type": "queue",
        "emailaddress": "boss@contoso.com",
    }
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **queue)
    before = MAILBOX_BEFORE | {
        "emailaddress": "boss@contoso.com",
        "regardingobjectid": reference("queue", QUEUE_ID),
    }
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID, before=before)
    held = guard.approval()
    assert held is not None
    assert (held.state, held.owner_type, held.object_id) == ("approved", "queue", CEO_OBJECT_ID)


async def test_an_approval_by_a_users_row_reaches_the_mailbox(guard: AGuard) -> None:
    before = {
        "internalemailaddress": "anna@contoso.com",
        "emailrouteraccessapproval": choice(2),
        "domainname": "anna@contoso.com",
    }
    named = {"table": "systemuser", "record_id": USER_ID, "before": before}
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID, **named)
    held = guard.approval()
    assert held is not None
    assert held.state == "approved"


async def test_while_the_organisation_is_unknown_nothing_is_granted(guard: AGuard) -> None:
    guard.receiver.identity.organization_id = None
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert guard.approval() is None
    (listed,) = guard.decisions()
    assert listed["obligations"][0]["state"] == "queued"


async def test_a_silent_directory_is_asked_again(guard: AGuard) -> None:
    guard.receiver.directory.is_down = True
    rejected = await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert rejected.body["decision"] == "reject"
    assert guard.approval() is None


async def test_a_later_withdrawal_wins_over_a_grant_under_way(
    guard: AGuard, clock: FrozenClock
) -> None:
    await guard.receiver.post(body_of(APPROVE))
    original = guard.receiver.directory.holders_of

    async def meanwhile(address: str) -> Any:
        guard.receiver.directory.holders_of = original  # type: ignore[method-assign]
        withdrawn = {"emailrouteraccessapproval": choice(3)}
        await guard.receiver.post(body_of(withdrawn, before=MAILBOX_BEFORE | APPROVE))
        guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=3)
        return await original(address)

    guard.receiver.directory.holders_of = meanwhile  # type: ignore[method-assign]
    await guard.carry_out()
    assert guard.approval() is None
    await guard.carry_out()
    held = guard.approval()
    assert held is not None
    assert held.state == "withdrawn"


def body_of(columns: dict[str, Any], **named: Any) -> bytes:
    from tests.guard.builders import body

    return body(columns, mode=1, actor=ADMIN_ID, **named)


class TestReadingBack:
    """What is true when the row is read counts, not what the delivery was judged by."""

    async def test_an_approver_who_lost_the_role_meanwhile_has_approved_nothing(
        self, guard: AGuard
    ) -> None:
        answer = await guard.receiver.post(body_of(APPROVE))
        assert answer.body["decision"] == "allow"
        guard.receiver.directory.roles.clear()
        await guard.carry_out()
        held = guard.approval()
        assert held is not None
        assert held.state == "withdrawn"
        assert "approver/qualified did not allow it" in held.reason
        late, first = guard.decisions()
        assert (first["id"], late["decision"]) == (answer.body["decision_id"], "reject")
        assert late["id"] in held.reason

    async def test_a_row_that_would_not_be_allowed_as_it_is_is_not_granted(
        self, guard: AGuard
    ) -> None:
        await guard.receiver.post(body_of(APPROVE))
        guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "a.sales@contoso.com", OBJECT_ID)
        await guard.carry_out()
        held = guard.approval()
        assert held is not None
        assert held.state == "withdrawn"
        assert "would not be allowed: own-address/same-as-upn" in held.reason

    @pytest.mark.parametrize(
        ("record_id", "found"),
        [(ADMIN_ID, None), (USER_ID, UserRow(USER_ID, None, OBJECT_ID))],
        ids=["the approver is not found", "the owner has no sign-in name"],
    )
    async def test_what_cannot_be_judged_is_tried_again_and_then_given_up(
        self, guard: AGuard, clock: FrozenClock, record_id: str, found: UserRow | None
    ) -> None:
        await guard.receiver.post(body_of(APPROVE))
        del guard.receiver.rows.users[record_id]
        if found is not None:
            guard.receiver.rows.users[record_id] = found
        for _ in range(ATTEMPTS_FOR_FACTS - 1):
            await guard.carry_out()
            assert guard.approval() is None
            clock.advance(3600)
        await guard.carry_out()
        held = guard.approval()
        assert held is not None
        assert held.state == "withdrawn"


class TestWithdrawing:
    @pytest.fixture
    async def guard(self, database: Database, clock: FrozenClock) -> AGuard:
        guard = a_guard(database, clock)
        guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
        await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
        return guard

    @pytest.mark.parametrize(
        "columns",
        [
            {"emailrouteraccessapproval": choice(2)},
            {"statecode": choice(1)},
            {"emailaddress": None},
            {"emailaddress": "ceo@contoso.com"},
        ],
    )
    async def test_a_committed_change_takes_the_approval_away_at_once(
        self, guard: AGuard, columns: dict[str, Any]
    ) -> None:
        before = MAILBOX_BEFORE | APPROVE
        await guard.receiver.post(body_of(columns, before=before))
        held = guard.approval()
        assert held is not None
        assert (held.state, held.epoch) == ("withdrawn", 2)

    async def test_an_unrelated_change_leaves_it(self, guard: AGuard) -> None:
        before = MAILBOX_BEFORE | APPROVE
        await guard.deliver({"actdeliverymethod": choice(0)}, mode=1, actor=USER_ID, before=before)
        held = guard.approval()
        assert held is not None
        assert (held.state, held.epoch) == ("approved", 1)

    async def test_a_user_who_is_disabled_takes_it_away(self, guard: AGuard) -> None:
        before = {"internalemailaddress": "anna@contoso.com", "isdisabled": False}
        await guard.deliver(
            {"isdisabled": True},
            mode=1,
            actor=ADMIN_ID,
            table="systemuser",
            record_id=USER_ID,
            before=before,
        )
        held = guard.approval()
        assert held is not None
        assert held.state == "withdrawn"


class TestSwitchingOn:
    """A row that was approved, switched off, and is switched on again."""

    @pytest.fixture
    async def guard(self, database: Database, clock: FrozenClock) -> AGuard:
        guard = a_guard(database, clock)
        guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
        await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
        before = MAILBOX_BEFORE | APPROVE
        await guard.deliver({"statecode": choice(1)}, mode=1, actor=USER_ID, before=before)
        clock.advance(60)
        return guard

    async def test_by_somebody_who_may_not_approve_it_is_no_approval_of_theirs(
        self, guard: AGuard
    ) -> None:
        before = MAILBOX_BEFORE | APPROVE | {"statecode": choice(1)}
        await guard.deliver({"statecode": choice(0)}, mode=1, actor=USER_ID, before=before)
        assert {one["decision"] for one in guard.decisions()} == {"allow"}
        assert not guard.receiver.rows.written
        held = guard.approval()
        assert held is not None
        assert held.state == "withdrawn"
        assert "switched on again by somebody whose approval approver/qualified" in held.reason

    async def test_by_somebody_who_may_approve_it_is_granted_again(self, guard: AGuard) -> None:
        before = MAILBOX_BEFORE | APPROVE | {"statecode": choice(1)}
        await guard.deliver({"statecode": choice(0)}, mode=1, actor=ADMIN_ID, before=before)
        held = guard.approval()
        assert held is not None
        assert held.state == "approved"
