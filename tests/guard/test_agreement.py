"""What was agreed to is one change by one person: whatever differs is another. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.agreement import TRAVELS_WITHIN, pass_for, related_ids, spends, standing
from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, TABLES
from guard.ledger.parked import Agreement, HeldChange, Settlement
from tests.guard.builders import MAILBOX_ID, USER_ID

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=1)
BEFORE = {
    "emailaddress": "anna@contoso.com",
    APPROVAL: 2,
    "ownerid.id": USER_ID,
    "ownerid.type": "systemuser",
    "regardingobjectid.id": USER_ID,
    "regardingobjectid.type": "systemuser",
    "statecode": 0,
}
REQUESTER = "requester"


def asked(**sent: Any) -> HeldChange:
    after = {**BEFORE, **({APPROVAL: 1} | sent)}
    return HeldChange("mailbox", MAILBOX_ID, "update", BEFORE, after, REQUESTER)


AGREED = Agreement("h", asked(), ("vip/approval",), UNTIL)


def on_owner(**sent: Any) -> HeldChange:
    before = {"internalemailaddress": "anna@contoso.com", APPROVAL: 2}
    after = {**before, APPROVAL: 1, **sent}
    return HeldChange("systemuser", USER_ID, "update", before, after, REQUESTER)


def fits(agreed: Agreement, change: HeldChange, *, at: datetime = NOW) -> bool:
    return pass_for([agreed], change, now=at) is agreed


def test_the_same_change_fits() -> None:
    assert fits(AGREED, asked(emailaddress="ANNA@contoso.com"))


def test_what_the_approval_was_before_says_nothing() -> None:
    change = asked()
    assert fits(AGREED, replace(change, before={**change.before, APPROVAL: 3}))


@pytest.mark.parametrize(
    "change",
    [
        replace(asked(), requester_id="another"),
        replace(asked(), on_behalf_by="another"),
        replace(asked(), record_id="another"),
        replace(asked(), operation="create"),
        replace(asked(), before={**BEFORE, "emailaddress": "old@contoso.com"}),
        asked(statecode=1),
        replace(asked(), after=BEFORE),
    ],
)
def test_another_change_does_not_fit(change: HeldChange) -> None:
    assert not fits(AGREED, change)


@given(
    st.sampled_from([name for name in TABLES["mailbox"].flat if name != APPROVAL]),
    st.sampled_from(["x@contoso.com", 7, True]),
)
def test_no_guarded_column_may_differ(name: str, value: Any) -> None:
    assert not fits(AGREED, asked(**{name: value}))


def test_it_has_an_end() -> None:
    assert not fits(AGREED, asked(), at=UNTIL)


def test_used_it_fits_nothing_on_its_row_any_more() -> None:
    used = replace(AGREED, spent_at=NOW, spent_on=MAILBOX_ID)
    assert not spends(used)
    assert not fits(used, asked())


def test_the_same_edit_is_shown_on_the_row_that_shares_the_address() -> None:
    used = replace(AGREED, spent_at=NOW, spent_on=MAILBOX_ID)
    assert fits(used, on_owner())
    assert not fits(used, on_owner(), at=NOW + TRAVELS_WITHIN + timedelta(seconds=1))
    assert not fits(used, on_owner(internalemailaddress="ceo@contoso.com"))
    assert not fits(used, on_owner(isdisabled=True))
    assert not fits(used, replace(on_owner(), record_id="another"))
    assert not fits(used, replace(on_owner(), requester_id="another"))


def test_what_the_guard_writes_itself_is_no_pass() -> None:
    change = HeldChange(
        "mailbox", MAILBOX_ID, "update", BEFORE, {**BEFORE, "emailaddress": "x@y.com"}, REQUESTER
    )
    assert change.settlement is Settlement.WRITE
    assert pass_for([replace(AGREED, change=change)], change, now=NOW) is None


def test_an_approval_and_a_new_row_get_a_pass_alone() -> None:
    assert asked(emailaddress="x@y.com").settlement is Settlement.PASS
    assert replace(asked(**{APPROVAL: 2}), operation="create").settlement is Settlement.PASS


def test_used_it_stands_while_the_row_answers_to_it() -> None:
    used = replace(AGREED, spent_at=NOW, spent_on=MAILBOX_ID)
    row = dict(asked().after)
    assert standing([used], "mailbox", MAILBOX_ID, row) == [used]
    assert standing([used], "systemuser", USER_ID, dict(on_owner().after)) == [used]
    assert standing([AGREED], "mailbox", MAILBOX_ID, row) == []
    for other in (
        {"emailaddress": "ceo@contoso.com"},
        {"ownerid.id": "another"},
        {"regardingobjectid.id": "another"},
        {APPROVAL: 2},
    ):
        assert standing([used], "mailbox", MAILBOX_ID, {**row, **other}) == []


def test_it_is_found_by_the_row_and_by_its_owner() -> None:
    assert related_ids("mailbox", MAILBOX_ID, BEFORE) == [MAILBOX_ID, USER_ID]
    assert related_ids("systemuser", USER_ID, {}) == [USER_ID]
    assert related_ids("mailbox", "", {}) == []


@given(st.text(max_size=20), st.booleans())
def test_alike_changes_have_one_key(text: str, is_upper: bool) -> None:
    other = text.upper() if is_upper else text
    one, two = asked(username=text), asked(username=other)
    assert (one.key == two.key) == (one.altered == two.altered and is_same(text, other))


def is_same(left: str, right: str) -> bool:

    return is_equal(left, right)
