"""Decisions as people read them: an entry for each edit, with everything that one asks first."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from console.edits import CSV_COLUMNS, changed_text, csv_of, edits_of, events_of, text_of

BOB = {"id": "u1", "name": "Bob Example", "upn": "bob@contoso.com"}


def an_event(**named: Any) -> dict[str, Any]:
    return {
        "id": "019acb12-3f4a-7000-8000-000000000001",
        "decided_at": "2026-11-23T12:00:00.123456Z",
        "decision": "reject",
        "cause": "rules",
        "table": "mailbox",
        "record_id": "11111111-1111-4111-8111-111111111111",
        "mode": 0,
        "enforcement": "enforce",
        "confirms": None,
        "actor": BOB,
        "address": {"before": "bob@contoso.com", "after": "ceo@contoso.com"},
        "approval": {"before": 1, "after": 1},
        "altered": ["emailaddress"],
        "rules": ["own-address-only/same-as-owner"],
        **named,
    }


def test_an_entry_tells_who_from_what_to_what_when_and_how_strictly() -> None:
    told = text_of(edits_of([an_event()]))
    assert told.splitlines() == [
        "2026-11-23 12:00:00  reject bob@contoso.com → ceo@contoso.com",
        "  019acb12-3f4a-7000 by Bob Example <bob@contoso.com>, mailbox",
        "                     before commit, enforced: own-address-only/same-as-owner",
    ]


def test_an_edit_that_was_confirmed_is_one_entry_and_two_events() -> None:
    decided = an_event(decision="allow", rules=[])
    confirmation = an_event(id="019acb12-4000", mode=1, confirms=decided["id"], decision="allow")
    found = [confirmation, decided]
    [one] = edits_of(found)
    assert (one["id"], one["seen"]) == (decided["id"], "before and after commit")
    assert [one["seen"] for one in events_of(found)] == ["after commit", "before commit"]


def test_what_confirms_nothing_that_is_shown_hides_behind_no_other() -> None:
    """A correlation id is the sender's to choose: only what was confirmed belongs together."""
    first, second = an_event(correlation_id="c"), an_event(id="other", mode=1, correlation_id="c")
    assert len(edits_of([second, first])) == 2
    assert len(edits_of([an_event(confirms="one that is not shown")])) == 1


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"address": {"before": None, "after": "a@contoso.com"}}, "(none) → a@contoso.com"),
        (
            {
                "address": {"before": "a@contoso.com", "after": "a@contoso.com"},
                "approval": {"before": 2, "after": 1},
                "altered": ["emailrouteraccessapproval"],
            },
            "a@contoso.com, approval pending → approved",
        ),
        (
            {"address": {}, "approval": {}, "altered": ["ownerid", "statecode"]},
            "ownerid, statecode",
        ),
        ({"address": {}, "approval": {}, "altered": [], "cause": "not-guarded"}, "not-guarded"),
    ],
)
def test_what_was_altered_is_told_in_words(named: dict[str, Any], told: str) -> None:
    assert changed_text(an_event(**named)) == told


def test_no_line_is_wider_than_a_terminal() -> None:
    long = "a" * 100 + "@contoso.com"
    wide = an_event(
        address={"before": long, "after": long[::-1]},
        rules=["policy/" + "r" * 90],
        actor={**BOB, "upn": long},
    )
    assert all(len(line) <= 80 for line in text_of(edits_of([wide])).splitlines())


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    address = {"before": "=HYPERLINK(1)@contoso.com", "after": '@x,"y"\n'}
    rows = list(csv.reader(io.StringIO(csv_of(events_of([an_event(address=address)])))))
    assert rows[0] == list(CSV_COLUMNS)
    cells = dict(zip(rows[0], rows[1], strict=True))
    assert cells["address_before"] == "'=HYPERLINK(1)@contoso.com"
    assert cells["address_after"] == '\'@x,"y"\n'
    assert cells["approval_after"] == "approved"
