"""What the sample registration brings along is what policies may ask for."""

from __future__ import annotations

import pytest

from console.wiring.connections import connect_guard
from guard.columns.table import TABLES
from guard.ports.dataverse_registry import DataverseRegistry
from guard.ports.registry import Registration
from guard.receive import change_from, read_delivery
from guard.registration.desired import desired_registration
from guard.registration.plan import carry_out, plan
from kernel.settings import load
from rules.engine.decide import decide
from rules.model.change import Facts
from sandbox import people
from sandbox.dataverse.rows import Ref
from tests.rules.builders import NOW, a_policy, a_set

_EDITS = {
    "mailbox": (f"mailboxes({people.ANNA.mailbox_id})", {"emailaddress": "anna.b@contoso.com"}),
    "systemuser": (
        f"systemusers({people.ANNA.user_id})",
        {"internalemailaddress": "anna.b@contoso.com"},
    ),
    "queue": (f"queues({people.SUPPORT_QUEUE_ID})", {"emailaddress": "help@contoso.com"}),
}
_QUEUE_NAME = a_policy(
    "{id: the-rule, when: [{field: name, exists: true}],"
    " require: [{field: name, notEquals: SUPPORT}], message: '{name} keeps its address.'}",
    entity="queue",
)


async def _first_change(table, sandbox, receiver, webapi):
    sandbox.register(receiver.url, "k")
    path, columns = _EDITS[table]
    answer = await webapi("admin", "PATCH", path, json=columns)
    assert answer.status_code == 204, answer.text
    received = next(got for got in receiver.received if got.names()[1] == table)
    return change_from(read_delivery(received.body))


@pytest.mark.parametrize("table", _EDITS)
async def test_an_edit_brings_every_filled_column_that_the_guard_says_is_carried(
    table, sandbox, receiver, webapi
) -> None:
    change = await _first_change(table, sandbox, receiver, webapi)
    row = sandbox.row(table, change.record_id)
    for name, kind in TABLES[table].carried.items():
        held = row[name]
        if held is None:
            continue
        brought = change.before if kind != "lookup" else {name: change.before.get(f"{name}.id")}
        assert brought[name] is not None, name
        assert isinstance(held, Ref) is (kind == "lookup"), name


async def test_a_rule_that_asks_the_name_of_a_queue_is_decided_by_its_name(
    sandbox, receiver, webapi
) -> None:
    change = await _first_change("queue", sandbox, receiver, webapi)
    name = sandbox.row("queue", change.record_id)["name"]
    policies = a_set(_QUEUE_NAME.replace("SUPPORT", name))

    decision = decide(change, policies, Facts(), now=NOW)

    assert [finding.message for finding in decision.findings] == [f"{name} keeps its address."]


async def _registered_by_the_product(sandbox, url: str) -> None:
    connections = connect_guard(load(sandbox.settings(), None), sandbox.clock)
    registry = DataverseRegistry(connections.dataverse)
    offers = await registry.offers(TABLES)
    organization_id = (await connections.dataverse.who_am_i()).organization_id
    wanted = desired_registration(organization_id, url, offered=offers, named={}).registration
    for action in plan(wanted, Registration(None), sends_key=False):
        await carry_out(action, registry, offers=offers, key="k")
    await connections.aclose()


@pytest.mark.parametrize(
    ("message", "columns", "differs"),
    [
        (
            "Assign",
            {"ownerid@odata.bind": f"/systemusers({people.ANNA.user_id})"},
            "ownerid.id",
        ),
        ("SetState", {"statecode": 1, "statuscode": 2}, "statecode"),
    ],
)
async def test_what_is_told_apart_is_the_same_change_as_the_update(
    message, columns, differs, sandbox, receiver, webapi
) -> None:
    await _registered_by_the_product(sandbox, receiver.url)
    sandbox.dataverse.pipeline.tells_apart = True
    path = f"queues({people.SUPPORT_QUEUE_ID})"
    answer = await webapi("admin", "PATCH", path, json=columns)
    assert answer.status_code == 204, answer.text
    await sandbox.settle()

    told = [got for got in receiver.received if got.names()[1] == "queue"]
    changes = {
        (got.context["MessageName"], got.context["Mode"]): change_from(read_delivery(got.body))
        for got in told
    }
    assert set(changes) == {(one, mode) for one in ("Update", message) for mode in (0, 1)}
    for change in changes.values():
        assert differs in change.differing
        assert change.after[differs] == changes["Update", 0].after[differs]
        assert change.before["emailaddress"] == "support@contoso.com"
