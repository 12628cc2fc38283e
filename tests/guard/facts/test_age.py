"""How old a fact is: that of an earlier decision's look-up is told with its age."""

from __future__ import annotations

import pytest

from guard.facts.fact_sheet import FactSheet
from guard.ports.rows import HeldRole
from kernel.clock import FrozenClock
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import ADMIN_ID, body, choice
from tests.guard.facts.questions import a_question, gathered

ROLES = "actor.roleIds"


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock, remembers=True)


async def asked(receiver: AReceiver, *needed: str, actor_id: str = ADMIN_ID) -> FactSheet:
    return await gathered(receiver, a_question(*needed, actor_id=actor_id))


async def test_what_is_looked_up_for_the_decision_has_no_age(receiver: AReceiver) -> None:
    sheet = await asked(receiver, "actor.upn", ROLES, "actor.id", "new.owner.upn")
    assert sheet.values["actor.upn"] == "admin@contoso.com"
    assert sheet.ages == {}


async def test_a_remembered_answer_is_as_old_as_its_look_up(
    receiver: AReceiver, clock: FrozenClock
) -> None:
    await asked(receiver, "actor.upn")
    clock.advance(1.25)
    sheet = await asked(receiver, "actor.upn", "actor.id", ROLES)
    # Who it is stands in the delivery, and the roles were looked up just now.
    assert sheet.ages == dict.fromkeys(("actor.kind", "actor.upn", "actor.objectId"), 1.25)


async def test_a_fact_is_as_old_as_the_oldest_answer_that_it_rests_on(
    receiver: AReceiver, clock: FrozenClock
) -> None:
    await asked(receiver, "actor.upn")
    clock.advance(0.5)
    await asked(receiver, ROLES, "actor.upn")
    clock.advance(1)
    # The sign-in name led to the directory, which is asked for the first time.
    sheet = await asked(receiver, "actor.entraRoles", ROLES)
    assert sheet.ages["actor.entraRoles"] == 1.5
    assert sheet.ages[ROLES] == 1.0


async def test_two_look_ups_at_once_both_count(receiver: AReceiver, clock: FrozenClock) -> None:
    receiver.rows.team_roles[ADMIN_ID] = [HeldRole("r9", "Team", None, None)]
    await asked(receiver, ROLES)
    clock.advance(1)
    sheet = await asked(receiver, ROLES, "actor.canApproveEmail")
    assert sheet.ages[ROLES] == 1.0
    assert "actor.canApproveEmail" not in sheet.ages


async def test_the_ages_of_the_facts_that_were_read_are_recorded(
    receiver: AReceiver, clock: FrozenClock
) -> None:
    for number in range(2):
        change = {"emailrouteraccessapproval": choice(1)}
        await receiver.post(body(change, mode=0, actor=ADMIN_ID, CorrelationId=f"c{number}"))
        clock.advance(1.5)
    first, second = (one.private for one in receiver.ledger.entries)
    assert first["facts"]["actor.isSystemAdministrator"] is True
    assert "ages" not in first
    assert second["ages"]["actor.isSystemAdministrator"] == 1.5
    assert second["ages"].keys() <= second["facts"].keys()
