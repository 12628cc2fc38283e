"""Two sets are compared by meaning: order and wording are no difference, the rest is in words."""

from __future__ import annotations

import pytest

from rules.diff.compare import compare
from tests.rules.builders import a_policy, a_set

_RULE = (
    "{id: the-rule, when: [{field: name, exists: true}], require: [{field: name, equals: Anna},"
    " {anyOf: [{field: actor.upn, equals: a}, {field: actor.upn, equals: b}]}],"
    " unless: [{field: owner.type, equals: queue}], message: 'not {name}', help: h}"
)
_EXCEPTION = (
    "apiVersion: guard/v1\nkind: Exception\nname: let-it\npolicy: one-policy\nrules: [the-rule]\n"
    "reason: r\nticket: T-1\napprovedBy: a@b.de\nexpires: 2026-12-31\n"
)
_OLD = a_policy(_RULE)


def _told(old, new, **documents):
    found = compare(
        a_set(old, **documents.get("before", {})), a_set(new, **documents.get("now", {}))
    )
    return [(one.kind, one.subject, one.words) for one in found]


def test_order_layout_and_names_of_files_mean_nothing():
    turned = _RULE.replace(
        "[{field: name, equals: Anna}, {anyOf: [{field: actor.upn, equals: a},"
        " {field: actor.upn, equals: b}]}]",
        "[{anyOf: [{field: actor.upn, equals: b}, {field: actor.upn, equals: a}]},"
        " {field: new.name, equals: Anna}]",
    )
    assert turned != _RULE
    assert _told(_OLD, "# why\n" + a_policy(turned)) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("mode: enforce", "mode: audit", ("changed", "one-policy", "mode: enforce -> audit")),
        (
            "onError: reject", "onError: allow",
            ("changed", "one-policy", "onError: reject -> allow"),
        ),
        (
            "id: the-rule,", "id: the-rule, effect: hold,",
            ("changed", "one-policy/the-rule", "effect: reject -> hold"),
        ),
        (
            "equals: Anna", "equals: Bob",
            ("changed", "one-policy/the-rule",
             "require: new.name equals Anna (any case) -> new.name equals Bob (any case)"),
        ),
        (
            "when: [{field: name, exists: true}], ", "",
            ("changed", "one-policy/the-rule", "when: no longer new.name exists: true"),
        ),
        (
            "unless: [", "unless: [{field: actor.upn, exists: true}, ",
            ("changed", "one-policy/the-rule", "unless: now also actor.upn exists: true"),
        ),
        ("[create, update]", "[update]", ("changed", "one-policy", "no longer on create")),
        ("entity: mailbox", "entity: queue", ("changed", "one-policy", "no longer on mailbox")),
        (
            "'not {name}'", "no",
            ("reworded", "one-policy/the-rule", "message: not {name} -> no"),
        ),
    ],
)  # fmt: skip
def test_each_change_is_told_in_words(old, new, told):
    changed = _OLD.replace(old, new)
    assert changed != _OLD
    if "entity" in old:
        changed = changed.replace("name: one-policy", "name: one-policy")
    assert told in _told(_OLD, changed)


def test_policies_and_rules_come_go_and_are_renamed():
    other = a_policy(_RULE, name="two-policy")
    assert _told(_OLD, other) == [("renamed", "two-policy", "was called one-policy")]
    changed = other.replace("mode: enforce", "mode: warn")
    assert [one[:2] for one in _told(_OLD, changed)] == [
        ("removed", "one-policy"),
        ("added", "two-policy"),
    ]
    more = a_policy(_RULE + "\n{id: second, require: [{field: name, exists: true}], message: m}")
    assert _told(_OLD, more) == [
        ("added", "one-policy/second", "reject unless new.name exists: true")
    ]
    assert [one[:2] for one in _told(more, _OLD)] == [("removed", "one-policy/second")]


def test_params_and_lists_are_told_once():
    text = a_policy(
        "{id: the-rule, require: [{field: name, equals: {param: who}},"
        " {field: emailaddress, in: {list: some-list}}], message: m}",
        more="params: {who: Anna}\n",
    )
    items = "kind: List\nname: some-list\nitems: [%s]\n"
    found = _told(
        text, text.replace("Anna", "Bob"), before={"lists__some": items % "a@b.de, c@d.de"},
        now={"lists__some": items % "a@b.de, e@f.de"},
    )  # fmt: skip
    assert found == [
        ("changed", "one-policy", "params.who: Anna -> Bob"),
        ("changed", "list some-list", "now also e@f.de; no longer c@d.de"),
    ]


def test_exceptions_are_told_with_their_end():
    with_one = {"exceptions__let": _EXCEPTION}
    ((kind, subject, words),) = _told(_OLD, _OLD, now=with_one)
    assert (kind, subject) == ("added", "exception let-it")
    assert words == "lets one-policy/the-rule fail until 2027-01-01 00:00 UTC, always"
    assert [one[0] for one in _told(_OLD, _OLD, before=with_one)] == ["removed"]
    sooner = {"exceptions__let": _EXCEPTION.replace("12-31", "11-30")}
    assert [one[0] for one in _told(_OLD, _OLD, before=with_one, now=sooner)] == ["changed"]


def test_a_catalogue_that_compares_otherwise_is_a_difference():
    fields = "mailbox:\n  name: {type: string%s}\nactor: {upn: {type: string}}\n"
    text = a_policy("{id: the-rule, require: [{field: name, equals: Anna}], message: m}")
    found = _told(
        text, text, before={"fields": fields % ", caseless: false"}, now={"fields": fields % ""}
    )
    assert [one[2] for one in found] == [
        "require: new.name equals Anna -> new.name equals Anna (any case)"
    ]
