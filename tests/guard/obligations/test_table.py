"""Every obligation: its words, its payload, and that a decision owes what it should and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guard.case import FROM_RECONCILIATION, Case, read_back_case
from guard.columns.change import GuardedChange
from guard.consequences import Committed
from guard.obligations.grant import Grant
from guard.obligations.obligation import Obligation
from guard.obligations.revert import Revert
from guard.obligations.table import OBLIGATIONS, handlers, owed_by
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.model.change import Change
from rules.model.decision import Outcome
from tests.conftest import NOON
from tests.guard.assembled import a_guard
from tests.guard.builders import MAILBOX_ID, USER_ID

BEFORE = {
    "emailaddress": "anna@contoso.com",
    "emailrouteraccessapproval": 2,
    "ownerid.id": USER_ID,
    "ownerid.type": "systemuser",
    "statecode": 0,
}


def case() -> Case:
    return read_back_case(
        "mailbox",
        MAILBOX_ID,
        operation="update",
        source=FROM_RECONCILIATION,
        changed_at=NOON,
        actor_id=USER_ID,
    )


def committed(outcome: Outcome, **sent: Any) -> Committed:
    change = Change("mailbox", "update", MAILBOX_ID, BEFORE, {**BEFORE, **sent})
    return Committed(case(), "d1", outcome, GuardedChange(change))


APPROVED = committed(Outcome.ALLOW, emailrouteraccessapproval=1)
REJECTED = committed(Outcome.REJECT, emailaddress="ceo@contoso.com")
UNREAD = Committed(case(), "d1", Outcome.REJECT, change=None)
OWING = {"grant": APPROVED, "revert": REJECTED, "examine": UNREAD}


@pytest.mark.parametrize("obligation", OBLIGATIONS)
def test_it_says_what_it_is(obligation: type[Obligation[Any]]) -> None:
    assert obligation.kind.isidentifier()
    assert obligation.doc.endswith(".")
    assert obligation.__module__ == f"guard.obligations.{obligation.kind}"


def test_no_two_have_the_same_kind() -> None:
    kinds = [one.kind for one in OBLIGATIONS]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("kind", sorted(OWING))
def test_each_is_owed_by_its_own_decision_alone(kind: str) -> None:
    [task] = owed_by(OWING[kind])
    assert (task.kind, task.key) == (kind, "d1")


@pytest.mark.parametrize("obligation", OBLIGATIONS)
def test_what_it_remembers_survives_the_database(obligation: type[Obligation[Any]]) -> None:
    owed = obligation.owed_by(OWING[obligation.kind])
    assert owed is not None
    assert type(owed) is obligation.payload
    assert obligation.payload.from_json(json.loads(json.dumps(owed.to_json()))) == owed


@pytest.mark.parametrize(
    "sent",
    [
        {"username": "anna"},
        {"emailrouteraccessapproval": 1, "statecode": 1},
        {"emailrouteraccessapproval": 1, "emailaddress": None},
        {"emailrouteraccessapproval": 3},
    ],
)
def test_a_grant_is_owed_only_where_a_row_is_newly_approvable(sent: dict[str, Any]) -> None:
    assert Grant.owed_by(committed(Outcome.ALLOW, **sent)) is None


@pytest.mark.parametrize(("outcome", "is_hold"), [(Outcome.HOLD, True), (Outcome.REJECT, False)])
def test_a_revert_remembers_what_was_altered_and_whether_it_waits(
    outcome: Outcome, is_hold: bool
) -> None:
    owed = Revert.owed_by(committed(outcome, emailaddress="ceo@contoso.com", name="anna"))
    assert owed is not None
    assert (owed.altered, owed.is_hold) == (("emailaddress",), is_hold)
    assert "name" not in owed.after


def test_each_has_somebody_who_carries_it_out(database: Database, clock: FrozenClock) -> None:
    means = a_guard(database, clock).parts.means
    assert set(handlers(means)) == {one.kind for one in OBLIGATIONS}
