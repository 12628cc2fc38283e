"""Which columns deliveries must bring follows from what policies name."""

from __future__ import annotations

from rules.engine.delivered import delivered_columns
from tests.rules.builders import a_policy, a_set


def test_conditions_other_fields_and_messages_name_columns_and_facts_do_not() -> None:
    policies = a_set(
        a_policy(
            "{id: the-rule, when: [{field: actor.kind, equals: user}],"
            " require: [{field: emailaddress, notEquals: {field: username}},"
            " {field: owner.upn, exists: true}, {field: regardingobjectid.id, exists: true}],"
            " message: '{name} {owner.upn}'}",
        )
    )
    assert delivered_columns(policies) == {
        "mailbox": {"emailaddress", "username", "regardingobjectid", "name"}
    }


def test_a_policy_that_is_off_names_nothing() -> None:
    policy = a_policy("{id: the-rule, require: [{field: username, exists: true}], message: m}")
    assert delivered_columns(a_set(policy))["mailbox"] == {"username"}
    off = policy.replace("mode: enforce", "mode: off")
    assert off != policy
    assert delivered_columns(a_set(off)) == {}
