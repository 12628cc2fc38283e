"""The law of combination, stage by stage: match, when, unless, require, errors, exceptions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given

from rules.engine.decide import decide, failures
from rules.engine.needs import needs
from rules.model.change import NO_FACTS, Facts
from rules.model.decision import Outcome, set_aside
from tests.rules.builders import NOW, a_change, a_policy, a_set, facts
from tests.rules.explain.test_explain import _EXCEPTIONS, _QUIET, _with_exceptions
from tests.rules.test_properties import _POLICIES, _changes, _texts

_TRUE = "{field: name, exists: true}"
_FALSE = "{field: name, exists: false}"
_ERROR = "{field: actor.upn, equals: x@contoso.com}"


def _rule(*, rule_id: str = "the-rule", require: str = _FALSE, more: str = "") -> str:
    return f"{{id: {rule_id}, require: [{require}], message: m{more}}}"


def _decide(*policies: str, given: Facts = NO_FACTS, now: datetime = NOW, **more: str):
    return decide(a_change(name="Anna"), a_set(*policies, **more), given, now=now)


@pytest.mark.parametrize(
    ("mode", "effect", "outcome", "shown"),
    [
        ("enforce", "reject", Outcome.REJECT, "reject"),
        ("enforce", "hold", Outcome.HOLD, "hold"),
        ("warn", "reject", Outcome.WARN, "warn"),
        ("warn", "hold", Outcome.WARN, "warn"),
        ("audit", "hold", Outcome.ALLOW, "audit"),
    ],
)
def test_a_failing_rule_contributes_by_mode_and_effect(mode, effect, outcome, shown):
    decision = _decide(a_policy(_rule(more=f", effect: {effect}"), mode=mode))

    assert decision.outcome is outcome
    assert [(f.effect, f.declared, f.contributes) for f in decision.findings] == [
        (shown, effect, outcome)
    ]


@pytest.mark.parametrize(
    ("mode", "on_error", "outcome", "cause"),
    [
        ("enforce", "reject", Outcome.REJECT, "error"),
        ("enforce", "allow", Outcome.ALLOW, "rules"),
        ("warn", "reject", Outcome.ALLOW, "rules"),
        ("audit", "reject", Outcome.ALLOW, "rules"),
    ],
)
def test_an_error_contributes_by_mode_and_on_error_whatever_the_effect(
    mode, on_error, outcome, cause
):
    policy = a_policy(_rule(require=_ERROR, more=", effect: hold"), mode=mode, on_error=on_error)
    decision = _decide(policy)

    assert (decision.outcome, decision.cause) == (outcome, cause)
    (finding,) = decision.findings
    assert (finding.result, finding.effect, finding.unknown) == ("error", "error", ("actor.upn",))
    assert "actor.upn" in finding.message


def test_a_policy_that_is_off_is_not_there():
    decision = _decide(a_policy(_rule(), mode="off"))
    assert (decision.outcome, decision.cause, decision.findings) == (Outcome.ALLOW, "no-policy", ())


def test_all_failures_are_reported_and_the_strongest_decides():
    decision = _decide(
        a_policy(_rule(rule_id="rule-b", more=", effect: hold") + "\n" + _rule(rule_id="rule-a")),
        a_policy(_rule(), name="a-warning", mode="warn"),
    )

    assert decision.outcome is Outcome.REJECT
    assert [finding.id for finding in decision.findings] == [
        "a-warning/the-rule", "one-policy/rule-a", "one-policy/rule-b",
    ]  # fmt: skip
    assert [finding.id for finding in decision.contributing] == ["one-policy/rule-a"]


@pytest.mark.parametrize(
    ("more", "result"),
    [
        (f", when: [{_FALSE}]", None),
        (f", when: [{_TRUE}]", "fail"),
        (f", when: [{_ERROR}]", "error"),
        (f", when: [{_ERROR}, {_FALSE}]", None),
        (f", unless: [{_TRUE}]", None),
        (f", unless: [{_FALSE}]", "fail"),
        (f", unless: [{_ERROR}]", "error"),
        (f", unless: [{_ERROR}, {_FALSE}]", "fail"),
        (f", when: [{_FALSE}], unless: [{_ERROR}]", None),
    ],
)
def test_a_rule_applies_if_when_holds_and_unless_does_not(more, result):
    findings = _decide(a_policy(_rule(more=more))).findings
    assert [finding.result for finding in findings] == ([] if result is None else [result])


@pytest.mark.parametrize(
    ("require", "result"),
    [
        (f"{{anyOf: [{_ERROR}, {_TRUE}]}}", None),
        (f"{{anyOf: [{_TRUE}, {_ERROR}]}}", None),
        (f"{{anyOf: [{_ERROR}, {_FALSE}]}}", "error"),
        (f"{{allOf: [{_ERROR}, {_FALSE}]}}", "fail"),
        (f"{{allOf: [{_FALSE}, {_ERROR}]}}", "fail"),
        (f"{{allOf: [{_ERROR}, {_TRUE}]}}", "error"),
        (f"{{allOf: [{_TRUE}, {_ERROR}, {_FALSE}]}}", "fail"),
        (f"{{not: {_ERROR}}}", "error"),
        (f"{{not: {_FALSE}}}", None),
    ],
)
def test_any_of_and_all_of_absorb_an_error_if_another_branch_decides(require, result):
    findings = _decide(a_policy(_rule(require=require))).findings
    assert [finding.result for finding in findings] == ([] if result is None else [result])


def test_in_match_a_false_condition_wins_over_errors():
    assert _decide(a_policy(_rule(), when=f"{_ERROR}, {_FALSE}")).cause == "no-policy"


def test_an_error_in_match_is_an_error_of_every_rule():
    policy = a_policy(_rule(rule_id="rule-a") + "\n" + _rule(rule_id="rule-b"), when=_ERROR)
    decision = _decide(policy)

    assert (decision.outcome, decision.cause) == (Outcome.REJECT, "error")
    assert [finding.result for finding in decision.findings] == ["error", "error"]


def test_evaluated_names_the_enforced_rules_that_applied():
    decision = _decide(
        a_policy(
            "\n".join(
                (
                    _rule(rule_id="passes", require=_TRUE),
                    _rule(rule_id="skipped", more=f", when: [{_FALSE}]"),
                    _rule(rule_id="fails"),
                    _rule(rule_id="errs", require=_ERROR),
                )
            )
        ),
        a_policy(_rule(require=_TRUE), name="a-warning", mode="warn"),
    )
    assert decision.evaluated == ("one-policy/fails", "one-policy/passes")


class TestExceptions:
    TEXT = (
        "apiVersion: guard/v1\nkind: Exception\nname: one-exception\npolicy: one-policy\n"
        "rules: [the-rule]\nreason: r\nticket: t\napprovedBy: a\nexpires: 2026-12-31\n"
    )

    def _outcome(self, now, *, text=TEXT, require=_FALSE):
        decision = _decide(a_policy(_rule(require=require)), exceptions__one=text, now=now)
        return decision.outcome, [(f.result, f.exception) for f in decision.findings]

    def test_an_exception_lets_a_failing_rule_pass_and_says_so(self):
        assert self._outcome(NOW) == (Outcome.ALLOW, [("excepted", "one-exception")])

    def test_it_holds_through_its_last_day_and_no_longer(self):
        end = datetime(2027, 1, 1, tzinfo=UTC)
        assert self._outcome(end - timedelta(seconds=1))[0] is Outcome.ALLOW
        assert self._outcome(end)[0] is Outcome.REJECT

    def test_one_that_ends_too_far_ahead_does_not_apply(self):
        assert self._outcome(datetime(2026, 6, 1, tzinfo=UTC))[0] is Outcome.REJECT

    def test_it_is_not_looked_up_for_an_error_or_a_pass(self):
        assert self._outcome(NOW, require=_ERROR)[0] is Outcome.REJECT
        assert self._outcome(NOW, require=_TRUE) == (Outcome.ALLOW, [])

    @pytest.mark.parametrize(
        ("when", "outcome"),
        [(_TRUE, Outcome.ALLOW), (_FALSE, Outcome.REJECT), (_ERROR, Outcome.REJECT)],
    )
    def test_its_conditions_must_hold_and_an_error_is_no_permission(self, when, outcome):
        assert self._outcome(NOW, text=f"{self.TEXT}when: [{when}]\n")[0] is outcome


class TestTheIndex:
    POLICY = a_policy(_rule(), when="{field: approval, becomes: approved}")

    @pytest.mark.parametrize(
        ("before", "after", "outcome"),
        [
            (2, 1, Outcome.REJECT),
            (1, 1, Outcome.ALLOW),
            (2, 3, Outcome.ALLOW),
            (2, "1", Outcome.REJECT),
            (2, True, Outcome.REJECT),
            (1, True, Outcome.REJECT),
            (True, 1, Outcome.REJECT),
        ],
    )
    def test_a_trigger_is_a_difference_and_a_misshapen_value_is_an_error(
        self, before, after, outcome
    ):
        change = a_change(
            before={"emailrouteraccessapproval": before}, name="A", emailrouteraccessapproval=after
        )
        assert decide(change, a_set(self.POLICY), NO_FACTS, now=NOW).outcome is outcome

    @pytest.mark.parametrize(
        ("after", "needed"),
        [(1, {"actor.upn"}), (2, set()), (None, set()), ("1", {"actor.upn"})],
    )
    def test_an_approval_that_becomes_something_else_needs_no_look_up(self, after, needed):
        rule = "{id: the-rule, require: [{field: actor.upn, exists: true}], message: m}"
        policy_set = a_set(a_policy(rule, when="{field: approval, becomes: approved}"))
        change = a_change(before={"emailrouteraccessapproval": 3}, emailrouteraccessapproval=after)

        assert needs(change, policy_set) == needed

    def test_either_of_two_triggers_is_enough(self):
        when = "{anyOf: [{field: address, changed: true}, {field: approval, becomes: approved}]}"
        policy_set = a_set(a_policy(_rule(), when=when))
        for columns in ({"emailaddress": "b@b.de"}, {"emailrouteraccessapproval": 1}):
            change = a_change(before={"emailaddress": "a@b.de"}, name="A", **columns)
            assert decide(change, policy_set, NO_FACTS, now=NOW).outcome is Outcome.REJECT
        reset = a_change(before={"emailaddress": "a@b.de"}, name="A", emailrouteraccessapproval=2)
        assert decide(reset, policy_set, NO_FACTS, now=NOW).cause == "no-policy"

    def test_presence_is_not_change_whatever_was_sent(self):
        policy_set = a_set(a_policy(_rule(), when="{field: address, changed: true}"))
        change = a_change(before={"emailaddress": "a@b.de"}, name="A", emailaddress="A@B.de")
        assert decide(change, policy_set, NO_FACTS, now=NOW).cause == "no-policy"

    def test_a_column_that_was_emptied_differs(self):
        policy_set = a_set(a_policy(_rule(), when="{field: address, changed: true}"))
        change = a_change(before={"emailaddress": "a@b.de"}, name="A")
        emptied = type(change)(
            change.table, "update", "r1", change.before, {"name": "A"}, frozenset()
        )
        assert decide(emptied, policy_set, NO_FACTS, now=NOW).outcome is Outcome.REJECT

    def test_another_table_or_operation_is_no_match(self):
        policy_set = a_set(a_policy(_rule()))
        for change in (a_change(table="queue", name="A"), a_change(operation="delete", name="A")):
            assert decide(change, policy_set, NO_FACTS, now=NOW).cause == "no-policy"


def test_needs_names_every_fact_of_the_candidates_and_no_others():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, when: [{field: owner.type, equals: user}],"
            " require: [{field: owner.upn, changed: false}], message: '{actor.upn} {name}'}",
            when="{field: approval, becomes: approved}",
        ),
        a_policy(
            _rule(require=_ERROR), name="other-policy", when="{field: address, changed: true}"
        ),
    )
    approved = {"emailrouteraccessapproval": 1}

    update = needs(a_change(before={"name": "x"}, **approved), policy_set)
    create = needs(a_change(operation="create", **approved), policy_set)

    assert update == {"actor.upn", "new.owner.type", "new.owner.upn", "old.owner.upn"}
    assert create == update - {"old.owner.upn"}
    assert needs(a_change(before={"name": "x"}, name="y"), policy_set) == frozenset()


def test_errors_on_unknown_owner_facts_alone_can_be_set_aside():
    policy_set = a_set(
        a_policy(
            _rule(rule_id="owner-rule", require="{field: owner.upn, equals: {field: address}}")
        ),
        a_policy(_rule(require=_ERROR), name="actor-policy"),
    )
    change = a_change(operation="create", emailaddress="a@b.de")
    given = Facts({}, {"new.owner.upn": "its row is not committed yet"})
    decision = decide(change, policy_set, given, now=NOW)

    left, deferred = set_aside(decision, ("new.owner.",))
    known = facts(actor__upn="x@contoso.com")
    other = decide(change, policy_set, Facts(known.values, given.missing), now=NOW)

    assert deferred == ("one-policy/owner-rule",)
    assert [finding.id for finding in left.findings] == ["actor-policy/the-rule"]
    assert set_aside(other, ("new.owner.",))[0].outcome is Outcome.ALLOW


def test_messages_fill_their_holes_and_never_fail():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, require: [{field: name, exists: false}],"
            " message: '{name} {approval} {owner.upn} {actor.roles} {old.name} { x }'}"
        )
    )
    change = a_change(
        before={"name": None}, name="A\x1b[0m" + "x" * 500, emailrouteraccessapproval=1
    )
    given = facts(actor__roles=("a", "b"))

    (finding,) = decide(change, policy_set, given, now=NOW).findings

    name, *rest = finding.message.split(" ")
    assert name.startswith("A\ufffd[0mx")
    assert len(name) < 220
    assert " ".join(rest) == "approved (empty) a, b (empty) { x }"


def test_a_message_tells_the_members_of_a_set_in_the_same_order_in_every_process():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, require: [{field: request.columns, contains: z}],"
            " message: '{request.columns}'}"
        )
    )
    change = a_change(username="x", statecode=0, name="x", isforwardmailbox=False, emailaddress="x")

    (finding,) = decide(change, policy_set, Facts(), now=NOW).findings

    assert finding.message == "emailaddress, isforwardmailbox, name, statecode, username"


def test_the_one_time_that_rules_see_is_that_of_the_decision():
    policy_set = a_set(
        a_policy(
            "{id: the-rule, require: [{field: request.time, less: 2026-08-21T10:00:00Z}], "
            "message: '{request.time}'}"
        )
    )
    change = a_change(emailaddress="a@b.de")

    def outcome(**moment: int) -> str:
        now = datetime(2026, 8, 21, tzinfo=UTC) + timedelta(**moment)
        return decide(change, policy_set, Facts(), now=now).outcome.value

    assert (outcome(hours=9), outcome(hours=10)) == ("allow", "reject")
    assert needs(change, policy_set) == frozenset()


@_QUIET
@given(_POLICIES, _changes(), _EXCEPTIONS)
def test_failures_seen_at_a_look_are_the_findings_of_the_decision(
    policies, given_change, exceptions
):
    change, known = given_change
    texts = _texts(policies, random.Random(1))  # noqa: S311
    excepting = _with_exceptions(texts, exceptions)
    policy_set = a_set(*texts, **excepting)

    seen = failures(change, policy_set, known, now=NOW)
    findings = decide(change, policy_set, known, now=NOW).findings

    if seen is None:
        assert excepting or any(one.result == "error" for one in findings)
    else:
        seen.sort(key=lambda one: one.id)
        assert seen == [one.but(message="") for one in findings]


def test_what_is_named_behind_a_when_is_read_once_that_holds():
    rule = (
        "{id: the-rule, when: [{field: name, equals: Anna}], message: m,"
        " require: [{field: actor.upn, equals: anna@contoso.com}],"
        " unless: [{field: actor.kind, equals: guard}]}"
    )
    known = facts(actor__upn="Anna@contoso.com", actor__kind="user")

    assert _decide(a_policy(rule), given=known).evaluated == ("one-policy/the-rule",)
    assert (
        _decide(a_policy(rule)).findings[0].error == "actor.kind is not known: it was not looked up"
    )


def test_a_reason_that_is_a_sentence_ends_once():
    rule = "{id: the-rule, message: m, require: [{anyOf: [%s, {field: actor.kind, equals: user}]}]}"
    given = Facts({}, {"actor.upn": "Entra does not answer.", "actor.kind": "Nobody knows."})

    assert _decide(a_policy(rule % _ERROR), given=given).findings[0].message == (
        "This could not be judged: actor.upn is not known: Entra does not answer;"
        " actor.kind is not known: Nobody knows."
    )
