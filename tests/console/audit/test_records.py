"""Audit exports are read in whatever form they come, and what is no record is told by its place."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.audit import records
from console.audit.records import MailRead, Other, RowEdit, Unread, read_file, understood
from kernel.errors import InputRefused

DATA = Path(__file__).parents[2] / "data" / "audit"
READ = json.loads((DATA / "records.jsonl").read_text().splitlines()[3])
LINES = (DATA / "records.jsonl").read_text()


def found_in(file: Path, text: str | bytes) -> list[Any]:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_file(file))


def as_csv(*cells: str, separator: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(("CreationDate", "UserIds", "Operations", "AuditData"))
    for cell in cells:
        writer.writerow(("2026-11-23", "anna@contoso.com", "MailItemsAccessed", cell))
    return text.getvalue()


FORMS: dict[str, str | bytes] = {
    "lines": json.dumps(READ) + "\n",
    "lines with a mark": "\ufeff" + json.dumps(READ),
    "one object over many lines": json.dumps(READ, indent=2),
    "an array": json.dumps([READ], indent=1),
    "a page of Graph": json.dumps({"value": [{"id": "x", "auditData": READ}]}),
    "a line of Graph": json.dumps({"id": "x", "auditData": json.dumps(READ)}) + "\n",
    "csv": as_csv(json.dumps(READ)),
    "csv with semicolons": as_csv(json.dumps(READ), separator=";"),
    "csv of PowerShell": ("#TYPE System.Object\r\n" + as_csv(json.dumps(READ))).encode("utf-16"),
    "csv that a spreadsheet quoted": as_csv(json.dumps(READ).replace('"', '""')),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_record_is_the_same_whatever_its_form(tmp_path: Path, form: str) -> None:
    (one,) = found_in(tmp_path / "export", FORMS[form])
    assert not isinstance(one, Unread), one
    assert one[1] == READ


def test_the_samples_say_the_same_in_both_forms() -> None:
    lines, rows = (list(read_file(DATA / name)) for name in ("records.jsonl", "purview.csv"))
    assert len(lines) == 15
    assert lines == rows


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        (as_csv(json.dumps(READ)[:300]), ":2", "cut off"),
        (as_csv("hello"), ":2", "not JSON"),
        (as_csv("[1]"), ":2", "no object"),
        (LINES.splitlines()[0] + "\n" + LINES.splitlines()[1][:200], ":2", "cut off"),
    ],
)
def test_what_is_no_record_is_told_by_its_place(
    tmp_path: Path, text: str, where: str, why: str
) -> None:
    *_, bad = found_in(tmp_path / "export", text)
    assert isinstance(bad, Unread)
    assert where in bad.where
    assert why in bad.why


@pytest.mark.parametrize(
    "text", ["", "\n\n", "a,b\n1,2\n", "[1", '{"value": 3}', "[" * 100_000, "\x00\xff"]
)
def test_what_is_no_export_is_refused_with_the_mend(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputRefused) as refused:
        found_in(tmp_path / "export", text)
    assert refused.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="can't be read"):
        list(read_file(tmp_path / "none"))


def test_what_is_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_RECORDS", 3)
    with pytest.raises(InputRefused, match="more than 3 records"):
        found_in(tmp_path / "export", LINES)
    monkeypatch.setattr(records, "MOST_DOCUMENT_BYTES", 10)
    with pytest.raises(InputRefused, match="one JSON document"):
        found_in(tmp_path / "export", json.dumps([READ]))


def test_an_endless_line_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_LINE_BYTES", 1000)
    found = found_in(tmp_path / "export", LINES.splitlines()[-2] + "\n" + "{" + "x" * 5000)
    assert [type(one).__name__ for one in found] == ["tuple"] + ["Unread"] * 6
    found = found_in(tmp_path / "export", as_csv("x" * 5000))
    assert all(isinstance(one, Unread) for one in found)


def test_a_read_says_who_what_and_when() -> None:
    found = understood(READ, "x")
    assert isinstance(found, MailRead)
    assert found.at == datetime(2026, 11, 23, 13, 0, 0, 123456, tzinfo=UTC)
    assert (found.app_id[:4], found.mailbox, found.items) == ("8888", "anna@contoso.com", 4)
    assert (found.is_rest, found.is_sync, found.is_throttled) == (True, False, False)
    assert found.message_ids[0] == "<4-0@fabrikam.com>"
    other_spelling = {"clientappid " if name == "AppId" else name.upper(): value
                      for name, value in READ.items() if name != "ClientAppId"}  # fmt: skip
    assert understood(other_spelling, "x") == found


def test_an_edit_says_which_columns() -> None:
    edit = json.loads(LINES.splitlines()[9])
    found = understood(edit, "x")
    assert isinstance(found, RowEdit)
    assert (found.user, found.table, found.record_id[:4]) == (
        "mallory@contoso.com",
        "mailbox",
        "6666",
    )
    assert found.columns == {"emailaddress", "versionnumber"}
    for fields in (json.dumps(edit["Fields"]), {"emailaddress": "x", "versionnumber": 1}):
        again = understood({**edit, "Fields": fields}, "x")
        assert isinstance(again, RowEdit)
        assert again.columns == found.columns
    for fields in (None, [], "{", 3):
        without = understood({**edit, "Fields": fields}, "x")
        assert isinstance(without, RowEdit)
        assert without.columns is None


def test_what_is_about_something_else_is_counted_by_its_operation() -> None:
    assert understood({"Operation": "UserLoggedIn"}, "x") == Other("UserLoggedIn")
    assert isinstance(understood({**READ, "CreationTime": "yesterday"}, "x"), Unread)
    assert isinstance(understood({**READ, "CreationTime": None}, "x"), Unread)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*READ, "EntityName", "EntityId", "Fields"]), _VALUES))
def test_no_record_is_so_odd_that_it_ends_the_reading(odd: dict[str, Any]) -> None:
    assert isinstance(understood({**READ, **odd}, "x"), MailRead | RowEdit | Other | Unread)
