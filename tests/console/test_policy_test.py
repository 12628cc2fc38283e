"""`policy test` shows why a case fails, what no case has seen, and which change none notices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifModel

from rules.syntax.shipped import shipped_folder
from tests.console.conftest import Run
from tests.console.recording import RULE, a_folder

FIXTURE = """\
now: 2026-08-21T10:00:00Z
fixtures:
  anna:
    operation: update
    old: {emailaddress: anna@contoso.com, owner: {type: user, upn: anna@contoso.com}}
    new: {emailaddress: Anna@contoso.com.example}
cases:
"""
REJECTED = "  - {name: elsewhere, use: anna, expect: {decision: reject}}\n"
QUEUE = "  - {name: queue, use: anna, set: {owner.type: queue}, expect: {decision: allow}}\n"
TEAM = "  - {name: team, use: anna, set: {owner.type: team}, expect: {decision: allow}}\n"
OWN = (
    "  - {name: own, use: anna, set: {address: ANNA@contoso.com, old.address: a@b.de},"
    " expect: {decision: allow}}\n"
)
AS_BEFORE = (
    "  - {name: before, use: anna, set: {address: bob@contoso.com, old.address: bob@contoso.com},"
    " expect: {decision: allow}}\n"
)
WRONG = "  - {name: wrong & <bad>, use: anna, set: {owner.type: queue}, expect: {rules: [%s]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "policies")


def write(folder: Path, *cases: str) -> Path:
    (folder / "mailbox.test.yaml").write_text(FIXTURE + "".join(cases))
    return folder


def test_a_failing_case_shows_the_tree_of_the_rule_with_its_values(run: Run, folder: Path) -> None:
    done = run("policy", "test", write(folder, REJECTED, WRONG % RULE))
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == "FAIL  mailbox.test.yaml:9  wrong & <bad>"
    assert lines[1].strip() == f"expected rules [{RULE}], got []"
    assert lines[2].strip().startswith(f"- {RULE}  (critical, does not apply)")
    unless = next(line for line in lines if "unless new.owner.type" in line)
    assert unless.split()[-3:-1] == ["queue", "yes"]
    assert lines[-1] == "1 of 2 cases passed."


def test_a_case_that_names_no_rule_shows_those_that_could_have_spoken(
    run: Run, folder: Path
) -> None:
    silent = REJECTED.replace("use: anna", "use: anna, set: {owner.type: queue}")
    done = run("policy", "test", write(folder, silent))
    assert "expected reject, got allow" in done.out
    assert f"- {RULE}  (critical, does not apply)" in done.out


def test_coverage_names_the_rule_that_nobody_saw_fail(run: Run, folder: Path) -> None:
    done = run("policy", "test", write(folder, OWN), "--coverage")
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if line.startswith(RULE))
    assert row.split()[1:7] == ["1", "0", "0", "0", "0", "0"]
    assert row.endswith("failing")
    assert "equals new.owner.upn (any case)  never false" in done.out
    assert "0.0 % of 1 rules seen passing and failing" in done.out


def test_coverage_below_the_asked_for_is_a_no(run: Run, folder: Path) -> None:
    write(folder, OWN, REJECTED)
    done = run("policy", "test", folder, "--coverage-min", "100")
    assert done.code == 1
    assert "66.7 % of conditions were seen true and false; 100 % are asked for." not in done.out
    assert "conditions were seen true and false; 100 % are asked for." in done.out
    assert run("policy", "test", folder, "--coverage-min", "30").code == 0
    write(folder, OWN, REJECTED, QUEUE, AS_BEFORE)
    done = run("policy", "test", folder, "--coverage-min", "100", "--output", "json")
    assert done.code == 0
    told = json.loads(done.out)["coverage"]
    assert (told["rules_percent"], told["conditions_percent"]) == (100.0, 100.0)
    assert told["rules"][0]["skipped-unless"] == 1


def test_a_change_that_no_case_notices_is_named_and_a_no(run: Run, folder: Path) -> None:
    done = run("policy", "test", write(folder, OWN, REJECTED), "--mutate")
    assert done.code == 1
    line = next(line for line in done.out.splitlines() if "left out of [queue, team]" in line)
    assert line.split()[0].startswith("own-address-only.yaml:")
    assert "90 % are asked for." in done.out
    whole = write(folder, OWN, REJECTED, QUEUE, TEAM, AS_BEFORE)
    done = run("policy", "test", whole, "--mutate", "--output", "json")
    told = json.loads(done.out)["mutants"]
    assert (done.code, told["survivors"]) == (0, [])
    assert told["tried"] > 5


def test_mutants_are_not_tried_on_cases_that_fail(run: Run, folder: Path) -> None:
    done = run("policy", "test", write(folder, WRONG % RULE), "--mutate")
    assert done.code == 1
    assert "No mutant was tried" in done.out


def test_junit_has_a_suite_a_file_and_a_case_a_case(run: Run, folder: Path, tmp_path: Path) -> None:
    write(folder, REJECTED, WRONG % RULE)
    done = run("policy", "test", folder, "--output", "junit=report.xml", "--coverage-min", "100")
    assert (done.code, done.out) == (1, "")
    root = ElementTree.parse(tmp_path / "report.xml").getroot()  # noqa: S314
    file, coverage = root
    assert (file.get("name"), file.get("tests"), file.get("failures")) == (
        "mailbox.test.yaml", "2", "1",
    )  # fmt: skip
    passed, failed = file
    assert (passed.get("name"), len(passed)) == ("elsewhere", 0)
    assert (failed.get("name"), failed.get("line")) == ("wrong & <bad>", "9")
    assert failed.get("file") == "policies/mailbox.test.yaml"
    assert RULE in str(failed[0].get("message"))
    assert "unless new.owner.type is in [queue, team]" in str(failed[0].text)
    assert coverage.get("name") == "coverage"
    assert coverage.get("failures") == "2"


def test_a_failing_case_is_annotated_at_its_line(run: Run, folder: Path) -> None:
    done = run("policy", "test", write(folder, REJECTED, WRONG % RULE), "--output", "github")
    assert (done.code, done.out) == (
        1,
        "::error file=policies/mailbox.test.yaml,line=9,col=1,title=case-failed::"
        f"wrong & <bad>: expected rules [{RULE}], got [].\n",
    )
    assert run("policy", "test", write(folder, REJECTED), "--output", "github").out == ""


def test_what_no_case_saw_is_in_the_sarif_log_at_its_line(run: Run, folder: Path) -> None:
    write(folder, OWN)
    done = run("policy", "test", folder, "--coverage-min", "100", "--mutate", "--output", "sarif")
    assert done.code == 1
    log = json.loads(done.out)
    SarifModel.model_validate(log)
    (told,) = log["runs"]
    found = {
        (
            one["ruleId"],
            one["level"],
            place["artifactLocation"]["uri"],
            place["region"]["startLine"],
        )
        for one in told["results"]
        for place in [one["locations"][0]["physicalLocation"]]
    }
    policy = "policies/own-address-only.yaml"
    assert found >= {
        ("rule-not-seen", "warning", policy, 12),
        ("condition-not-seen", "warning", policy, 15),
        ("change-not-noticed", "warning", policy, 18),
        ("too-little-seen", "error", "policies", 1),
    }
    assert all("docs" not in one["shortDescription"]["text"] for one in _rules(told))


def _rules(told: Any) -> list[Any]:
    rules: list[Any] = told["tool"]["driver"]["rules"]
    return rules


def test_what_was_not_asked_for_is_not_complained_of(run: Run, folder: Path) -> None:
    done = run("policy", "test", write(folder, OWN), "--output", "sarif")
    assert (done.code, json.loads(done.out)["runs"][0]["results"]) == (0, [])


def test_a_mistake_in_a_test_file_is_annotated(run: Run, folder: Path) -> None:
    case = REJECTED.replace("use: anna", "use: ana")
    done = run("policy", "test", write(folder, case), "--output", "github")
    assert done.code == 2
    assert done.out.startswith("::error file=policies/mailbox.test.yaml,line=8,")
    assert "title=test-unknown::" in done.out


def test_a_folder_without_tests_says_where_tests_stand(run: Run, folder: Path) -> None:
    done = run("policy", "test", folder)
    assert (done.code, "`.test.yaml`" in done.out) == (0, True)


def test_a_name_that_no_case_has_is_a_mistake(run: Run, folder: Path) -> None:
    write(folder, OWN, REJECTED)
    assert run("policy", "test", folder, "-k", "elsewhere").out == "1 of 1 cases passed.\n"
    done = run("policy", "test", folder, "-k", "elswhere")
    assert (done.code, done.out) == (2, "")
    assert "`elswhere`" in done.err


def test_junit_survives_what_xml_cannot_say(run: Run, folder: Path) -> None:
    case = '  - {name: "bell \\a and \\ud800", use: anna, expect: {decision: allow}}\n'
    done = run("policy", "test", write(folder, case), "--output", "junit")
    assert done.code in (1, 2)
    ElementTree.fromstring(done.out.encode())  # noqa: S314


def test_a_case_that_fails_because_of_a_policy_that_it_does_not_mean_says_so(
    run: Run, folder: Path
) -> None:
    (folder / "one-more.yaml").write_text(
        "apiVersion: guard/v1\nkind: Policy\nname: one-more\nmatch: {entity: mailbox}\n"
        "rules: [{id: never, require: [{field: address, exists: false}], message: m}]\n"
    )
    done = run("policy", "test", write(folder, OWN))
    assert done.code == 1
    assert (
        "      without one-more it passes: expect what they say, or name under `policies` those "
        "that are meant" in done.out.splitlines()
    )


def test_shipped_tests_that_fail_beside_own_policies_and_lists_say_what_differs(
    run: Run, tmp_path: Path
) -> None:
    root = tmp_path / "policies"
    shutil.copytree(shipped_folder(), root)
    domains = root / "lists" / "allowed-domains.yaml"
    domains.write_text(domains.read_text().replace("contoso.com,", "own.example,"))
    (root / "own-policy.yaml").write_text(
        "apiVersion: guard/v1\nkind: Policy\nname: own-policy\nmatch: {entity: mailbox}\n"
        "rules: [{id: never, require: [{field: address, exists: false}], message: m}]\n"
    )
    for path in (root / "tests").iterdir():
        if path.name != "addresses.test.yaml":
            path.unlink()
    done = run("policy", "test", root, "--output", "json")

    (note,) = json.loads(done.out)["notes"]
    assert note.startswith("tests/addresses.test.yaml came with the product")
    assert "lists/allowed-domains.yaml is another" in note
    assert "own-policy.yaml is added" in note
