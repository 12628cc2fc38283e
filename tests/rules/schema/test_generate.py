"""The JSON Schemas are valid, and say no more and no less than the loader about shape."""

from __future__ import annotations

import copy
import json

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.load.loader import load
from rules.operators.table import OPERATORS
from rules.schema.check import check_texts
from rules.schema.generate import schemas
from rules.syntax.shipped import shipped_folder
from tests.rules.builders import complaints

_SHIPPED = load(shipped_folder())
_SCHEMAS = schemas(_SHIPPED.catalogue)
_PATH = "policies/qualified-approver.yaml"
# What only the loader can know: references, kinds of field, patterns, limits, places.
_LOADERS_OWN = {
    "field-misplaced", "operator-misfit", "value-misfit", "label-unknown", "part-misfit",
    "param-unknown", "list-unknown", "rule-duplicate", "hole-unknown", "pattern-invalid",
    "condition-shape", "table-not-covered", "name-not-file", "param-reserved", "operator-missing",
    "value-impossible", "case-idle", "word-unquoted", "quotes-typographic", "change-unnoticed",
    "file-misplaced", "operation-unnoticed",
}  # fmt: skip


def test_every_schema_is_valid():
    for schema in _SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operator_is_in_the_schema_with_its_words():
    conditions = json.dumps(_SCHEMAS["policy.schema.json"]["$defs"]["condition"])
    for operator in OPERATORS.values():
        assert json.dumps(operator.doc) in conditions


def test_a_misspelt_operator_reads_as_one():
    text = (
        "apiVersion: guard/v1\nkind: Policy\nname: one-policy\nmatch: {entity: mailbox}\n"
        "rules:\n  - id: the-rule\n    message: m\n    require:\n"
        "      - {field: emailaddress, equal: a}\n"
    )
    (complaint,) = check_texts({"policies/one-policy.yaml": text}, _SHIPPED.catalogue)
    assert (complaint.line, complaint.column) == (9, 31)
    assert complaint.text == "`equal` is not an operator."
    assert complaint.hint == "Did you mean `equals`?"


def _places(value, at=()):
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*at, index))


_POLICY = {
    "apiVersion": "guard/v1",
    "kind": "Policy",
    "name": "qualified-approver",
    "severity": "high",
    "mode": "enforce",
    "onError": "reject",
    "params": {"who": "a@b.de"},
    "match": {
        "entity": ["mailbox"],
        "operations": ["update"],
        "when": [{"field": "approval", "becomes": "approved"}],
    },
    "rules": [
        {
            "id": "the-rule",
            "effect": "hold",
            "when": [{"not": {"field": "address", "exists": False}}],
            "require": [
                {"anyOf": [{"field": "address", "equals": {"param": "who"}}]},
                {"field": "address", "part": "local", "in": ["a", "b"]},
            ],
            "message": "m",
        }
    ],
}
_PLACES = [place for place in _places(_POLICY) if place]
_WRONG = st.sampled_from([5, True, "nothing-such", [], {}, ["x"], {"x": 1}, [[]], 1.5])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(_PLACES), st.sampled_from(["drop", "replace", "add"]), _WRONG)
def test_both_passes_accept_and_refuse_the_same_shapes(place, how, wrong):
    document = copy.deepcopy(_POLICY)
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    if how == "drop":
        del parent[place[-1]]
    elif how == "replace":
        parent[place[-1]] = wrong
    elif isinstance(parent, dict):
        parent["nothingSuch"] = wrong
    text = json.dumps(document)

    by_schema = check_texts({_PATH: text}, _SHIPPED.catalogue)
    by_loader = {
        c.code for c in complaints(**{_PATH.removesuffix(".yaml").replace("/", "__"): text})
    }

    if by_schema:
        assert by_loader - {"table-not-covered", "name-not-file"}, [str(c) for c in by_schema]
    elif by_loader - _LOADERS_OWN:
        raise AssertionError(f"only the loader refuses: {sorted(by_loader)}")
