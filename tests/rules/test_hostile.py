"""Hostile files and values: bounded time and memory, a clear complaint, no crash, no accident."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.format import format_text
from rules.load.loader import load, load_documents
from rules.model.catalogue import Kind
from rules.model.change import Change, Facts
from rules.model.decision import Outcome
from rules.model.errors import ChangeUnreadable, PolicySetInvalid
from rules.operators.table import OPERATORS
from rules.schema.check import check_texts
from rules.syntax.complaint import CODES
from rules.syntax.shipped import shipped_folder
from rules.testing.document import read_change
from tests.rules.builders import NOW, a_policy, a_set, run_text
from tests.rules.written import WrittenField, one_condition, pairs

_QUIET = settings(
    deadline=None, max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
_SHIPPED = load(shipped_folder())
_CATALOGUE = """
mailbox:
  emailaddress: {type: string, caseless: true}
  name: {type: string, caseless: false}
  emailrouteraccessapproval: {type: choice, values: {empty: 0, approved: 1, pending: 2}}
  emailserverprofile: {type: lookup}
  enabledforact: {type: boolean, arrives: delivery}
  retries: {type: number, arrives: delivery}
  receivedafter: {type: datetime, arrives: delivery}
  owner.upn: {type: string, caseless: true}
actor:
  roleTemplates: {type: list, caseless: true}
