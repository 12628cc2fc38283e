"""Both passes, the loader's own and the JSON Schemas', accept and refuse the same documents."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.load.loader import load, load_documents
from rules.model.errors import PolicySetInvalid
from rules.schema.check import check_texts
from rules.syntax.dump import yaml_text
from rules.syntax.shipped import shipped_folder
from tests.rules.builders import a_policy, run_text

_SHIPPED = load(shipped_folder())
_POLICY = a_policy(
    "{id: the-rule, require: [{field: address, in: {list: some-list}}], message: m}",
    more="params: {who: a@b.de}\n",
)
_LIST = {
    "kind": "List", "name": "some-list", "title": "A list", "caseless": True,
    "items": ["a@b.de", "c@d.de"],
}  # fmt: skip
_EXCEPTION = {
    "apiVersion": "guard/v1", "kind": "Exception", "name": "some-exception",
    "policy": "one-policy", "rules": ["the-rule"], "reason": "r", "ticket": "T-1",
    "approvedBy": "ciso@contoso.com", "expires": "2026-12-31",
    "when": [{"field": "address", "part": "domain", "equals": "b.de"}],
}  # fmt: skip
_PARAMS = {"apiVersion": "guard/v1", "kind": "Params", "one-policy": {"who": "x@y.de",
           "mode": "audit"}}  # fmt: skip
_CATALOGUE = {
    "mailbox": {
        "address": {"alias": "emailaddress", "doc": "d"},
        "emailaddress": {"type": "string", "caseless": True, "personal": True, "doc": "d"},
        "emailrouteraccessapproval": {"type": "choice", "values": {"empty": 0, "approved": 1}},
    },
    "actor": {"upn": {"type": "string", "caseless": True}},
}
_TEST = {
    "apiVersion": "guard/v1", "kind": "Test", "title": "t", "now": "2026-08-21T10:00:00Z",
    "policies": ["one-policy"],
    "fixtures": {"row": {"operation": "update", "old": {"address": "z@z.de"}, "new": {}}},
    "cases": [
        {"name": "a case", "use": "row", "set": {"record_id": "r1"},
         "expect": {"decision": "reject", "rules": ["one-policy/the-rule"], "message": ["m"]}},
    ],
}  # fmt: skip
_KINDS = {
    "lists/some-list.yaml": _LIST,
    "exceptions/some-exception.yaml": _EXCEPTION,
    "params/staging.yaml": _PARAMS,
    "fields.yaml": _CATALOGUE,
    "tests/some.test.yaml": _TEST,
}
# What only the loader can know: references, dates, kinds, how values go with each other.
_LOADERS_OWN = {
    "policy-unknown", "rule-unknown", "date-invalid", "param-unknown", "param-misfit",
    "value-misfit", "operator-misfit", "part-misfit", "list-unknown", "test-unknown",
    "field-unknown", "field-misplaced", "condition-shape", "label-unknown", "name-duplicate",
    "exception-too-long", "case-failed",
    "value-impossible", "case-idle", "word-unquoted", "quotes-typographic", "change-unnoticed",
    "file-misplaced", "operation-unnoticed",
}  # fmt: skip


def _places(value: Any, at: tuple[Any, ...] = ()) -> Any:
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*at, index))


def _loader_codes(path: str, text: str) -> set[str]:
    documents = {"policies/one-policy.yaml": _POLICY, "lists/some-list.yaml": yaml_text(_LIST)}
    if path == "fields.yaml":
        # Only the catalogue is judged: what a broken one does to the policies is theirs.
        documents = {}
    if path.endswith(".test.yaml"):
        found: list[Any] = []
        cases = run_text(path, text, load_documents(documents), found=found)
        # What a fixture holds is judged when it is used; then its case fails.
        failed = {"case-failed"} if any(not case.passed for case in cases) else set()
        return failed | {one.code for one in found if one.level == "error"}
    documents[path] = text
    try:
        load_documents(documents, environment="staging" if path.startswith("params") else None)
    except PolicySetInvalid as invalid:
        return {one.code for one in invalid.complaints if one.level == "error"}
    return set()


_WRONG = st.sampled_from([5, True, "nothing such", [], {}, ["x"], {"x": 1}, [[]], 1.5, None])


@pytest.mark.parametrize("path", _KINDS)
def test_the_document_itself_is_right_to_both(path: str) -> None:
    text = yaml_text(_KINDS[path])
    assert check_texts({path: text}, _SHIPPED.catalogue) == []
    assert _loader_codes(path, text) == set()


@settings(deadline=None, max_examples=400)
@given(st.data(), st.sampled_from(sorted(_KINDS)), st.sampled_from(["drop", "replace", "add"]))
def test_what_one_refuses_the_other_refuses(data: Any, path: str, how: str) -> None:
    document = copy.deepcopy(_KINDS[path])
    place = data.draw(st.sampled_from([one for one in _places(document) if one]))
    wrong = data.draw(_WRONG)
    parent: Any = document
    for step in place[:-1]:
        parent = parent[step]
    if how == "drop":
        del parent[place[-1]]
    elif how == "replace":
        parent[place[-1]] = wrong
    elif isinstance(parent, dict):
        parent["nothingSuch"] = wrong
    text = yaml_text(document)

    by_schema = [str(one) for one in check_texts({path: text}, _SHIPPED.catalogue)]
    by_loader = _loader_codes(path, text)

    if by_schema and (how, place) == ("add", ("fixtures", "row")):
        # A fixture that no case uses is never read by the tests.
        return
    if by_schema:
        assert by_loader, (text, by_schema)
    elif "test-unknown" not in by_loader:
        assert by_loader <= _LOADERS_OWN, (text, by_loader)


@pytest.mark.parametrize("path", [p for p in _SHIPPED.documents if "/" in p] + ["fields.yaml"])
def test_every_shipped_file_is_right_to_the_schemas(path: str) -> None:
    assert check_texts({path: _SHIPPED.documents[path]}, _SHIPPED.catalogue) == []


def test_a_complaint_of_the_schemas_reads_like_one_of_the_loader() -> None:
    """Code, place and hint are the same wherever both see the mistake."""
    spoilt = [
        ("severity: high", "severity: hihg"), ("mode: enforce", "mode: enforced"),
        ("effect: hold", "effect: hodl"), ("name: one-policy", "name: One Policy"),
        ("equals: a@b.de", "equal: a@b.de"), ("message: m", "massage: m"),
        ("entity: mailbox", "entity: mailbx"), ("part: domain", "part: domian"),
        ("exists: true", "exists: perhaps"), ("    effect: hold\n", "    effects: hold\n"),
        ("exists: true", "isThere: true"), ("equals: a@b.de", "notIn: a@b.de"),
        ("field: address\n        exists", "feild: address\n        exists"),
        ("field: address\n        exists", "field: nothing\n        exists"),
        ("id: the-rule", "id: [the-rule]"),
    ]  # fmt: skip
    text = (
        "apiVersion: guard/v1\nkind: Policy\nname: one-policy\nseverity: high\nmode: enforce\n"
        "match:\n  entity: mailbox\nrules:\n  - id: the-rule\n    effect: hold\n    require:\n"
        "      - field: address\n        exists: true\n      - field: address\n"
        "        part: domain\n        equals: a@b.de\n    message: m\n"
    )
    path = "policies/one-policy.yaml"
    for right, wrong in spoilt:
        assert text.count(right) == 1, right
        broken = text.replace(right, wrong)
        by_schema = check_texts({path: broken}, _SHIPPED.catalogue)
        with pytest.raises(PolicySetInvalid) as caught:
            load_documents({path: broken})
        by_loader = {(c.line, c.column, c.code, c.hint) for c in caught.value.complaints}
        assert by_schema or wrong == "exists: perhaps"
        for one in by_schema:
            # The loader knows the operator and says more than that it is no list.
            if wrong == "notIn: a@b.de":
                assert any(place[:2] == (one.line, one.column) for place in by_loader)
                continue
            code = "value-misfit" if wrong == "exists: perhaps" else one.code
            assert (one.line, one.column, code, one.hint) in by_loader, str(one)
