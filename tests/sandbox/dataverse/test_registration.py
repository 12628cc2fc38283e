"""What the sample registration brings along is what policies may ask for."""

from __future__ import annotations

import pytest

from guard.columns.table import TABLES
from guard.receive import change_from, read_delivery
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
