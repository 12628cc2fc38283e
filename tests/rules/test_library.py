"""The shipped library is whole: tested, documented, answering a threat, and honest about facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.columns.table import TABLES
from guard.facts.history import HOLDER_FACTS, PAST_FACTS
from guard.facts.owner import ABOUT_OWNER
from rules.engine.decide import decide
from rules.engine.row import Judgement, judge_row
from rules.model.catalogue import RECORD_ID, SHARED_ROOTS, Arrival
from rules.model.change import Change, Facts, Value
from rules.policy.conditions import Condition, references_of
from rules.policy.policy import Policy
from rules.syntax.shipped import shipped_folder
from rules.testing.coverage import Coverage
from rules.testing.document import read_change
from rules.testing.mutate import try_mutants
from rules.testing.run import explained, run_folder
from tests.docs.pages import DOCS, blocks, code_words, first_cells
from tests.rules.builders import NOW

_RUN = run_folder(shipped_folder())
_SET = _RUN.policy_set
_POLICIES = {policy.name: policy for policy in _SET.policies}
# With those that are off in audit, as the cases that name them see them.
_WHOLE = _SET.only(frozenset(_POLICIES))
_EACH = pytest.mark.parametrize("policy", _POLICIES.values(), ids=_POLICIES)
_PAGES = DOCS / "policies"


def _page(policy: Policy) -> str:
    return (_PAGES / f"{policy.name}.md").read_text(encoding="utf-8")


def _covered() -> Coverage:
    coverage = Coverage(_WHOLE)
    for explanation in explained(_RUN.cases, _SET):
        assert explanation is not None
        coverage.add(explanation)
    return coverage


def _failed(policy: Policy) -> list[Change]:
    """The changes of every case that one of the policy's rules failed."""
    return [
        result.case.change
        for result in _RUN.cases
        if result.decision is not None
        for finding in result.decision.findings
        if finding.policy == policy.name and finding.result == "fail"
    ]


def _names(policy: Policy) -> set[str]:
    """Every path that match and rules name."""
    trees: list[Condition] = []
    for table in policy.tables.values():
        trees += table.when
        for rule in table.rules:
            trees += [*rule.when, *rule.require, *rule.unless]
    return {reference.path for tree in trees for reference in references_of(tree)}


def test_the_library_has_at_least_twenty_policies():
    assert len(_POLICIES) >= 20
    assert _SET.enforced >= 20


def test_every_rule_is_seen_passing_and_failing():
    assert [rule.id for rule in _covered().rules if not rule.is_whole] == []


def test_almost_every_condition_is_seen_true_and_false():
    assert _covered().conditions_percent >= 97


@pytest.mark.slow
def test_nine_of_ten_mutants_of_what_runs_are_noticed():
    mutations = try_mutants(_SET, [result.case for result in _RUN.cases])

    assert mutations.percent >= 90, [str(one) for one in mutations.survivors]


def test_nine_of_ten_mutants_of_what_is_off_are_noticed():
    off = frozenset(policy.name for policy in _SET.policies if policy.mode == "off")
    cases = [r.case for r in _RUN.cases if r.case.policies and r.case.policies <= off]

    mutations = try_mutants(_SET.only(off), cases)

    assert mutations.percent >= 90, [str(one) for one in mutations.survivors]


@_EACH
def test_every_table_of_a_policy_sees_one_of_its_rules_fail(policy: Policy):
    seen = {change.table for change in _failed(policy)}
    assert seen == set(policy.tables)


@_EACH
def test_a_create_and_an_update_are_tested_where_both_match(policy: Policy):
    operations = {change.operation for change in _failed(policy)}
    wanted = set().union(*(table.operations for table in policy.tables.values()))
    # A message is judged as it is found; it has no update.
    assert operations == (wanted if policy.tables.keys() != {"message"} else {"create"})


@_EACH
def test_a_policy_says_what_it_is_for(policy: Policy):
    assert policy.title
    assert len(policy.description) > 60
    assert policy.category
    for table in policy.tables.values():
        assert [rule.id for rule in table.rules if not rule.help] == []


@_EACH
def test_a_policy_has_a_page_with_its_threat_rules_mode_and_parameters(policy: Policy):
    text = _page(policy)
    rules = {rule.id for table in policy.tables.values() for rule in table.rules}

    assert text.startswith(f"# {policy.name}\n")
    for part in ("**The threat.** ", "**Where it looks.** ", f"**Mode.** `{policy.mode}`"):
        assert part in text
    assert {cell.strip("`") for cell in first_cells(text, "rule")} == rules
    assert {cell.strip("`") for cell in first_cells(text, "parameter")} == set(policy.params)


@_EACH
def test_the_example_of_a_page_fails_the_rule_it_names(policy: Policy):
    text = _page(policy)
    (example,) = blocks(text, "yaml")
    given = read_change(example, _SET.catalogue)
    words = code_words(text.partition("\nFinding: ")[2])

    decision = decide(given.change, _SET.only(frozenset({policy.name})), given.facts, now=NOW)

    failed = {f.id: f.declared for f in decision.findings if f.result == "fail"}
    assert [{rule, effect} for rule, effect in failed.items() if {rule, effect} == words]


def test_every_page_is_that_of_a_policy():
    assert {path.stem for path in _PAGES.glob("*.md")} == set(_POLICIES)


