"""What stands at the root for those who help: texts, forms and what machines run."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import blocks, first_cells, links

ROOT = Path(__file__).parents[2]
TEXTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z]+):.* ## ", MAKEFILE, flags=re.MULTILINE)
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (.*)$", CHANGELOG, flags=re.MULTILINE)
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+) - (Unreleased|\d{4}-\d{2}-\d{2})")
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def _yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_of_a_text_at_the_root_leads_to_a_file(name: str) -> None:
    inside = [one.partition("#")[0] for one in links((ROOT / name).read_text("utf-8"))]
    missing = [one for one in inside if one and "://" not in one and not (ROOT / one).exists()]
    assert missing == []


@pytest.mark.parametrize("name", [*TEXTS, "docs/releasing.md"])
def test_every_make_target_that_a_text_names_exists(name: str) -> None:
    named = re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / name).read_text("utf-8"))
    assert [one for one in named if one not in TARGETS] == []


def test_contributors_are_told_every_target_that_they_need() -> None:
    table = first_cells((ROOT / "CONTRIBUTING.md").read_text("utf-8"), "target")
    needed = {
        *("quick", "rest", "test", "check", "coverage", "browser", "screenshots"),
        *("format", "generate", "bench", "wheel"),
    }
    assert {cell.strip("`").removeprefix("make ") for cell in table} == needed


def test_contributors_are_told_every_mark() -> None:
    table = first_cells((ROOT / "CONTRIBUTING.md").read_text("utf-8"), "mark")
    declared = PROJECT["tool"]["pytest"]["ini_options"]["markers"]
    assert {cell.strip("`") for cell in table} == {one.partition(":")[0] for one in declared}


def test_the_first_version_of_the_changelog_is_that_of_the_project() -> None:
    assert HEADINGS[0].partition(" - ")[0] == PROJECT["project"]["version"]


def test_the_changelog_goes_back_in_time_and_only_its_head_is_unreleased() -> None:
    found = [VERSION.fullmatch(heading) for heading in HEADINGS]
    assert None not in found
    numbers = [tuple(int(part) for part in one.groups()[:3]) for one in found if one]
    assert numbers == sorted(set(numbers), reverse=True)
    days = [one[4] for one in found if one]
    assert "Unreleased" not in days[1:]
    released = [date.fromisoformat(day) for day in days if day != "Unreleased"]
    assert released == sorted(released, reverse=True)


def test_every_line_of_the_changelog_stands_in_a_group() -> None:
    for section in CHANGELOG.split("\n## ")[1:]:
        head, *groups = section.split("\n### ")
        assert groups, head
        assert "\n- " not in head
        for group in groups:
            name, _, lines = group.partition("\n")
            assert name in GROUPS
            assert lines.strip().startswith("- ")


def test_the_licence_is_the_one_that_the_project_names() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert PROJECT["project"]["license-files"] == ["LICENSE"]
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_hosted_run_calls_the_local_one_and_pins_its_actions() -> None:
    run = _yaml(".github/workflows/ci.yml")
    assert run["permissions"] == {"contents": "read"}
    steps = run["jobs"]["run"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])


def test_the_hosted_run_begins_with_the_oldest_python_that_is_allowed() -> None:
    oldest = _yaml(".github/workflows/ci.yml")["jobs"]["run"]["strategy"]["matrix"]["python"][0]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"


def test_what_must_pass_is_the_checks_and_every_test_once_and_the_floor_of_coverage() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "make check coverage rest" in script
    assert _selection("coverage") == "$(MEASURED)"
    assert _selection("rest") == "not ($(MEASURED))"
    assert _selection("test") is None
    assert PROJECT["tool"]["coverage"]["run"]["branch"] is True
    assert PROJECT["tool"]["coverage"]["report"]["fail_under"] >= 92


def _selection(target: str) -> str | None:
    """Return which tests a target runs, by their marks; None for all."""
    (run,) = [line for line in _recipe(target) if " -m pytest " in line]
    found = re.search(r' -m "([^"]+)"', run)
    return found[1] if found else None


def _recipe(target: str) -> list[str]:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)
    assert found is not None
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_before_a_commit_run_checks_of_the_project_alone() -> None:
    """Each hook is a line of `make check`, with the same tools; ruff gets the changed files."""
    (repository,) = _yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    checks = [line.removesuffix(" .") for line in _recipe("check")]
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"] in checks


def test_what_is_generated_is_checked_by_the_same_commands() -> None:
    checks = _recipe("check")
    for line in _recipe("generate"):
        assert line.replace("--write", "--check") in checks


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_of_the_issue_tracker_is_whole(path: Path) -> None:
    form = yaml.safe_load(path.read_text("utf-8"))
    if path.stem == "config":
        assert form["blank_issues_enabled"] is False
        return
    assert form["name"]
    assert form["description"]
    questions = [one for one in form["body"] if one["type"] != "markdown"]
    assert len({one["id"] for one in questions}) == len(questions)
    assert any(one.get("validations", {}).get("required") for one in questions)
    assert all(one["attributes"]["label"] for one in questions)


@pytest.mark.parametrize("name", ["fault", "policy"])
def test_a_form_says_where_a_way_around_the_guard_is_reported(name: str) -> None:
    assert "SECURITY.md" in (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text("utf-8")


def test_the_owners_table_names_folders_that_exist() -> None:
    cells = first_cells((ROOT / "docs" / "releasing.md").read_text("utf-8"), "path")
    paths = [path for cell in cells for path in re.findall(r"`([^`]+)`", cell)]
    assert len(paths) > 6
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_first_command_for_a_contributor_is_the_quick_one() -> None:
    assert blocks((ROOT / "CONTRIBUTING.md").read_text("utf-8"), "console")[0] == "$ make quick\n"
