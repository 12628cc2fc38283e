"""What Microsoft recorded and the guard did not see is listed, with who and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from console.audit.comparison import AuditComparison, Inconclusive, UnseenKind
from console.audit.records import MailRead, RowEdit
from tests.conftest import NOON

OURS, OTHER = "ours", "other"
ANNA = "anna@contoso.com"


@dataclass
class Seen:
    """What is on record, in memory: moments of accesses by mailbox and of decisions by row."""

    accesses: Mapping[str, list[datetime]] = field(default_factory=lambda: {ANNA: []})
    decided: Mapping[str, list[datetime]] = field(default_factory=dict)
    reads_since: datetime | None = NOON - timedelta(days=1)
    decisions_since: datetime | None = NOON - timedelta(days=1)

    def is_watched(self, mailbox: str) -> bool:
        return mailbox in self.accesses

    def has_access(self, mailbox: str, begin: datetime, end: datetime) -> bool:
        return any(begin <= at <= end for at in self.accesses.get(mailbox, ()))

    def has_decision(self, record_id: str, begin: datetime, end: datetime) -> bool:
        return any(begin <= at <= end for at in self.decided.get(record_id, ()))


def compared(seen: Seen, *found: MailRead | RowEdit) -> AuditComparison:
    comparison = AuditComparison(seen, own_apps={OURS}, known_apps={"known"})
    for one in found:
        comparison.take(one)
    return comparison


def read(**named: Any) -> MailRead:
    values: dict[str, Any] = {
        "id": "1", "at": NOON, "app_id": "", "user": ANNA, "mailbox": ANNA, "logon_type": 0,
        "is_rest": False, "is_sync": False, "is_throttled": False, "items": 2,
    }  # fmt: skip
    return MailRead(**{**values, **named})


def edit(**named: Any) -> RowEdit:
    values: dict[str, Any] = {
        "id": "1", "at": NOON, "user": "ben@contoso.com", "table": "mailbox", "record_id": "m1",
        "operation": "Update", "columns": frozenset({"emailaddress"}),
    }  # fmt: skip
    return RowEdit(**{**values, **named})


def kinds(comparison: AuditComparison) -> list[UnseenKind]:
    return [one.kind for one in comparison.unseen]


@pytest.mark.parametrize("minutes", [-7, 0, 7])
def test_a_read_of_ours_near_an_access_was_seen(minutes: int) -> None:
    seen = Seen(accesses={ANNA: [NOON + timedelta(minutes=minutes)]})
    found = compared(seen, read(app_id=OURS, is_rest=True))
    assert kinds(found) == []
    assert found.counts["own_app_logged"] == 1


@pytest.mark.parametrize("minutes", [-8, 8])
def test_a_read_of_ours_without_an_access_is_somebody_else_with_our_credentials(
    minutes: int,
) -> None:
    seen = Seen(accesses={ANNA: [NOON + timedelta(minutes=minutes)]})
    (found,) = compared(seen, read(app_id=OURS), read(app_id=OURS, at=NOON)).unseen
    assert found.kind is UnseenKind.OWN_APP_UNLOGGED
    assert (found.who, found.what, found.records, found.items) == (OURS, ANNA, 2, 4)


def test_a_read_of_ours_elsewhere_is_found() -> None:
    found = compared(Seen(), read(app_id=OURS, mailbox="ceo@contoso.com"))
    assert kinds(found) == [UnseenKind.OWN_APP_ELSEWHERE]


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (read(), None),
        (read(user=""), None),
        (read(app_id="outlook"), None),
        (read(app_id="known", is_rest=True), None),
        (read(mailbox="dora@fabrikam.com", app_id=OTHER, is_rest=True), None),
        # The API names an application whatever user it names.
        (read(app_id=OTHER, is_rest=True), UnseenKind.OTHER_APP),
        (read(is_rest=True), UnseenKind.OTHER_APP),
        (read(user="ben@contoso.com", logon_type=2), UnseenKind.OTHER_PERSON),
        (read(user="ben@contoso.com"), UnseenKind.OTHER_PERSON),
        (read(logon_type=1), UnseenKind.OTHER_PERSON),
    ],
)
def test_who_else_read_a_watched_mailbox_is_told(one: MailRead, kind: UnseenKind | None) -> None:
    assert kinds(compared(Seen(), one)) == ([] if kind is None else [kind])


def test_what_is_older_than_the_record_says_nothing() -> None:
    old = NOON - timedelta(days=2)
    found = compared(Seen(), read(app_id=OURS, at=old), edit(at=old))
    assert (kinds(found), found.inconclusive) == ([], {Inconclusive.BEFORE: 2})
    empty = Seen(reads_since=None, decisions_since=None)
    assert compared(empty, read(app_id=OURS), edit()).inconclusive == {Inconclusive.BEFORE: 2}


def test_a_throttled_mailbox_is_blind_for_a_day() -> None:
    late = NOON + timedelta(hours=1)
    found = compared(Seen(), read(is_throttled=True), read(is_throttled=True, at=late))
    (gap,) = found.blind
    assert (gap.mailbox, gap.begin, gap.end) == (ANNA, NOON, late + timedelta(days=1))


def test_an_edit_that_was_decided_was_seen() -> None:
    seen = Seen(decided={"m1": [NOON + timedelta(minutes=5)]})
    assert compared(seen, edit()).counts["decided"] == 1
    assert kinds(compared(seen, edit())) == []


def test_an_edit_without_a_decision_is_told_with_its_guarded_columns() -> None:
    columns = frozenset({"emailaddress", "versionnumber"})
    (found,) = compared(Seen(), edit(columns=columns), edit(id="2")).unseen
    assert found.kind is UnseenKind.UNDECIDED_EDIT
    assert (found.who, found.what) == ("ben@contoso.com", "Update of mailbox m1")
    assert (found.columns, found.ids, found.records) == ({"emailaddress"}, ["1", "2"], 2)


def test_what_is_not_guarded_is_counted_and_what_is_not_said_is_inconclusive() -> None:
    found = compared(
        Seen(), edit(table="account"), edit(columns=frozenset({"ewsurl"})), edit(columns=None)
    )
    assert kinds(found) == []
    assert (found.counts["other_tables"], found.counts["other_columns"]) == (1, 1)
    assert found.inconclusive == {Inconclusive.COLUMNS: 1}


def test_an_exact_repeat_counts_once() -> None:
    comparison = AuditComparison(Seen(), own_apps=())
    assert [comparison.is_new(digest) for digest in ("ab" * 32, "ab" * 32, "cd" * 32)] == [
        True, False, True,
    ]  # fmt: skip
    assert comparison.counts["repeats"] == 1
