"""A pass lets through one edit: of its requester, on its row, with its values, in time, once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from guard.errors import HoldChanged, HoldEnded, HoldTaken, ReleaseRefused
from guard.holds import approve, list_holds, refuse
from guard.holds.expiring import expire
from guard.ledger import holds
from guard.ledger.parked import HoldState
from guard.obligations.grant import GRANTED
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import InputRefused, Unavailable
from kernel.principal import AppRole, Principal, Proof
from rules.load.loader import load_documents
from tests.guard.builders import (
    ADMIN_ID,
    ADMIN_OBJECT_ID,
    CEO_OBJECT_ID,
    GUARD_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    OBJECT_ID,
    USER_ID,
    body,
)
from tests.guard.holds.asked import (
    ADMIN,
    ANNA,
    APPROVAL,
    APPROVER,
    CEO,
    DOCUMENTS,
    FORBIDDEN,
    NAMED,
    VIP_ADDRESS,
    ask,
    guarded,
    holds_of,
    release,
)

OTHER_MAILBOX = "11111111-1111-4111-8111-222222222222"
REJECTING = {
    **DOCUMENTS,
    "policies/forbidden.yaml": FORBIDDEN.replace("notEquals: none", "equals: none"),
}


async def test_another_person_is_not_let_through(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    assert (await guard.deliver(APPROVAL, actor=USER_ID)).status == 403


async def test_whoever_acts_in_the_requesters_name_is_another(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    behalf = {"__type": "EntityReference:x", "Id": USER_ID, "LogicalName": "systemuser"}
    answer = await guard.deliver({**APPROVAL, "modifiedonbehalfby": behalf}, actor=ADMIN_ID)
    assert answer.status == 403


async def test_other_values_are_not_let_through(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    other = {**MAILBOX_BEFORE, "emailaddress": "other@contoso.com"}
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID, before=other)).status == 403
    both = {**APPROVAL, "emailaddress": "other@contoso.com"}
    assert (await guard.deliver(both, actor=ADMIN_ID)).status == 403
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 200


async def test_another_record_is_not_let_through(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    answer = await guard.deliver(APPROVAL, actor=ADMIN_ID, record_id=OTHER_MAILBOX)
    assert answer.status == 403


async def test_after_its_end_nothing_is_let_through(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"]
    await release(guard, hold_id)
    clock.advance(3600)
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 403
    states = {one["id"]: one["state"] for one in holds_of(guard)}
    assert states[hold_id] == "expired"


async def test_two_at_once_use_it_once(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    answers = await asyncio.gather(*(guard.deliver(APPROVAL, actor=ADMIN_ID) for _ in range(3)))
    assert sorted(one.status for one in answers) == [200, 403, 403]
    assert len({one.body["hold_id"] for one in answers if one.status == 403}) == 1
    assert guard.is_whole()


async def test_the_same_delivery_again_gets_the_same_answer(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    sent = body(APPROVAL, actor=ADMIN_ID)
    first = await guard.receiver.post(sent)
    again = await guard.receiver.post(sent)
    assert first.status == again.status == 200
    assert first.body["decision_id"] == again.body["decision_id"]


async def test_its_confirmation_matches_and_the_mailbox_is_granted(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    through = await guard.deliver(APPROVAL, actor=ADMIN_ID)
    guard.receiver.rows.put(
        "mailbox", MAILBOX_ID, emailrouteraccessapproval=1, modified_by=ADMIN_ID
    )
    confirmed = await guard.deliver(APPROVAL, actor=ADMIN_ID, mode=1)
    assert confirmed.body["decision"] == "allow"
    newest = guard.decisions()[0]
    assert newest["confirms"] == through.body["decision_id"]
    held = guard.approval()
    assert held is not None
    assert held.is_approved(clock.now())
    # It stands when its row is judged anew.
    guard.receiver.policies.swap(load_documents({**DOCUMENTS, "lists/x.yaml": LIST}))
    clock.advance(120)
    await guard.drift.run()
    again = guard.approval()
    assert again is not None
    assert again.is_approved(clock.now())


LIST = "kind: List\nname: nothing\nitems: [nothing]\n"


async def test_a_rejection_wins_over_a_pass(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    guard.receiver.policies.swap(load_documents(REJECTING))
    answer = await guard.deliver(APPROVAL, actor=ADMIN_ID)
    assert (answer.status, answer.body["decision"]) == (403, "reject")


async def test_what_was_committed_is_taken_back_and_parked_and_its_pass_works_then(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.deliver(APPROVAL, actor=ADMIN_ID, mode=1)
    row = await guard.receiver.rows.row("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailrouteraccessapproval"] == 2
    (hold,) = holds_of(guard, HoldState.OPEN)
    await release(guard, hold["id"])
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    answer = await guard.deliver(APPROVAL, actor=ADMIN_ID, mode=1)
    assert answer.body["decision"] == "allow"
    row = await guard.receiver.rows.row("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailrouteraccessapproval"] == 1


async def test_the_same_edit_joins_the_open_hold(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    first = await ask(guard, VIP_ADDRESS)
    again = await ask(guard, {"emailaddress": "VIP@contoso.com"})
    other = await ask(guard, VIP_ADDRESS, actor=ADMIN_ID)
    assert first.body["hold_id"] == again.body["hold_id"] != other.body["hold_id"]
    asked = {one["id"]: one["asked"] for one in holds_of(guard)}
    assert asked[first.body["hold_id"]] == 2


async def test_observing_parks_nothing(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock, enforcement="observe")
    answer = await guard.deliver(VIP_ADDRESS)
    assert (answer.status, answer.body["decision"]) == (200, "hold")
    assert holds_of(guard) == []


async def test_a_requester_has_so_many_open_and_no_more(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guard.parking.MOST_OF_REQUESTER", 2)
    guard = guarded(database, clock)
    await ask(guard, VIP_ADDRESS)
    await ask(guard, APPROVAL)
    third = await ask(guard, {**APPROVAL, **VIP_ADDRESS})
    assert third.body["not_parked"] == "too-many-of-requester"
    assert "hold_id" not in third.body
    assert (await ask(guard, VIP_ADDRESS)).body["hold_id"]


async def test_what_nobody_releases_ends(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    assert await expire(database, clock) == 0
    clock.advance(timedelta(hours=72).total_seconds())
    with pytest.raises(HoldEnded):
        await release(guard, hold_id)
    assert await expire(database, clock) == 1
    assert await expire(database, clock) == 0
    assert (await ask(guard, VIP_ADDRESS)).body["hold_id"] != hold_id


async def test_a_rule_says_how_long_it_waits(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock, also=named("{hours: 1}"))
    await ask(guard, VIP_ADDRESS)
    clock.advance(3600)
    assert holds_of(guard)[0]["state"] == "expired"


def named(release: str) -> dict[str, str]:
    return {"policies/vip.yaml": NAMED.replace("{RELEASE}", release)}


@pytest.mark.parametrize(
    "release_by",
    ["{approvers: [Boss@contoso.com]}", f"{{approvers: ['{CEO_OBJECT_ID}']}}"],
)
async def test_a_rule_names_who_releases_what_it_holds(
    database: Database, clock: FrozenClock, release_by: str
) -> None:
    guard = guarded(database, clock, also=named(release_by))
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    with pytest.raises(ReleaseRefused, match="names others"):
        await release(guard, hold_id, ADMIN)
    await release(guard, hold_id, CEO)
    assert holds_of(guard)[0]["state"] == "applied"


async def test_a_rule_names_a_role(database: Database, clock: FrozenClock) -> None:
    role = "62e90394-69f5-4237-9190-012177145e10"
    guard = guarded(database, clock, also=named(f"{{entraRoles: ['{role}']}}"))
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    with pytest.raises(ReleaseRefused, match="names others"):
        await release(guard, hold_id, CEO)
    await release(guard, hold_id, ADMIN)
    assert holds_of(guard)[0]["state"] == "applied"


@pytest.mark.parametrize(
    "principal",
    [
        Principal("Chief", Proof.ENTRA, frozenset({AppRole.OPERATOR}), CEO_OBJECT_ID),
        Principal("Chief", Proof.ENTRA, frozenset(), CEO_OBJECT_ID),
        Principal("Chief", Proof.LINK, APPROVER, CEO_OBJECT_ID),
        Principal("root", Proof.ACCOUNT, APPROVER),
        Principal("Nobody", Proof.ENTRA, APPROVER, "00000000-0000-4000-8000-000000000000"),
        ANNA,
    ],
)
async def test_nobody_else_releases(
    database: Database, clock: FrozenClock, principal: Principal
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    with pytest.raises(ReleaseRefused):
        await release(guard, hold_id, principal)
    assert holds_of(guard)[0]["state"] == "open"
    assert guard.receiver.rows.written == []


async def test_a_user_row_that_names_somebody_else_by_now_is_nobody(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    # Anna, who asked, has her own row point to somebody else, to release as herself.
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "x@contoso.com", ADMIN_OBJECT_ID)
    for principal in (ANNA, ADMIN, CEO):
        with pytest.raises(ReleaseRefused):
            await release(guard, hold_id, principal)
    # Asking once more does not change who asked first.
    await ask(guard, VIP_ADDRESS)
    with pytest.raises(ReleaseRefused):
        await release(guard, hold_id, ANNA)


async def test_who_is_not_known_in_entra_asks_for_what_nobody_releases(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "anna@contoso.com", None)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    with pytest.raises(ReleaseRefused, match="not known"):
        await release(guard, hold_id)


async def test_what_an_application_asks_for_nobody_releases(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    # Whoever holds its secret may have asked: the approver, too.
    guard.receiver.rows.users[USER_ID] = UserRow(
        USER_ID,
        None,
        "77777777-7777-4777-8777-777777777777",
        "88888888-8888-4888-8888-888888888888",
    )
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    for principal in (ADMIN, CEO):
        with pytest.raises(ReleaseRefused, match="not known"):
            await release(guard, hold_id, principal)


async def test_our_own_identity_asks_for_nothing(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    answer = await guard.deliver(VIP_ADDRESS, actor=GUARD_ID)
    assert answer.status == 403
    assert holds_of(guard) == []


async def test_a_row_that_was_changed_since_ends_the_hold(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    guard.receiver.rows.put("mailbox", MAILBOX_ID, incomingemaildeliverymethod=1)
    with pytest.raises(HoldEnded, match="incomingemaildeliverymethod"):
        await release(guard, hold_id)
    assert holds_of(guard)[0]["state"] == "superseded"


async def test_a_rejection_by_now_ends_the_hold(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    guard.receiver.policies.swap(load_documents(REJECTING))
    shown = await release(guard, hold_id)
    assert (shown["state"], guard.receiver.rows.written) == ("refused", [])
    assert guard.is_whole()


async def test_what_cannot_be_judged_now_stays_open(database: Database, clock: FrozenClock) -> None:
    needy = FORBIDDEN.replace(
        "{field: incomingemaildeliverymethod, notEquals: none}",
        "{field: owner.entraUpn, equals: anna@contoso.com}",
    )
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    guard.receiver.policies.swap(load_documents({**DOCUMENTS, "policies/forbidden.yaml": needy}))
    guard.receiver.directory.people.pop(OBJECT_ID)
    with pytest.raises(Unavailable):
        await release(guard, hold_id)
    assert holds_of(guard)[0]["state"] == "open"


async def test_a_rule_that_the_approver_did_not_see_is_shown_first(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    second = FORBIDDEN.replace("    require", "    effect: hold\n    require").replace(
        "notEquals: none", "equals: none"
    )
    guard.receiver.policies.swap(load_documents({**DOCUMENTS, "policies/forbidden.yaml": second}))
    with pytest.raises(HoldChanged):
        await release(guard, hold_id)
    assert holds_of(guard)[0]["rules"] == ["forbidden/never", "vip/address"]
    await release(guard, hold_id)
    assert holds_of(guard)[0]["state"] == "applied"


async def test_two_approvers_at_once_release_once(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    means = guard.parts.means
    done = await asyncio.gather(
        approve(means, hold_id, CEO, reason="Yes."),
        approve(means, hold_id, ADMIN, reason="Yes."),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, HoldTaken | HoldEnded)]
    assert len(refused) == 1
    await guard.carry_out()
    assert len(guard.receiver.rows.written) == 1
    assert guard.is_whole()


async def test_a_pass_is_taken_back_by_refusing_it(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"]
    await release(guard, hold_id)
    operator = Principal("Op", Proof.ENTRA, frozenset({AppRole.OPERATOR}), OBJECT_ID)
    await refuse(database, clock, hold_id, operator, reason="Not any more.")
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 403
    with pytest.raises(HoldEnded):
        await refuse(database, clock, hold_id, operator, reason="Again.")
    reader = Principal("R", Proof.ENTRA, frozenset({AppRole.READER}), OBJECT_ID)
    with pytest.raises(ReleaseRefused):
        await refuse(database, clock, hold_id, reader, reason="No.")
    with pytest.raises(InputRefused):
        await refuse(database, clock, hold_id, operator, reason="  ")
    assert guard.is_whole()


async def test_a_release_that_was_written_into_the_database_lets_nothing_through(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"]
    later = clock.now() + timedelta(hours=1)
    forged = holds.holds.update().values(
        state=HoldState.APPROVED,
        answered_by="Chief",
        release_decision_id="x",
        usable_until=later,
    )
    database.write_now(lambda c: c.execute(forged), failpoint=GRANTED)
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 403
    assert not guard.is_whole()
    shown = database.read_now(
        lambda c: list_holds(c, now=clock.now(), states=(HoldState.APPROVED,))
    )
    assert [one["id"] for one in shown] == [hold_id]


async def test_a_release_is_no_try_of_its_requester(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    await release(guard, hold_id)
    tries = await guard.receiver.ledger.recent(since=clock.now() - timedelta(hours=1))
    assert [one.actor_id for one in tries] == [USER_ID]
