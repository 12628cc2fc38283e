"""Whose branch somebody is of: the names of the business unit and of all above it."""

from __future__ import annotations

from typing import Any

import pytest

from console.wiring.connections import connect_guard
from guard.facts.business_unit import NOT_CARRIED, QUEUES_NOT_CARRIED, chain_of
from guard.facts.fact_sheet import UNREADABLE_OWNER, Absence
from guard.judge import may_be_deferred
from guard.ports.dataverse import DataverseRows
from guard.ports.rows import BusinessUnit
from kernel.clock import FrozenClock, SystemClock
from kernel.settings import load as load_settings
from sandbox import people
from sandbox.server import Sandbox
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, QUEUE_ID, USER_ID
from tests.guard.facts.questions import OWNED, a_question, gathered

_UNITS = {
    "root": BusinessUnit("Contoso"),
    "sales": BusinessUnit("Sales", "root"),
    "inside": BusinessUnit("Inside Sales", "sales"),
}
OWN, ALL = "new.owner.businessUnit", "new.owner.businessUnits"
BRANCH = ("Inside Sales", "Sales", "Contoso")


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    receiver = a_receiver(clock, deadline_seconds=0.2)
    receiver.rows.units = dict(_UNITS)
    receiver.rows.unit_of = {
        ("systemuser", ADMIN_ID): "root",
        ("systemuser", USER_ID): "inside",
        ("team", USER_ID): "sales",
    }
    return receiver


async def test_the_actors_and_the_owners_own_unit_and_all_above_it(receiver: AReceiver) -> None:
    found = await gathered(
        receiver, a_question("actor.businessUnit", "actor.businessUnits", OWN, ALL)
    )
    assert found.values["actor.businessUnit"] == "Contoso"
    assert found.values["actor.businessUnits"] == ("Contoso",)
    assert (found.values[OWN], found.values[ALL]) == ("Inside Sales", BRANCH)
    assert found.sources[ALL] == "dataverse"


async def test_nothing_is_read_that_nobody_asks_for(receiver: AReceiver) -> None:
    await gathered(receiver, a_question("actor.id", "new.owner.id"))
    assert not any("business" in one for one in receiver.rows.asked)
    await gathered(receiver, a_question("actor.businessUnit"))
    assert sorted(receiver.rows.asked) == [
        "business_units", f"business_unit_of systemuser {ADMIN_ID}",
    ] or sorted(receiver.rows.asked) == [
        f"business_unit_of systemuser {ADMIN_ID}", "business_units",
    ]  # fmt: skip


async def test_a_team_and_a_queue_have_their_own_whoever_owns_them(receiver: AReceiver) -> None:
    team = {"ownerid.id": USER_ID, "ownerid.type": "team"}
    assert (await gathered(receiver, a_question(OWN, columns=team))).values[OWN] == "Sales"
    receiver.rows.put("queue", QUEUE_ID, ownerid__id=USER_ID, owningbusinessunit__id="sales")
    of_queue = {"regardingobjectid.id": QUEUE_ID, "regardingobjectid.type": "queue"}
    found = await gathered(receiver, a_question(OWN, ALL, columns=of_queue))
    assert (found.values[OWN], found.values[ALL]) == ("Sales", ("Sales", "Contoso"))
    row = {"ownerid.id": USER_ID, "ownerid.type": "systemuser", "owningbusinessunit.id": "root"}
    question = a_question(OWN, table="queue", record_id=QUEUE_ID, columns=row)
    assert (await gathered(receiver, question)).values[OWN] == "Contoso"


@pytest.mark.parametrize(
    ("after", "unit"),
    [
        ({"ownerid.id": ADMIN_ID}, "Sales"),
        ({"ownerid.id": USER_ID}, "Inside Sales"),
        ({"ownerid.id": USER_ID, "owningbusinessunit.id": "root"}, "Contoso"),
    ],
    ids=["the same owner", "another owner", "another owner and a unit of its own"],
)
async def test_a_queue_moves_with_its_owner_unless_the_edit_names_a_unit(
    receiver: AReceiver, after: dict[str, str], unit: str
) -> None:
    before = {"ownerid.id": ADMIN_ID, "owningbusinessunit.id": "sales"}
    question = a_question(
        OWN, "old.owner.businessUnit", table="queue", record_id=QUEUE_ID, before=before,
        columns=before | after,
    )  # fmt: skip
    found = await gathered(receiver, question)
    assert (found.values[OWN], found.values["old.owner.businessUnit"]) == (unit, "Sales")


