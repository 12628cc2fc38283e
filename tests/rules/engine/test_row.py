"""A row is judged by every policy of its table, and never for what a row cannot show."""

from __future__ import annotations

from rules.engine.row import judge_row, scan_needs
from rules.model.change import NO_FACTS, Facts
from tests.rules.builders import NOW, a_policy, a_set, facts


def _judge(row, *policies: str, given: Facts = NO_FACTS):
    return judge_row("mailbox", "r1", row, policy_set=a_set(*policies), facts=given, now=NOW)


def _rule(require: str, more: str = "", rule_id: str = "the-rule") -> str:
    return f"{{id: {rule_id}, require: [{require}], message: m{more}}}"


_DOMAIN = _rule("{field: address, part: domain, equals: contoso.com}")


def test_becomes_and_changed_hold_for_what_the_row_has():
    approved = a_policy(_DOMAIN, when="{field: approval, becomes: approved}")
    changed = a_policy(_DOMAIN, when="{field: address, changed: true}")
    row = {"emailaddress": "a@elsewhere.example", "emailrouteraccessapproval": 1}

    assert _judge(row, approved).result == "fail"
    assert _judge(row, changed).rules == ("one-policy/the-rule",)
    assert _judge({**row, "emailrouteraccessapproval": 2}, approved).result == "pass"
    assert _judge({}, changed).evaluated == ()


def test_operations_are_ignored():
    policy = a_policy(_DOMAIN).replace("[create, update]", "[update]")
    assert _judge({"emailaddress": "a@elsewhere.example"}, policy).result == "fail"


def test_a_row_shows_no_change_so_changed_false_holds():
    policy = a_policy(_rule("{field: address, changed: false}"))
    assert _judge({"emailaddress": "a@contoso.com"}, policy).result == "pass"


def test_rules_that_read_the_actor_are_named_and_never_failed():
    policy = a_policy(_rule("{field: actor.canApproveEmail, equals: true}") + "\n" + _rule(
        "{field: old.emailaddress, exists: true}", rule_id="old-rule"
    ))  # fmt: skip
    judged = _judge({"emailaddress": "a@contoso.com"}, policy)

    assert (judged.result, judged.evaluated) == ("pass", ())
    assert judged.not_evaluable == ("one-policy/old-rule", "one-policy/the-rule")
    assert scan_needs("mailbox", a_set(policy)) == frozenset()


def test_each_result_has_its_name():
    row = {"emailaddress": "a@elsewhere.example"}
    owner = _rule("{field: address, equals: {field: owner.upn}}")

    assert (
        _judge(row, a_policy(_DOMAIN.replace("message", "effect: hold, message"))).result == "hold"
    )
    assert _judge(row, a_policy(_DOMAIN, mode="warn")).result == "warn"
    assert _judge(row, a_policy(_DOMAIN, mode="audit")).result == "pass"
    assert _judge(row, a_policy(owner)).result == "error"
    given = facts(new__owner__upn="a@elsewhere.example")
    assert _judge(row, a_policy(owner), given=given).evaluated == ("one-policy/the-rule",)


def test_the_facts_of_the_table_are_needed_without_the_actors():
    policy_set = a_set(a_policy(_rule("{field: address, equals: {field: owner.upn}}")))
    assert scan_needs("mailbox", policy_set) == {"new.owner.upn"}
    assert scan_needs("queue", policy_set) == frozenset()


def test_a_rule_on_the_time_of_the_decision_is_not_evaluable():
    rule = "{id: r-1, require: [{field: request.time, less: 2000-01-01T00:00:00Z}], message: m}"
    policy_set = a_set(a_policy(rule))

    judgement = judge_row("mailbox", "r1", {}, policy_set=policy_set, facts=Facts(), now=NOW)

    assert (judgement.result, judgement.not_evaluable) == ("pass", ("one-policy/r-1",))
