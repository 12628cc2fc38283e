"""What must hold whatever the policies, the order, the values and the text are."""

from __future__ import annotations

import itertools
import json
import random
from datetime import datetime
from time import perf_counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.engine.decide import decide
from rules.engine.needs import needs
from rules.engine.row import judge_row
from rules.load.loader import load, load_documents
from rules.model.change import Change, Facts
from rules.model.decision import Outcome
from rules.model.errors import PolicySetInvalid
from rules.syntax.complaint import Complaint
from rules.syntax.nodes import read_nodes
from rules.syntax.shipped import shipped_folder
from tests.rules.builders import NOW, a_policy, a_set

_QUIET = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
_SHIPPED = load(shipped_folder())

_ADDRESSES = st.sampled_from(
    ["anna@contoso.com", "ANNA@contoso.com", "ceo@contoso.com", "x@y.de", None]
)
# A domain is no whole address, which the loader says of it; it may be a piece of one.
_COMPARED = [
    *itertools.product(["equals", "notEquals"], ["anna@contoso.com", "ceo@contoso.com", "a"]),
    *itertools.product(
        ["startsWith", "endsWith", "contains"], ["anna@contoso.com", "contoso.com", "a"]
    ),
]
_TESTS = st.one_of(
    st.builds(
        lambda field, compared: {"field": field, compared[0]: compared[1]},
        st.sampled_from(["emailaddress", "owner.upn", "actor.upn", "old.emailaddress"]),
        st.sampled_from(_COMPARED),
    ),
    st.builds(
        lambda field, value: {"field": field, "exists": value},
        st.sampled_from(["emailaddress", "actor.upn", "name"]),
        st.booleans(),
    ),
    st.builds(lambda value: {"field": "emailaddress", "changed": value}, st.booleans()),
    st.sampled_from(
        [
            {"field": "approval", "becomes": "approved"},
            {"field": "emailaddress", "equals": {"field": "owner.upn"}},
            {"field": "emailaddress", "matches": "(a+)+[.]?.*"},
        ]
    ),
)
_CONDITIONS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.builds(lambda items: {"anyOf": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: {"allOf": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda item: {"not": item}, inner),
    ),
    max_leaves=6,
)
_RULES = st.fixed_dictionaries(
    {"require": st.lists(_CONDITIONS, min_size=1, max_size=2), "message": st.just("m {address}")},
    optional={
        "when": st.lists(_CONDITIONS, max_size=2),
        "unless": st.lists(_CONDITIONS, min_size=1, max_size=2),
        "effect": st.sampled_from(["reject", "hold"]),
    },
)
_POLICIES = st.lists(
    st.tuples(
        st.sampled_from(["enforce", "enforce", "warn", "audit"]),
        st.sampled_from(["reject", "allow"]),
        st.lists(_RULES, min_size=1, max_size=3),
        st.lists(_CONDITIONS, max_size=1),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def _changes(draw):
    before = {
        "emailaddress": draw(_ADDRESSES),
        "emailrouteraccessapproval": draw(st.sampled_from([0, 1, 2])),
    }
    after = {
        "emailaddress": draw(_ADDRESSES),
        "emailrouteraccessapproval": draw(st.sampled_from([1, 2])),
    }
    operation = draw(st.sampled_from(["create", "update"]))
    old = before if operation == "update" else {}
    values = {"new.owner.upn": draw(_ADDRESSES), "actor.upn": draw(_ADDRESSES)}
    known = draw(st.sets(st.sampled_from(sorted(values))))
    given_facts = Facts({path: values[path] for path in known}, {})
    return Change("mailbox", operation, "r1", old, {**old, **after}, frozenset(after)), given_facts


def _texts(policies, order):
    texts = []
    for number, (mode, on_error, rules, when) in enumerate(policies):
        named = [{"id": f"rule-{index}", **rule} for index, rule in enumerate(rules)]
        order.shuffle(named)
        matching = ", ".join(json.dumps(condition) for condition in when)
        lines = "\n".join(json.dumps(rule) for rule in named)
        texts.append(
            a_policy(lines, name=f"policy-{number}", mode=mode, on_error=on_error, when=matching)
        )
    order.shuffle(texts)
    return texts


@_QUIET
@given(_POLICIES, _changes(), st.integers(0, 99))
def test_the_order_of_policies_and_rules_never_changes_a_decision(policies, given_change, seed):
    change, known = given_change
    first = a_set(*_texts(policies, random.Random(1)))  # noqa: S311
    second = a_set(*_texts(policies, random.Random(seed)))  # noqa: S311

    assert decide(change, first, known, now=NOW) == decide(change, second, known, now=NOW)


@_QUIET
@given(_POLICIES, _changes())
def test_adding_a_failing_reject_rule_never_weakens_a_decision(policies, given_change):
    change, known = given_change
    texts = _texts(policies, random.Random(1))  # noqa: S311
    failing = a_policy(
        "{id: fails, require: [{field: name, exists: true}], message: m}", name="zz-failing"
    )

    before = decide(change, a_set(*texts), known, now=NOW)
    after = decide(change, a_set(*texts, failing), known, now=NOW)

    assert after.outcome is Outcome.REJECT
    assert {f.id for f in before.findings} < {f.id for f in after.findings}


@_QUIET
@given(_POLICIES, _changes())
def test_an_error_that_rejects_is_never_outweighed(policies, given_change):
    change, _ = given_change
    policy_set = a_set(*_texts(policies, random.Random(1)))  # noqa: S311
    decision = decide(change, policy_set, Facts({}, {}), now=NOW)
    for finding in decision.findings:
        if finding.result == "error" and finding.contributes is not Outcome.ALLOW:
            assert decision.outcome is Outcome.REJECT


_HOSTILE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()),
    st.just("\ud800@x"),
    st.just("a" * 100_000), st.just("(a+)+$" * 1000), st.binary(), st.just(10**400),
    st.lists(st.text(), max_size=5), st.lists(st.integers(), max_size=5).map(tuple),
    st.just(datetime(2026, 1, 1)), st.dictionaries(st.text(), st.text(), max_size=2),  # noqa: DTZ001
)  # fmt: skip
_MAILBOX = sorted(_SHIPPED.catalogue.entities["mailbox"].fields)
_ACTOR = sorted(f"actor.{name}" for name in _SHIPPED.catalogue.shared["actor"].fields)


