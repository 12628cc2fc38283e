"""Names become fields: implied roots, aliases, lookups, facts."""

from __future__ import annotations

import pytest

from rules.load.loader import load_documents
from tests.rules.builders import codes

_CATALOGUE = load_documents({}).catalogue
_FOREIGN = load_documents(
    {
        "fields.yaml": "mailbox:\n  emailaddress: {type: string}\n  ownerid: {type: string}\n"
        "  owner.upn: {type: string}\n"
    }
).catalogue


@pytest.mark.parametrize(
    ("table", "written", "path", "is_fact"),
    [
        ("mailbox", "emailaddress", "new.emailaddress", False),
        ("mailbox", "new.emailaddress", "new.emailaddress", False),
        ("mailbox", "old.address", "old.emailaddress", False),
        ("systemuser", "address", "new.internalemailaddress", False),
        ("queue", "approval", "new.emailrouteraccessapproval", False),
        ("mailbox", "ownerid", "new.ownerid.id", False),
        ("mailbox", "old.regardingobjectid.type", "old.regardingobjectid.type", False),
        ("mailbox", "owner.upn", "new.owner.upn", True),
        ("mailbox", "addressOwner.objectId", "new.addressOwner.objectId", True),
        ("queue", "actor.roleIds", "actor.roleIds", True),
        ("queue", "facts.addressElsewhere", "facts.addressElsewhere", True),
        ("queue", "request.depth", "request.depth", False),
    ],
)
def test_a_written_name_means_one_path(table, written, path, is_fact):
    reference = _CATALOGUE.resolve(table, written)

    assert reference is not None
    assert (reference.path, reference.is_fact) == (path, is_fact)


@pytest.mark.parametrize(
    ("table", "written"),
    [("mailbox", "domainname"), ("mailbox", "new.actor.id"), ("mailbox", "actor"), ("x", "name")],
)
def test_what_is_not_there_means_nothing(table, written):
    assert _CATALOGUE.resolve(table, written) is None


def test_a_catalogue_of_ones_own_has_the_usual_aliases_lookups_and_facts():
    for written, path in (("address", "new.emailaddress"), ("ownerid", "new.ownerid.id")):
        reference = _FOREIGN.resolve("mailbox", written)
        assert reference is not None
        assert reference.path == path
    owner = _FOREIGN.resolve("mailbox", "owner.upn")
    assert owner is not None
    assert owner.is_fact
    assert _FOREIGN.resolve("mailbox", "approval") is None


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("{type: text}", "value-unknown"),
        ("{}", "key-missing"),
        ("{type: choice}", "key-missing"),
        ("{type: choice, values: {a: 1, b: x}}", "type-wrong"),
        ("{type: choice, values: {a: true}}", "type-wrong"),
        ("{type: string, values: {a: 1}}", "type-wrong"),
        ("{type: string, casless: true}", "key-unknown"),
        ("{alias: nothing}", "field-unknown"),
        ("5", "type-wrong"),
    ],
)
def test_a_field_with_a_mistake_never_loads(field, code):
    assert codes(fields=f"mailbox:\n  name: {field}\n") == [code]