async def test_a_new_queue_is_in_the_unit_of_its_owner(receiver: AReceiver) -> None:
    columns = {"ownerid.id": USER_ID, "ownerid.type": "systemuser"}
    named: dict[str, Any] = {"table": "queue", "record_id": QUEUE_ID, "operation": "create"}
    question = a_question(OWN, before={}, columns=columns, **named)
    assert (await gathered(receiver, question)).values[OWN] == "Inside Sales"


async def test_a_queues_own_row_is_read_only_after_it_was_written(receiver: AReceiver) -> None:
    named: dict[str, Any] = {"table": "queue", "record_id": QUEUE_ID, "columns": {"x": 1}}
    receiver.rows.put("queue", QUEUE_ID, owningbusinessunit__id="sales")
    found = await gathered(receiver, a_question(OWN, **named))
    assert found.missing[OWN] == QUEUES_NOT_CARRIED
    later = a_question(OWN, is_synchronous=False, **named)
    assert (await gathered(receiver, later)).values[OWN] == "Sales"
    receiver.rows.put("queue", QUEUE_ID, owningbusinessunit__id=None)
    assert OWN in (await gathered(receiver, later)).missing
    receiver.rows.remove("queue", QUEUE_ID)
    assert "no such queue" in (await gathered(receiver, later)).missing[OWN]


async def test_ones_own_row_is_not_read_while_it_is_written(receiver: AReceiver) -> None:
    """Who moves to another unit in the same edit is judged by the one before it."""
    before = {"businessunitid.id": "root"}
    question = a_question(
        "actor.businessUnit", OWN, table="systemuser", record_id=ADMIN_ID, before=before,
        columns={"businessunitid.id": "inside"},
    )  # fmt: skip
    found = await gathered(receiver, question)
    assert found.values["actor.businessUnit"] == "Contoso"
    assert found.values[OWN] == "Inside Sales"
    assert receiver.rows.asked == ["business_units", "business_units"]

    question = a_question(OWN, table="systemuser", record_id=ADMIN_ID, columns={"x": 1})
    assert (await gathered(receiver, question)).missing[OWN] == NOT_CARRIED


async def test_on_create_an_owner_who_may_be_new_waits_for_stage_40(receiver: AReceiver) -> None:
    question = a_question(OWN, operation="create", before={})
    found = await gathered(receiver, question)
    assert (found.missing[OWN], found.absences[OWN]) == (
        UNREADABLE_OWNER, Absence.SAME_TRANSACTION,
    )  # fmt: skip
    assert may_be_deferred(question.change, found, question.needed)
    later = a_question(OWN, operation="create", before={}, is_synchronous=False)
    assert (await gathered(receiver, later)).values[OWN] == "Inside Sales"


@pytest.mark.parametrize(
    ("units", "unit_of"),
    [
        ({"inside": BusinessUnit("Inside Sales", "gone")}, "inside"),
        ({"inside": BusinessUnit("Inside Sales", "inside")}, "inside"),
        ({}, "inside"),
        (_UNITS, None),
    ],
    ids=["a parent is missing", "it is its own parent", "nothing is known", "no such user"],
)
async def test_a_branch_that_is_not_whole_is_not_known(
    receiver: AReceiver, units: dict[str, BusinessUnit], unit_of: str | None
) -> None:
    receiver.rows.units = units
    receiver.rows.unit_of = {("systemuser", USER_ID): unit_of} if unit_of else {}
    found = await gathered(receiver, a_question(OWN, ALL))
    assert {OWN, ALL} <= found.missing.keys()
    assert OWN not in found.values


async def test_no_answer_is_no_answer(receiver: AReceiver) -> None:
    receiver.rows.is_down = True
    found = await gathered(receiver, a_question(OWN, columns=OWNED, record_id=MAILBOX_ID))
    assert found.unanswered == receiver.rows.down_because
    assert OWN in found.missing


async def test_they_are_read_from_dataverse() -> None:
    async with Sandbox() as sandbox:
        settings = load_settings(sandbox.settings())
        connections = connect_guard(settings, SystemClock())
        try:
            rows = DataverseRows(connections.dataverse)
            unit_id = await rows.business_unit_of("systemuser", people.ANNA.user_id)
            queue = await rows.row("queue", people.SUPPORT_QUEUE_ID)
            units = await rows.business_units()
            nobody: Any = await rows.business_unit_of("systemuser", people.stable_id("nobody"))
        finally:
            await connections.aclose()
    assert unit_id == people.INSIDE_SALES_UNIT_ID
    assert chain_of(unit_id, units) == ("Inside Sales", "Sales", "contoso")
    assert nobody is None
    assert queue is not None
    assert queue.columns["owningbusinessunit.id"] == people.BUSINESS_UNIT_ID