def _supplied() -> set[str]:
    names = HOLDER_FACTS | PAST_FACTS | ABOUT_OWNER | {"stewardLeft"}
    return {f"facts.{name}" for name in names}


def test_the_catalogue_says_that_a_fact_arrives_where_something_supplies_it():
    facts = _SET.catalogue.shared["facts"].fields.values()
    arriving = {f"facts.{one.name}" for one in facts if one.arrives is not Arrival.NEVER}

    assert arriving == _supplied()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_catalogue_says_that_a_column_arrives_where_images_and_reads_carry_it(table):
    columns = [one for one in _SET.catalogue.entities[table.name].fields.values() if not one.fact]
    arriving = {how: {_base(one.name) for one in columns if one.arrives is how} for how in Arrival}

    assert arriving[Arrival.DELIVERY] == set(table.columns)
    assert arriving[Arrival.IMAGE] == set(table.context) | {RECORD_ID}


def test_no_delivery_comes_of_what_is_no_guarded_table():
    assert {*_SET.catalogue.arriving()} - {"message"} == set(TABLES)


def _base(name: str) -> str:
    return name.split(".", 1)[0]


def test_every_field_of_the_catalogue_says_what_it_is():
    sections = {**_SET.catalogue.entities, **_SET.catalogue.shared}
    undocumented = [
        f"{name}.{field.name}"
        for name, section in sections.items()
        for field in section.fields.values()
        if len(field.doc) < 4
    ]
    assert undocumented == []
    assert set(SHARED_ROOTS) == set(_SET.catalogue.shared)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_that_is_carried_holds_what_the_guard_reads(table):
    entity = _SET.catalogue.entities[table.name]
    kinds = {
        "string": "string", "guid": "string", "choice": "choice", "bool": "boolean",
        "lookup": "lookup",
    }  # fmt: skip

    found = {name: entity.fields[name].kind.value for name in table.carried}

    assert found == {name: kinds[kind] for name, kind in table.carried.items()}


_ANNA = {"id": "u1", "type": "user", "upn": "anna@contoso.com", "objectId": "o1"}
_APPROVED = {
    "mailbox": {
        "emailaddress": "anna@contoso.com",
        "incomingemaildeliverymethod": 2,
        "outgoingemaildeliverymethod": 2,
        "actdeliverymethod": 1,
        "emailserverprofile.id": "b7c9a0de-6f0e-4a51-9d5c-6a9e1f9b7a10",
        "ownerid.id": "u1",
        "ownerid.type": "systemuser",
        "regardingobjectid.id": "u1",
        "isforwardmailbox": False,
        "allowemailconnectortousecredentials": False,
        "statecode": 0,
    },
    "systemuser": {
        "internalemailaddress": "anna@contoso.com",
        "domainname": "anna@contoso.com",
        "azureactivedirectoryobjectid": "o1",
        "isdisabled": False,
    },
    "queue": {
        "emailaddress": "anna@contoso.com",
        "ownerid.id": "u6",
        "ownerid.type": "systemuser",
        "statecode": 0,
    },
}


def _scanned(table: str, **columns: Value) -> Judgement:
    owner = _ANNA if table != "queue" else {"id": "q1", "type": "queue"}
    holder = {
        "count": 1,
        "names": ("o1", "anna@contoso.com"),
        "objectId": "o1",
        "isPerson": table != "queue",
        "isEnabled": table != "queue",
        "isDeleted": False,
        "userType": "Member",
    }
    known: dict[str, Value] = {f"new.owner.{name}": value for name, value in owner.items()}
    known |= {f"new.addressOwner.{name}": value for name, value in holder.items()}
    known.setdefault("new.owner.entraUpn", known.get("new.owner.upn"))
    known |= {
        "facts.addressElsewhere": 0,
        "facts.formerAddresses": (),
        "facts.formerHolderLeft": False,
        "facts.ownerIsLicensed": True,
        "facts.mailboxPurpose": "user",
        "facts.stewardLeft": False,
        "facts.ownerElsewhere": 0,
    }
    row: dict[str, Value] = {"emailrouteraccessapproval": 1, **_APPROVED[table], **columns}
    return judge_row(table, "r1", row, policy_set=_SET, facts=Facts(known), now=NOW)


@pytest.mark.parametrize("table", _APPROVED)
def test_a_scan_finds_nothing_wrong_with_a_row_that_is_in_order(table: str):
    judgement = _scanned(table)

    assert (judgement.result, [f.id for f in judgement.findings]) == ("pass", [])
    assert len(judgement.evaluated) >= 3


def test_a_scan_leaves_application_users_alone_until_one_is_approved():
    waiting = _scanned("systemuser", applicationid="p1", emailrouteraccessapproval=2)
    approved = _scanned("systemuser", applicationid="p1")

    assert (waiting.result, approved.result) == ("pass", "fail")
    assert approved.rules == ("service-user-not-approved/not-an-application",)


def test_every_list_is_used_and_says_what_to_put_in():
    texts = [path.read_text("utf-8") for path in Path(shipped_folder()).glob("*.yaml")]
    for path in (shipped_folder() / "lists").glob("*.yaml"):
        assert any(f"{{list: {path.stem}}}" in text for text in texts), path.stem
        assert "description: " in path.read_text("utf-8")
