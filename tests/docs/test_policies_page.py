"""The tutorial on policies works as printed, and leaves out no operator."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules.lint.run import lint_folder
from rules.load.loader import load
from rules.operators.table import OPERATORS
from rules.syntax.shipped import shipped_folder
from rules.testing.run import run_folder
from tests.docs.pages import DOCS, blocks, code_words, first_cells, page
from tests.rules.builders import complaints_of

TEXT = page("policies.md")
NOW = datetime(2026, 8, 21, 10, tzinfo=UTC)
NAMED_PERSONS = DOCS / "examples" / "named-persons"
PLACES = {
    "name: friday-afternoon": "policies/friday-afternoon.yaml",
    "name: board-mailboxes": "policies/board-mailboxes.yaml",
    "name: board\n": "lists/board.yaml",
    "kind: Policy": "policies/known-domains.yaml",
    "kind: List": "lists/our-domains.yaml",
    "kind: Exception": "exceptions/fabrikam-move.yaml",
    "# params/test.yaml": "params/test.yaml",
    "# policies/tests/": "tests/known-domains.test.yaml",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every YAML block of the page, in the file that the page says."""
    for block in blocks(TEXT, "yaml"):
        place = next(place for sign, place in PLACES.items() if sign in block)
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")
    # The page leaves out the other list of an example that stands in a folder of its own.
    shutil.copy(NAMED_PERSONS / "lists" / "board-assistants.yaml", tmp_path / "lists")
    return tmp_path


def test_every_operator_stands_in_the_table_and_nothing_else_does() -> None:
    documented = set().union(*map(code_words, first_cells(TEXT, "operator")))
    assert documented == set(OPERATORS)


def test_every_shipped_policy_stands_in_the_table_and_nothing_else_does() -> None:
    documented = set().union(*map(code_words, first_cells(TEXT, "policy")))
    shipped = {
        path.stem
        for path in shipped_folder().rglob("*.yaml")
        if "kind: Policy\n" in path.read_text(encoding="utf-8")
    }
    assert documented == shipped


def test_the_printed_files_load_without_a_complaint(folder: Path) -> None:
    assert complaints_of(folder, now=NOW) == ()
    assert load(folder, now=NOW).enforced == 1


def test_the_printed_params_turn_the_policy_to_audit(folder: Path) -> None:
    assert load(folder, environment="test", now=NOW).enforced == 0


def test_the_printed_cases_pass(folder: Path) -> None:
    run = run_folder(folder)
    assert run.complaints == ()
    assert len(run.cases) == 2
    assert [case.differences for case in run.cases if case.differences] == []


class TestNamedPersons:
    """The example of lists that mean people, however they are spelt."""

    def test_it_is_printed_as_it_stands(self, folder: Path) -> None:
        for printed, file in (
            ("policies/board-mailboxes.yaml", "board-mailboxes.yaml"),
            ("lists/board.yaml", "lists/board.yaml"),
        ):
            written = (NAMED_PERSONS / file).read_text(encoding="utf-8")
            assert (folder / printed).read_text(encoding="utf-8") == written

    def test_its_cases_pass_and_nothing_is_remarked_on(self) -> None:
        run = run_folder(NAMED_PERSONS)
        assert run.complaints == ()
        assert [case.differences for case in run.cases if case.differences] == []
        assert len(run.cases) == 6
        assert lint_folder(NAMED_PERSONS, now=NOW) == ()