@_QUIET
@given(
    st.sampled_from(["mailbox", "systemuser", "queue"]),
    st.sampled_from(["create", "update"]),
    st.dictionaries(st.sampled_from(_MAILBOX), _HOSTILE, max_size=8),
    st.dictionaries(st.sampled_from(_MAILBOX), _HOSTILE, max_size=8),
    st.dictionaries(st.sampled_from(_ACTOR), _HOSTILE, max_size=8),
)
def test_hostile_values_never_crash_and_never_approve(table, operation, before, after, actor):
    change = Change(table, operation, "r1", before, {**before, **after}, frozenset(after))
    known = Facts(actor, {})

    decision = decide(change, _SHIPPED, known, now=NOW)
    judged = judge_row(table, "r1", after, policy_set=_SHIPPED, facts=known, now=NOW)

    assert needs(change, _SHIPPED) >= set()
    assert judged.result in ("pass", "warn", "hold", "fail", "error")
    for finding in decision.findings:
        finding.message.encode()
    becomes = change.after.get("emailrouteraccessapproval")
    was = before.get("emailrouteraccessapproval") if operation == "update" else None
    if type(becomes) is int and becomes == 1 and type(was) is not int:
        assert decision.outcome is Outcome.REJECT


def test_the_largest_values_take_bounded_time():
    huge = "a" * 10_000_000 + "@contoso.com"
    members = tuple(str(n) for n in range(300_000))
    after = {"emailaddress": huge, "emailrouteraccessapproval": 1}
    change = Change("mailbox", "update", "r1", {}, after, frozenset())
    known = Facts({"actor.entraRoles": members, "new.owner.upn": huge + "x"}, {})

    start = perf_counter()
    decision = decide(change, _SHIPPED, known, now=NOW)

    assert decision.outcome is Outcome.REJECT
    assert all(len(finding.message) < 1000 for finding in decision.findings)
    assert perf_counter() - start < 20


@_QUIET
@given(st.text(max_size=300))
def test_any_text_is_nodes_or_complaints(text):
    complaints: list[Complaint] = []
    root = read_nodes("x.yaml", text, complaints)
    assert root is None or root.value() is not NotImplemented


_GOOD = next(text for path, text in _SHIPPED.documents.items() if path.endswith("approver.yaml"))


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(_GOOD)), st.integers(0, 40), st.text(max_size=12))
def test_a_broken_policy_loads_or_complains_and_never_crashes(at, length, piece):
    broken = _GOOD[:at] + piece + _GOOD[at + length :]
    try:
        load_documents({"policies/qualified-approver.yaml": broken})
    except PolicySetInvalid as invalid:
        found = invalid.complaints
    else:
        return
    assert found
    assert all(c.line >= 1 and c.column >= 1 and c.text for c in found)
