"""The shipped policies load cleanly, pass their own tests and reach every table."""

from __future__ import annotations

import pytest

from rules.load.loader import load
from rules.schema.check import added_complaints
from rules.schema.generate import schema_texts
from rules.syntax.shipped import shipped_folder
from rules.testing.run import run_folder

_FOLDER = shipped_folder()
_RUN = run_folder(_FOLDER)

# The columns of docs/contract.md, "Guarded columns".
_GUARDED = {
    "mailbox": (
        "emailaddress emailrouteraccessapproval testemailconfigurationscheduled"
        " incomingemaildeliverymethod outgoingemaildeliverymethod actdeliverymethod"
        " emailserverprofile ownerid regardingobjectid isforwardmailbox"
        " allowemailconnectortousecredentials username statecode"
    ),
    "systemuser": (
        "internalemailaddress emailrouteraccessapproval domainname azureactivedirectoryobjectid"
        " applicationid isdisabled"
    ),
    "queue": "emailaddress emailrouteraccessapproval ownerid statecode",
}


def test_the_shipped_folder_loads_without_a_warning():
    policy_set = load(_FOLDER)

    assert policy_set.warnings == ()
    assert policy_set.enforced >= 6
    assert policy_set.tables >= {"mailbox", "systemuser", "queue"}


def test_the_shipped_files_satisfy_their_schemas():
    assert added_complaints(_FOLDER, ()) == ()


def test_every_committed_schema_is_fresh():
    made = schema_texts(load(_FOLDER).catalogue)

    committed = {path.name: path.read_text() for path in (_FOLDER / "schema").glob("*.json")}

    assert made == committed


@pytest.mark.parametrize("case", _RUN.cases, ids=lambda case: f"{case.file}: {case.name}")
def test_a_shipped_case_passes(case):
    assert case.differences == ()


def test_the_test_files_are_clean_and_see_every_rule_fail():
    assert _RUN.complaints == ()
    failed = {
        finding.id
        for case in _RUN.cases
        for finding in case.decision.findings
        if finding.result == "fail"
    }
    rules = {
        f"{policy.name}/{rule.id}"
        for policy in load(_FOLDER).policies
        for table in policy.tables.values()
        for rule in table.rules
    }
    assert rules == failed


@pytest.mark.parametrize("table", _GUARDED)
def test_every_guarded_column_is_in_the_catalogue(table):
    entity = load(_FOLDER).catalogue.entities[table]

    for column in _GUARDED[table].split():
        assert entity.find(column) is not None, column


def test_every_field_is_documented():
    catalogue = load(_FOLDER).catalogue

    for entity in (*catalogue.entities.values(), *catalogue.shared.values()):
        assert [field.name for field in entity.fields.values() if not field.doc] == []
