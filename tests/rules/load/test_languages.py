"""Messages and mends in several languages: what is read, what is complained about, what is said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.format import format_text
from rules.load.loader import load_documents
from rules.model.change import Change, Facts
from rules.model.errors import PolicySetInvalid
from rules.policy.policy import Rule

HEAD = """
apiVersion: guard/v1
kind: Policy
name: our-domain
HEADER
match: {entity: mailbox, operations: [update]}
rules:
  - id: ours
    require: [{field: address, part: domain, equals: contoso.com}]
"""
BOTH = """\
    message: {en: "{address} is elsewhere.", de: "{address} ist woanders."}
    help: {en: Use ours., de: Nehmen Sie unsere.}
"""
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def load(rule: str, header: str = "") -> PolicySet:
    text = HEAD.replace("HEADER\n", header and f"{header}\n") + rule
    return load_documents({"policies/our-domain.yaml": text})


def rule_of(policy_set: PolicySet) -> Rule:
    return policy_set.policies[0].tables["mailbox"].rules[0]


def said(rule: Rule, language: str | None) -> tuple[str, str | None]:
    wording = rule.wording_in(language)
    return wording.message.text, wording.help


def complaints(rule: str, header: str = "") -> list[str]:
    with pytest.raises(PolicySetInvalid) as caught:
        load(rule, header)
    return [one.code for one in caught.value.complaints]


def test_the_first_language_is_the_policys_own_unless_it_names_one() -> None:
    assert rule_of(load(BOTH)).message.text == "{address} is elsewhere."
    named = rule_of(load(BOTH, "language: de"))
    assert (named.message.text, named.help) == ("{address} ist woanders.", "Nehmen Sie unsere.")


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("de", "{address} ist woanders."),
        ("de-AT", "{address} ist woanders."),
        ("en", "{address} is elsewhere."),
        ("fr", "{address} is elsewhere."),
        (None, "{address} is elsewhere."),
    ],
)
def test_whoever_reads_another_language_reads_a_relative_or_the_own(
    language: str | None, message: str
) -> None:
    assert said(rule_of(load(BOTH)), language)[0] == message


def test_the_own_language_comes_before_its_relatives() -> None:
    rule = rule_of(load("    message: {en: Own., en-GB: British.}\n"))
    assert said(rule, "en")[0] == "Own."
    assert said(rule, "en-GB")[0] == "British."
    assert said(rule, "en-AU")[0] == "Own."


def test_what_another_language_lacks_is_said_in_the_own() -> None:
    rule = rule_of(load("    message: {en: No., de: Nein.}\n    help: Ask.\n"))
    assert said(rule, "de") == ("Nein.", "Ask.")
    rule = rule_of(load("    message: No.\n    help: {en: Ask., de: Fragen.}\n"))
    assert said(rule, "de") == ("No.", "Fragen.")


def test_decisions_are_in_the_own_language_whoever_asks() -> None:
    before = {"emailaddress": "a@contoso.com"}
    change = Change("mailbox", "update", "r", before, {"emailaddress": "a@fabrikam.com"})
    decision = decide(change, load(BOTH), Facts(), now=NOW)
    (finding,) = decision.findings
    assert (finding.message, finding.help) == ("a@fabrikam.com is elsewhere.", "Use ours.")


def test_what_any_language_names_is_looked_up() -> None:
    rule = '    message: {en: No., de: "{actor.upn} darf nicht."}\n'
    change = Change("mailbox", "update", "r", {}, {"emailaddress": "a@fabrikam.com"})
    (policy,) = load(rule).candidates(change).policies
    assert "actor.upn" in policy.facts


@pytest.mark.parametrize(
    ("rule", "header", "code"),
    [
        ("    message: {}\n", "", "type-wrong"),
        ("    message: {english: No.}\n", "", "language-unknown"),
        ("    message: {en: [No.]}\n", "", "type-wrong"),
        ("    message: {en: ' '}\n", "", "message-empty"),
        ("    message: {en: No., de: ' '}\n", "", "message-empty"),
        ('    message: {en: No., de: "{adress}"}\n', "", "hole-unknown"),
        ("    message: {en: No.}\n", "language: de", "language-missing"),
        ("    message: {en: No.}\n    help: {de: Fragen.}\n", "", "language-missing"),
        ("    message: No.\n", "language: german", "language-unknown"),
        ("    help: {en: Ask.}\n", "", "key-missing"),
    ],
)
def test_what_is_missing_or_no_language_is_complained_about(
    rule: str, header: str, code: str
) -> None:
    assert code in complaints(rule, header)


def test_the_languages_are_part_of_what_the_set_is_known_by() -> None:
    other = BOTH.replace("woanders", "anderswo")
    assert load(BOTH).digest != load(other).digest


def test_a_file_keeps_its_languages_in_the_order_of_the_author() -> None:
    text = HEAD.replace("HEADER\n", "") + BOTH
    assert format_text("policies/our-domain.yaml", text).count("en: Use ours., de:") == 1


def test_an_added_language_is_told_as_another_wording() -> None:
    from rules.diff.compare import compare

    before: Any = load("    message: {en: No.}\n")
    after: Any = load("    message: {en: No., de: Nein.}\n")
    told = [f"{one.kind} {one.words}" for one in compare(before, after)]
    assert told == ["reworded message in de: (none) -> Nein."]
