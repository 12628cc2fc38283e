"""Which comparisons of an address let somebody past who has another one, and which do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rules.lint.run import lint
from rules.lint.subject import Subject
from rules.load.loader import load_documents
from tests.rules.builders import a_policy

NOW = datetime(2026, 8, 21, 10, tzinfo=UTC)
_CEO = "ceo@contoso.com"
_LIST = "kind: List\nname: chiefs\nitems: [ceo@contoso.com, cfo@contoso.com]\n"
_DOMAINS = "kind: List\nname: domains\nitems: [contoso.com]\n"
_ANY = "{field: id, exists: true}"


def _told(entity: str = "mailbox", **parts: str) -> list[str]:
    """The texts of the remarks on a policy whose rule has these conditions."""
    where = ", ".join(f"{name}: [{one}]" for name, one in {"require": _ANY, **parts}.items())
    effect = "skip" if entity == "message" else "reject"
    policy = a_policy(f"{{id: the-rule, effect: {effect}, {where}, message: m}}", entity=entity)
    documents = {
        "policies/one-policy.yaml": policy,
        "lists/chiefs.yaml": _LIST,
        "lists/domains.yaml": _DOMAINS,
    }
    subject = Subject.of(load_documents(documents), documents, now=NOW)
    return [
        one.complaint.text for one in lint(subject) if one.complaint.code == "person-by-spelling"
    ]


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("address", "new.addressOwner.names"),
        ("old.address", "old.addressOwner.names"),
        ("owner.upn", "new.owner.names"),
        ("owner.entraUpn", "new.owner.names"),
        ("old.owner.upn", "old.owner.names"),
        ("addressOwner.upn", "new.addressOwner.names"),
        ("actor.upn", "actor.names"),
    ],
)
def test_the_remark_names_the_field_that_means_the_person(field: str, names: str) -> None:
    (text,) = _told(require=f"{{field: {field}, notEquals: {_CEO}}}")
    assert f"`{names}`" in text


@pytest.mark.parametrize(
    "conditions",
    [
        {"require": f"{{field: address, notIn: [{_CEO}]}}"},
        {"require": "{field: address, notIn: {list: chiefs}}"},
        {"require": f"{{field: addressOwner.upns, containsNone: [{_CEO}]}}"},
        {"require": f"{{not: {{field: address, equals: {_CEO}}}}}"},
        {"require": f"{{anyOf: [{{field: address, notEquals: {_CEO}}}, {_ANY}]}}"},
        {"when": f"{{field: address, in: [{_CEO}]}}"},
        {"when": f"{{field: address, becomes: {_CEO}}}"},
        {"when": f"{{not: {{field: actor.upn, notEquals: {_CEO}}}}}"},
        {"unless": f"{{field: address, notIn: [{_CEO}]}}"},
    ],
    ids=str,
)
def test_who_is_spelt_otherwise_goes_past(conditions: dict[str, str]) -> None:
    assert len(_told(**conditions)) == 1


@pytest.mark.parametrize(
    "conditions",
    [
        {"require": f"{{field: address, in: [{_CEO}]}}"},
        {"require": f"{{not: {{field: address, notEquals: {_CEO}}}}}"},
        {"when": f"{{field: actor.upn, notIn: [{_CEO}]}}"},
        {"unless": f"{{field: actor.upn, in: [{_CEO}]}}"},
        {"require": "{field: address, part: domain, notIn: {list: domains}}"},
        {"require": "{field: address, part: local, notEquals: ceo}"},
        {"when": "{field: address, contains: boss@contoso.com}"},
        {"when": '{field: address, endsWith: "@contoso.com"}'},
        {"require": "{field: address, notEquals: {field: owner.upn}}"},
        {"require": f"{{field: addressOwner.names, containsNone: [{_CEO}]}}"},
        {"require": f"{{field: facts.ownerAddresses, notContains: {_CEO}}}"},
        {"require": f"{{field: name, notEquals: {_CEO}}}"},
    ],
    ids=str,
)
def test_what_is_stricter_with_another_spelling_or_no_person_is_left_alone(
    conditions: dict[str, str],
) -> None:
    assert _told(**conditions) == []


def test_one_place_is_remarked_on_once_whatever_the_tables() -> None:
    tables = "[mailbox, systemuser, queue]"
    assert len(_told(tables, require=f"{{field: address, notIn: [{_CEO}]}}")) == 1


def test_of_a_message_an_address_is_all_that_is_known() -> None:
    assert _told("message", require=f"{{field: from, notEquals: {_CEO}}}") == []
