"""Questions about a change, and what a receiver finds for them."""

from __future__ import annotations

from typing import Any

from guard.facts.fact_sheet import FactSheet, Question
from guard.facts.gather import Gatherer
from rules.model.change import Change
from tests.guard.assembled import AReceiver
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, USER_ID

OWNED = {
    "emailaddress": "anna@contoso.com",
    "regardingobjectid.id": USER_ID,
    "regardingobjectid.type": "systemuser",
}


def a_question(*needed: str, **named: Any) -> Question:
    columns = named.pop("columns", OWNED)
    change = Change(
        table=named.pop("table", "mailbox"),
        operation=named.pop("operation", "update"),
        record_id=named.pop("record_id", MAILBOX_ID),
        before=named.pop("before", columns),
        after=columns,
    )
    return Question(
        change,
        frozenset(needed),
        named.pop("actor_id", ADMIN_ID),
        is_synchronous=named.pop("is_synchronous", True),
        **named,
    )


async def gathered(receiver: AReceiver, question: Question) -> FactSheet:
    gatherer: Gatherer = receiver.judge._gatherer
    return await gatherer.gather(question)
