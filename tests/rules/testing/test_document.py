"""A change as a document: nested names, labels, facts, and what was sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from rules.load.loader import load_documents
from rules.model.errors import ChangeUnreadable
from rules.syntax.complaint import FIELDS_LISTED
from rules.testing.document import MOST_HINTED, DocumentReader, read_change

_CATALOGUE = load_documents({}).catalogue


def _read(text: str):
    return read_change(text, _CATALOGUE)


def test_columns_and_facts_are_told_apart():
    given = _read(
        """
        operation: update
        old: &row
          emailaddress: a@b.de
          approval: pending
          regardingobjectid: {id: U1, type: systemuser}
          emailserverprofile: P1
          owner: {id: u1, upn: a@b.de, type: user}
        new: {<<: *row, approval: approved}
        actor: {id: a9, roles: [x, y]}
        facts: {addressElsewhere: 3, addressChangedOn: 2026-01-31}
        request: {depth: 2}
        missing: {actor.entraRoles: Entra did not answer}
        now: 2026-08-21T10:00:00Z
        """
    )

    assert given.change.after == {
        "emailaddress": "a@b.de", "emailrouteraccessapproval": 1, "regardingobjectid.id": "U1",
        "regardingobjectid.type": "systemuser", "emailserverprofile.id": "P1",
    }  # fmt: skip
    assert given.change.before["emailrouteraccessapproval"] == 2
    assert given.change.sent == {"emailrouteraccessapproval"}
    assert given.change.request == {"depth": 2}
    assert given.facts.values["new.owner.upn"] == given.facts.values["old.owner.upn"] == "a@b.de"
    assert given.facts.values["actor.roles"] == ("x", "y")
    assert given.facts.values["facts.addressElsewhere"] == 3
    assert given.facts.values["facts.addressChangedOn"] == datetime(2026, 1, 31, tzinfo=UTC)
    assert given.now == datetime(2026, 8, 21, 10, tzinfo=UTC)
    assert given.facts.missing == {"actor.entraRoles": "Entra did not answer"}


def test_json_is_read_as_well_and_create_has_no_before():
    given = _read(
        '{"operation": "create", "table": "queue", "old": {"name": "x"}, "new": {"name": "Q"}}'
    )
    assert (given.change.table, given.change.before, given.change.after) == (
        "queue",
        {},
        {"name": "Q"},
    )


@pytest.mark.parametrize(
    "text",
    [
        "[]", "", "{", "{new: {nothing: 1}}", "{entity: mailboxes}", "{operation: upsert}",
        "{actor: 5}", "{new: {approval: yes}}", "{new: {approval: 1.0}}", "{whatever: 1}",
        "{now: soon}", "{new: {approval: true}}", "{new: {owner: {type: queueu}}}",
        "{new: {isforwardmailbox: 1}}",
    ],
)  # fmt: skip
def test_a_document_that_means_nothing_is_refused_with_its_reasons(text):
    with pytest.raises(ChangeUnreadable) as raised:
        _read(text)
    assert raised.value.complaints


def test_each_mistake_is_named_at_its_line():
    with pytest.raises(ChangeUnreadable) as raised:
        _read("new:\n  emailadress: x\n  owner:\n    type: queueu\n  owner.upm: y\nactr: {}\n")
    assert [(c.line, c.column, c.text.partition("?")[0]) for c in raised.value.complaints] == [
        (2, 3, "`new.emailadress` is not a field. Did you mean `new.emailaddress`"),
        (4, 5, "`new.owner.type` has no label `queueu`. Did you mean `queue`"),
        (5, 3, "`new.owner.upm` is not a field. Did you mean `new.owner.upn`"),
        (6, 1, "`actr` is not a part of a change. Did you mean `actor`"),
    ]


def test_json_may_escape_what_yaml_cannot() -> None:
    text = json.dumps({"new": {"name": "Bob \U0001f600"}})
    assert "\\ud83d" in text
    assert read_change(text, _CATALOGUE).change.after["name"] == "Bob \U0001f600"
    with pytest.raises(ChangeUnreadable, match="is not a field"):
        read_change(json.dumps({"new": {"nam": "\U0001f600"}}), _CATALOGUE)


def test_the_nearest_field_is_looked_for_a_bounded_number_of_times() -> None:
    reader = DocumentReader(_CATALOGUE)
    reader.read({"old": {f"emailaddres{number}": "x" for number in range(MOST_HINTED + 30)}})
    assert len(reader.problems) == MOST_HINTED + 30
    without = [one for one in reader.problems if one.text.endswith(FIELDS_LISTED)]
    assert without == reader.problems[MOST_HINTED:]