"""


def _deep(levels: int) -> Any:
    value: Any = ()
    for _ in range(levels):
        value = (value,)
    return value


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()),
    st.sampled_from([
        "", "a" * 200_000, "(a+)+$", "a" * 5_000 + "!", "\ud800", "\ud800@\udfff", "@", "a@", "@a",
        "a\x00b@c.de", "\u202egro.osotnoc@anna", "\uff41nna@contoso.com", "\u212a@contoso.com",
        float("nan"), float("inf"), -float("inf"), 10**400, -0.0, 1, 0, True,
        datetime(2026, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC), b"a@b.de", _deep(5_000),
        tuple(str(n) for n in range(2_000)), ("\ud800",), (None,), (1, "a"), frozenset({"a"}),
        {"a": "b"}, object(), "1", "approved", "true",
    ]),
    st.lists(st.text(st.characters()), max_size=4).map(tuple),
)  # fmt: skip
_ID = "627090ff-40a3-4053-8790-584edc5be201"
_FIELDS = ("emailaddress", "name", "emailrouteraccessapproval", "emailserverprofile.id",
           "enabledforact", "retries", "receivedafter")  # fmt: skip
_CONDITIONS: list[dict[str, Any]] = [
    {"field": "emailaddress", "equals": "a@b.de"},
    {"field": "emailaddress", "caseSensitive": True, "notEquals": "a@b.de"},
    {"field": "emailaddress", "in": ["a@b.de", "anna@contoso.com"]},
    {"field": "emailaddress", "notIn": ["a@b.de"]},
    {"field": "emailaddress", "resembles": ["ceo@contoso.com", "xn--"]},
    {"field": "emailaddress", "part": "domain", "equals": "contoso.com"},
    {"field": "emailaddress", "part": "local", "matches": "(a+)+"},
    {"field": "emailaddress", "part": "length", "lessOrEquals": 100},
    {"field": "emailaddress", "matches": "(a+)+$"},
    {"field": "emailaddress", "equals": {"field": "owner.upn"}},
    {"field": "emailaddress", "exists": True},
    {"field": "emailaddress", "becomes": "anna@contoso.com"},
    {"field": "emailaddress", "changed": True},
    {"field": "name", "contains": "a"},
    {"field": "name", "notContains": "a"},
    {"field": "name", "startsWith": "a"},
    {"field": "name", "endsWith": "a"},
    {"field": "emailrouteraccessapproval", "equals": "approved"},
    {"field": "emailrouteraccessapproval", "becomes": "approved"},
    {"field": "emailserverprofile.id", "equals": _ID},
    {"field": "enabledforact", "equals": True},
    {"field": "retries", "greater": 1},
    {"field": "retries", "less": 1},
    {"field": "retries", "greaterOrEquals": 0.5},
    {"field": "receivedafter", "greater": "2026-01-01T00:00:00Z"},
    {"field": "receivedafter", "lessOrEquals": "2026-01-01T00:00:00Z"},
    {"field": "actor.roleTemplates", "contains": _ID},
    {"field": "actor.roleTemplates", "notContains": _ID},
    {"field": "actor.roleTemplates", "exists": False},
    {"field": "owner.upn", "exists": True},
]
_FITTED = (
    WrittenField("emailaddress", Kind.STRING, ("a@b.de",)),
    WrittenField("emailrouteraccessapproval", Kind.CHOICE, ("approved",)),
    WrittenField("enabledforact", Kind.BOOLEAN, (True,)),
    WrittenField("retries", Kind.NUMBER, (1,)),
    WrittenField("receivedafter", Kind.DATETIME, ("2026-01-01T00:00:00Z",)),
    WrittenField("actor.roleTemplates", Kind.LIST, (_ID,)),
)
# What nobody thought of above, such as an operator that is new.
_NAMED = {name for one in _CONDITIONS for name in one}
_CONDITIONS += [one_condition(*pair) for pair in pairs(*_FITTED) if pair[0].name not in _NAMED]


def _pair(condition: dict[str, Any]) -> PolicySet:
    """A rule and its opposite: whatever the values are, one of them must refuse."""
    rules = [
        {"id": "it-holds", "require": [condition], "message": "m {emailaddress} {owner.upn}"},
        {"id": "it-does-not", "require": [{"not": condition}], "message": "m {name} {retries}"},
    ]
    return a_set(a_policy("\n".join(map(json.dumps, rules))), fields=_CATALOGUE)


_PAIRS = [_pair(condition) for condition in _CONDITIONS]


def test_every_operator_is_driven() -> None:
    assert {name for one in _CONDITIONS for name in one if name in OPERATORS} == set(OPERATORS)


@settings(_QUIET, max_examples=400)
@given(
    st.sampled_from(_PAIRS), st.sampled_from(["create", "update"]),
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=4),
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["new.owner.upn", "actor.roleTemplates"]), _VALUES),
)  # fmt: skip
def test_a_rule_and_its_opposite_never_both_pass(
    policy_set: PolicySet, operation: str, before: Any, after: Any, facts: Any
) -> None:
    """No value slips through both: that would be an allow by accident."""
    old = before if operation == "update" else {}
    change = Change("mailbox", operation, "r1", old, {**old, **after}, frozenset(after))
    decision = decide(change, policy_set, Facts(facts, {}), now=NOW)
    assert decision.outcome is Outcome.REJECT
    for finding in decision.findings:
        finding.message.encode()
        assert len(finding.message) < 2_000
        assert finding.error is None or len(finding.error) < 2_000


@pytest.mark.parametrize("pair", _PAIRS, ids=[json.dumps(one)[:60] for one in _CONDITIONS])
@pytest.mark.parametrize(
    "value", ["a" * 10_000_000, tuple(str(n) for n in range(400_000)), "a@" * 2_000_000],
    ids=["10 MB text", "400,000 members", "4 MB of at signs"],
)  # fmt: skip
def test_the_largest_values_cost_bounded_time_and_memory(pair: PolicySet, value: Any) -> None:
    after = dict.fromkeys(_FIELDS, value)
    facts = Facts(dict.fromkeys(("new.owner.upn", "actor.roleTemplates"), value), {})
    change = Change("mailbox", "update", "r1", {"emailaddress": "x"}, after, frozenset(after))
    start = perf_counter()
    decision = decide(change, pair, facts, now=NOW)
    assert perf_counter() - start < 5
    assert decision.outcome is Outcome.REJECT
    assert sum(len(finding.message) for finding in decision.findings) < 5_000


def test_the_memory_of_a_decision_is_a_few_times_that_of_its_values() -> None:
    pair = _pair({"field": "emailaddress", "matches": "(a+)+$"})
    change = Change("mailbox", "update", "r1", {}, {"emailaddress": "a" * 10_000_000}, frozenset())
    tracemalloc.start()
    try:
        decide(change, pair, Facts({}, {}), now=NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000


_TEXTS = {
    path: text
    for path, text in _SHIPPED.documents.items()
    if path in ("own-address-only.yaml", "lists/vip-addresses.yaml", "fields.yaml")
}
_EXCEPTION = (
    "apiVersion: guard/v1\nkind: Exception\nname: an-exception\npolicy: own-address-only\n"
    "rules: [same-as-owner]\nreason: r\nticket: T\napprovedBy: a@b.de\nexpires: 2026-12-31\n"
)
_TEST = (
    "now: 2026-08-21T10:00:00Z\nfixtures: {row: {operation: update, old: &old {name: A},"
    " new: {<<: *old, name: B}}}\ncases:\n  - {name: c, use: row, set: {new.name: D},"
    " expect: {decision: allow, rules: []}}\n"
)
_FILES = {**_TEXTS, "exceptions/an-exception.yaml": _EXCEPTION, "tests/a.test.yaml": _TEST,
          "params/staging.yaml": "own-address-only: {mode: audit}\n"}  # fmt: skip
_PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from([
        "*a", "&a ", "<<: ", "!!python/object:os.system", "{", "[" * 60, "- " * 60, "\t", "\x00",
        "? ", "---\n", "...\n", ": ", "null", ".nan", "1e999", "0x", "\ud800", '"\\ud83d\\ude00"',
        "%YAML 1.1\n", "&x [*x, *x]", "'" * 3, "|\n", ">-\n", "#", "~", "\ufeff", "\u2028",
    ]),
)  # fmt: skip


@settings(_QUIET, max_examples=300)
@given(st.sampled_from(sorted(_FILES)), st.integers(0, 10**6), st.integers(0, 40), _PIECES)
def test_a_broken_file_of_any_kind_loads_or_is_complained_of(
    path: str, at: int, length: int, piece: str
) -> None:
    text = _FILES[path]
    at %= len(text) + 1
    broken = text[:at] + piece + text[at + length :]
    format_text(path, broken)
    check_texts({path: broken}, _SHIPPED.catalogue)
    if path.endswith(".test.yaml"):
        found: list[Any] = []
        run_text(path, broken, _SHIPPED, found=found)
        assert all(one.code in CODES and one.line >= 1 for one in found)
        return
    environment = "staging" if path.startswith("params/") else None
    try:
        load_documents({**_TEXTS, path: broken}, environment=environment)
    except PolicySetInvalid as invalid:
        complaints = invalid.complaints
    else:
        return
    assert complaints
    assert all(one.code in CODES and one.line >= 1 and one.column >= 1 for one in complaints)
    assert all(len(str(one)) < 2_000 for one in complaints)


_P = "apiVersion: guard/v1\nkind: Policy\nname: p-1\nmatch: {entity: mailbox}\nrules:\n"
_BOMBS = {
    "laughs": "kind: List\na: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n"
              for n in range(8)),
    "deep flow": "[" * 30_000,
    "deep block": "\n".join(" " * n + "- " for n in range(300)),
    "deep map": "{a: " * 15_000,
    "many keys": "\n".join(f"k{n}: {n}" for n in range(7_000)),
    "many anchors": "\n".join(f"k{n}: &a{n} x" for n in range(4_000)),
    "one key again": "a: 1\n" * 12_000,
    "merge of merges": "a: &a {x: 1}\n"
    + "\n".join(f"k{n}: &b{n} {{<<: *a}}" for n in range(2_400)),
    "long scalar": "kind: " + "x" * 65_000,
    "long number": "kind: " + "9" * 60_000,
    "many documents": "---\na: 1\n" * 5_000,
    "conditions": _P + "- id: r-1\n  message: m\n  require:\n"
    + "  - {field: name, exists: true}\n" * 1_800,
    "nested conditions": _P + "- id: r-1\n  message: m\n  require: [" + "{not: " * 30
    + "{field: name, exists: true}" + "}" * 30 + "]\n",
    "regular expressions": "apiVersion: guard/v1\nkind: Policy\nname: p-1\n"
    "match: {entity: mailbox}\nrules:\n- id: r-1\n  message: m\n  require:\n"
    "  - {field: name, matches: '((a{1,100}){1,100}){1,100}'}\n" * 1,
    "holes": "apiVersion: guard/v1\nkind: Policy\nname: p-1\nmatch: {entity: mailbox}\nrules:\n"
    "- {id: r-1, require: [{field: name, exists: true}], message: '" + "{a}" * 1_300 + "'}\n",
}  # fmt: skip


@pytest.mark.parametrize("value", [_deep(5_000), {"a": _deep(5_000)}, [_deep(5_000)]])
def test_a_message_shows_no_depth(value: Any) -> None:
    rule = "{id: the-rule, require: [{field: enabledforact, equals: true}], message: 'm {name}'}"
    after = {"enabledforact": False, "name": value}
    change = Change("mailbox", "update", "r1", {}, after, frozenset(after))
    decision = decide(change, a_set(a_policy(rule), fields=_CATALOGUE), Facts({}, {}), now=NOW)
    assert decision.outcome is Outcome.REJECT
    assert len(decision.findings[0].message) < 500


@pytest.mark.parametrize("name", _BOMBS)
def test_a_file_made_to_hurt_is_refused_in_bounded_time_and_memory(name: str) -> None:
    tracemalloc.start()
    start = perf_counter()
    try:
        with pytest.raises(PolicySetInvalid) as caught:
            load_documents({"p-1.yaml": _BOMBS[name], "fields.yaml": _CATALOGUE})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert perf_counter() - start < 20
    assert peak < 150_000_000
    assert all(one.code in CODES for one in caught.value.complaints)


def test_many_mistakes_do_not_make_an_endless_answer() -> None:
    text = "apiVersion: guard/v1\nkind: Policy\nname: p-1\nmatch: {entity: mailbox}\nrules:\n"
    text += "- {id: r, nothing: 1}\n" * 2_000
    start = perf_counter()
    with pytest.raises(PolicySetInvalid) as caught:
        load_documents({"p-1.yaml": text})
    assert len(caught.value.complaints) >= 2_000
    assert perf_counter() - start < 30


@_QUIET
@given(st.text(st.characters(), max_size=200))
def test_any_text_is_a_change_or_a_complaint(text: str) -> None:
    # Anything else that is raised fails the test.
    with suppress(ChangeUnreadable):
        read_change(text, _SHIPPED.catalogue)


@_QUIET
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.sampled_from(["old", "new", "actor", "facts", "request", "missing", "operation", "entity",
                     "record_id", "now", "nothing"]),
)  # fmt: skip
def test_any_document_is_a_change_or_a_complaint(value: Any, key: str) -> None:
    # Anything else that is raised fails the test.
    with suppress(ChangeUnreadable):
        read_change(json.dumps({key: value}), _SHIPPED.catalogue)
