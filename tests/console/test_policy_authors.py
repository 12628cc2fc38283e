"""The verbs that help whoever writes policies: lint, fmt, new, fields, operators, schema."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifModel

from rules.operators.table import OPERATORS
from tests.console.conftest import Run

POLICY = """\
kind: Policy
apiVersion: guard/v1
name: own-domain
mode: enforce
params:
  spare: x
  domain: contoso.com
match: {entity: [mailbox, systemuser, queue]}
rules:
  - id: own-domain
    require:
      - {field: address, part: domain, equals: {param: domain}}
    message: "{address} is elsewhere."
"""
TEST = """\
fixtures: {row: {old: {address: a@contoso.com}, new: {}}}
cases:
  - name: elsewhere
    use: row
    set: {new.address: a@else.example}
    expect: {decision: reject, rules: [own-domain/own-domain]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "policies"
    (root / "tests").mkdir(parents=True)
    (root / "own-domain.yaml").write_text(POLICY)
    (root / "tests" / "own-domain.test.yaml").write_text(TEST)
    return root


def test_a_new_policy_loads_lints_passes_and_has_its_form(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    made = run("policy", "new", "my-policy")
    assert made.out.splitlines() == [
        "policies/my-policy.yaml", "policies/tests/my-policy.test.yaml", "policies/schema/",
    ]  # fmt: skip
    assert run("policy", "schema", "policies", "--check").code == 0
    assert run("policy", "validate", "policies", "--schema", "--warn-as-error").code == 0
    assert run("policy", "lint", "policies", "--warn-as-error").out == "Nothing to remark.\n"
    assert run("policy", "test", "policies", "--coverage-min", "100").code == 0
    assert run("policy", "fmt", "policies", "--check").code == 0


def test_a_new_policy_overwrites_nothing_and_needs_a_name_and_a_folder(
    run: Run, folder: Path
) -> None:
    before = (folder / "own-domain.yaml").read_text()
    again = run("policy", "new", "own-domain")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert (folder / "own-domain.yaml").read_text() == before
    assert run("policy", "new", "My Policy").code == 2
    assert run("policy", "new", "../../etc").code == 2
    assert run("policy", "new", "my-policy", "nowhere").code == 2


def test_a_new_policy_joins_the_others_in_their_sub_folder(run: Run, folder: Path) -> None:
    (folder / "policies").mkdir()
    (folder / "own-domain.yaml").rename(folder / "policies" / "own-domain.yaml")
    assert run("policy", "new", "my-policy").out.startswith("policies/policies/my-policy.yaml\n")
    text = (folder / "policies" / "my-policy.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../schema/policy.schema.json\n")


def test_lint_tells_and_fixes_what_is_safe(run: Run, folder: Path) -> None:
    found = json.loads(run("policy", "lint", folder, "--output", "json").out)
    assert [(one["code"], one["fixable"]) for one in found["remarks"]] == [("unused-param", True)]
    fixed = run("policy", "lint", folder, "--fix")
    assert (fixed.code, fixed.out) == (0, "Nothing to remark.\n")
    assert "own-domain.yaml was mended." in fixed.err
    assert (folder / "own-domain.yaml").read_text() == POLICY.replace("  spare: x\n", "")


def test_lint_says_no_to_an_error_and_on_request_to_a_warning(run: Run, folder: Path) -> None:
    assert run("policy", "lint", folder).code == 0
    assert run("policy", "lint", folder, "--warn-as-error").code == 1
    (folder / "tests" / "own-domain.test.yaml").unlink()
    done = run("policy", "lint", folder)
    assert done.code == 1
    assert "own-domain.yaml:10:5: No test expects `own-domain/own-domain` to fail." in done.out
    assert done.out.endswith("1 error, 1 warning. `--fix` mends 1.\n")


def test_lint_of_a_folder_that_does_not_load_could_not_be_done(run: Run, folder: Path) -> None:
    (folder / "own-domain.yaml").write_text(POLICY.replace("mode: enforce", "mode: enforced"))
    done = run("policy", "lint", folder)
    assert (done.code, done.out) == (2, "")
    assert "[mode-unknown]" in done.err


def test_lint_asks_the_history_who_was_ever_audited(run: Run, folder: Path) -> None:
    def git(*arguments: str) -> None:
        author = ("-c", "user.name=Test", "-c", "user.email=test@contoso.com")
        subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert "[enforce-never-audited]" in run("policy", "lint", folder).out
    (folder / "own-domain.yaml").write_text(POLICY.replace("mode: enforce", "mode: audit"))
    git("commit", "-qam", "two")
    (folder / "own-domain.yaml").write_text(POLICY)
    git("commit", "-qam", "three")
    assert "[enforce-never-audited]" not in run("policy", "lint", folder).out


@pytest.mark.parametrize("verb", ["lint", "validate", "fmt", "test"])
def test_every_report_format_is_written(run: Run, folder: Path, tmp_path: Path, verb: str) -> None:
    (folder / "lists").mkdir()
    (folder / "lists" / "old.yaml").write_text("kind: List\nname: old-list\nitems: [a]\n")
    outputs = [f"--output={one}={one}.out" for one in ("text", "json", "junit", "sarif", "github")]
    done = run("policy", verb, folder, *outputs)
    assert (done.code, done.out) == (0, "")
    SarifModel.model_validate_json((tmp_path / "sarif.out").read_text())
    ElementTree.parse(tmp_path / "junit.out")  # noqa: S314
    annotated = (tmp_path / "github.out").read_text()
    assert ("::warning file=policies/lists/old.yaml,line=2" in annotated) is (verb == "lint")


def test_fmt_checks_without_writing_and_writes_once(run: Run, folder: Path) -> None:
    checked = run("policy", "fmt", folder, "--check")
    assert (checked.code, checked.out.splitlines()[0]) == (1, "own-domain.yaml would change.")
    assert (folder / "own-domain.yaml").read_text() == POLICY
    assert run("policy", "fmt", folder).code == 0
    assert (folder / "own-domain.yaml").read_text().startswith("apiVersion: guard/v1\nkind: Policy")
    assert run("policy", "fmt", folder, "--check").code == 0


def test_fmt_annotates_the_first_line_that_stands_wrong(run: Run, folder: Path) -> None:
    done = run("policy", "fmt", folder, "--check", "--output", "github")
    assert (done.code, done.out) == (
        1,
        "::error file=policies/own-domain.yaml,line=1,col=1,title=form::"
        "Here belongs `apiVersion: guard/v1`. Run `mailbox-guard policy fmt`.\n",
    )
    done = run("policy", "fmt", folder, "--output", "github")
    assert (done.code, done.out) == (0, "")


def test_fmt_of_no_folder_could_not_be_done(run: Run) -> None:
    done = run("policy", "fmt", "nowhere")
    assert done.code == 2
    assert done.out.startswith("nowhere:1:1: There is no such folder.")


def test_fields_are_found_by_a_piece_a_glob_and_the_meaning(run: Run) -> None:
    every = json.loads(run("policy", "fields", "--output", "json").out)
    assert {one["entity"] for one in every} >= {"mailbox", "systemuser", "queue", "actor"}
    exact = json.loads(run("policy", "fields", "mailbox.owner.*", "--output", "json").out)
    assert {one["field"] for one in exact} >= {"owner.upn", "owner.type"}
    told = run("policy", "fields", "emailrouteraccess").out
    assert "Approval status of the address: empty, approved, pending, rejected" in told
    near = run("policy", "fields", "emailadress")
    assert (near.code, near.out) == (
        1, "No field fits `emailadress`. Did you mean `emailaddress`?\n",
    )  # fmt: skip
    assert run("policy", "fields", "no such thing").code == 1


def test_fields_come_from_the_folder_that_is_meant(run: Run, folder: Path) -> None:
    (folder / "fields.yaml").write_text("mailbox: {one: {type: string, doc: Just one}}\n")
    found = json.loads(run("policy", "fields", "--policies", folder, "--output", "json").out)
    assert [one["field"] for one in found] == ["one"]


def test_operators_are_listed_and_told_whole(run: Run) -> None:
    listed = json.loads(run("policy", "operators", "--output", "json").out)
    assert [one["name"] for one in listed] == list(OPERATORS)
    told = run("policy", "operators", "becomes").out
    assert "  takes    one value" in told
    assert "\n    becomes: approved\n" in told
    assert "  holds    new.emailrouteraccessapproval: 1, old.email" in told
    wrong = run("policy", "operators", "equal")
    assert (wrong.code, "`equals`" in wrong.err) == (2, True)


def test_schemas_are_written_checked_and_printed(run: Run, folder: Path) -> None:
    stale = run("policy", "schema", folder, "--check")
    assert (stale.code, f"`mailbox-guard policy schema {folder} --write`" in stale.out) == (1, True)
    assert run("policy", "schema", folder, "--write").code == 0
    assert run("policy", "schema", folder, "--check").out == "The schemas are current.\n"
    printed = json.loads(run("policy", "schema", folder).out)
    assert set(printed) == {path.name for path in (folder / "schema").iterdir()}
    assert run("policy", "schema", folder, "--check", "--write").code == 2
    assert run("policy", "schema", "nowhere").code == 2


def test_a_mistake_is_told_once_though_both_passes_see_it(run: Run, folder: Path) -> None:
    (folder / "own-domain.yaml").write_text(
        POLICY.replace("mode: enforce", "mode: enforced").replace("name: own-domain", "nam: x")
    )
    for arguments in ((), ("--schema",)):
        done = json.loads(
            run("policy", "validate", folder, *arguments, "--output", "json").out
        )["complaints"]  # fmt: skip
        errors = [
            (one["file"], one["line"], one["code"]) for one in done if one["level"] == "error"
        ]
        assert len(errors) == len(set(errors))
        assert ("own-domain.yaml", 4, "mode-unknown") in errors


def test_complaints_of_both_passes_stand_in_the_order_of_lines(run: Run, folder: Path) -> None:
    (folder / "own-domain.yaml").write_text(POLICY.replace("field: address,", "feild: address,"))
    (folder / "a-list.yaml").write_text("kind: List\nname: a-list\nitem: [x]\n")
    found = json.loads(run("policy", "validate", folder, "--schema", "--output", "json").out)
    places = [(one["file"], one["line"], one["column"]) for one in found["complaints"]]
    assert len(places) > 2
    assert places == sorted(places)


def test_one_of_a_thing_is_not_several(run: Run, folder: Path) -> None:
    done = run("policy", "validate", folder)
    assert "policies: valid. 1 policy, 1 rule, 1 enforced." in done.out


def test_the_schema_pass_looks_at_tests_too(run: Run, folder: Path) -> None:
    (folder / "tests" / "own-domain.test.yaml").write_text(TEST.replace("cases:", "casse:"))
    assert run("policy", "validate", folder).code == 2
    done = run("policy", "validate", folder, "--schema")
    assert done.code == 2
    assert "tests/own-domain.test.yaml:2:1: `casse` is not a key" in done.out
    assert "Did you mean `cases`?" in done.out
