"""The recipes for continuous integration work as printed: their very commands are run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifModel

from console.commands.policy import VERBS
from console.main import cli
from console.output import OutputType
from console.policy.fmt import FORM_CODES
from console.reports import REPORT_FORMATS
from rules.syntax.complaint import CODES
from rules.syntax.shipped import shipped_folder
from rules.testing.report import TEST_CODES
from tests.docs.pages import blocks, page

TEXT = page("ci.md")
pytestmark = pytest.mark.slow


def _recipe(key: str) -> dict[str, Any]:
    (found,) = (one for one in map(yaml.safe_load, blocks(TEXT, "yaml")) if key in one)
    recipe: dict[str, Any] = found
    return recipe


def _commands(key: str) -> Iterator[str]:
    if key == "jobs":
        for step in _recipe("jobs")["jobs"]["policies"]["steps"]:
            if step.get("run", "").startswith("mailbox-guard "):
                yield step["run"]
    else:
        for hook in _recipe("repos")["repos"][0]["hooks"]:
            assert not hook["pass_filenames"]
            yield hook["entry"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the shipped policies, as a team would have it."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(shipped_folder(), root / "policies")
    assert _run("mailbox-guard policy fmt policies", root).returncode == 0
    author = ("-c", "user.name=Test", "-c", "user.email=test@contoso.com")
    for arguments in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "policies"]):
        subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
    return root


def _run(command: str, root: Path) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MAILBOX_GUARD_")}
    # The command of the environment in which the tests run, under its own name.
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    return subprocess.run(
        shlex.split(command), cwd=root, capture_output=True, text=True, env=environ, timeout=100
    )


@pytest.mark.parametrize("command", [*_commands("jobs"), *_commands("repos")])
def test_the_commands_of_the_recipes_pass_on_the_shipped_policies(
    repository: Path, command: str
) -> None:
    done = _run(command, repository)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_results_are_where_the_recipe_looks_for_them(repository: Path) -> None:
    for command in _commands("jobs"):
        _run(command, repository)
    for name in ("lint.sarif", "tests.sarif"):
        SarifModel.model_validate_json((repository / name).read_text("utf-8"))
    assert (repository / "tests.xml").read_text("utf-8").lstrip().startswith("<")


def test_a_policy_that_does_not_load_is_annotated_at_its_line(
    repository: Path, tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    shutil.copytree(repository, root)
    broken = root / "policies" / "own-address-only.yaml"
    lines = broken.read_text("utf-8").splitlines()
    line = lines.index("mode: enforce")
    lines[line] = "mode: enforced"
    broken.write_text("\n".join(lines) + "\n", "utf-8")
    done = _run(next(_commands("jobs")), root)
    assert done.returncode == 2
    start = (
        f"::error file=policies/own-address-only.yaml,line={line + 1},col=7,title=mode-unknown::"
    )
    assert done.stdout.startswith(start)


def test_the_table_of_formats_is_what_the_commands_offer() -> None:
    rows = [line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("| `")]
    table = {
        row[0].strip(" `"): [name for name, cell in zip(REPORT_FORMATS, row[1:], strict=True)
                            if cell.strip() == "yes"]
        for row in rows if len(row) == 1 + len(REPORT_FORMATS)
    }  # fmt: skip
    offered = {command: _formats(command) for command in table}
    assert table == offered
    judging = {f"policy {verb}" for verb in VERBS if len(_formats(f"policy {verb}")) > 2}
    assert judging <= set(table)


def _formats(command: str) -> list[str]:
    found: click.Command = cli
    for name in command.split():
        assert isinstance(found, click.Group)
        each = found.get_command(click.Context(found), name)
        assert each is not None, command
        found = each
    types = [one.type for one in found.params if isinstance(one.type, OutputType)]
    return list(types[0].formats) if types else []


def test_every_code_of_a_test_run_and_of_the_form_is_explained() -> None:
    told = set(re.findall(r"^\| `([a-z-]+)` \| (?:error|warning) \|", TEXT, re.MULTILINE))
    assert told == (set(TEST_CODES) | set(FORM_CODES)) - set(CODES)


def test_the_daily_commands_are_there(repository: Path) -> None:
    for block in blocks(TEXT, "console"):
        for line in block.splitlines():
            done = _run(line.removeprefix("$ "), repository)
            assert done.returncode in (0, 1), done.stderr
