"""Complaints as CI programs read them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifModel

from console.reports import github, junit, path_of, sarif
from rules.syntax.complaint import Complaint

ROOT = Path("policies")
WRONG = Complaint("a b.yaml", 4, 7, "mode-unknown", "`x` is 50% wrong.", "Use: a, b.")
DOUBTFUL = Complaint("c.yaml", 1, 1, "unused-list", "Nothing uses it.", level="warning")
ASIDE = Complaint("c.yaml", 2, 1, "regex-unbounded", "Two\nlines.", level="info")
ALL = (WRONG, DOUBTFUL, ASIDE)


def test_sarif_has_a_rule_a_level_and_a_region_for_each() -> None:
    docs = {"mode-unknown": "The mode is not known."}
    text = sarif(ALL, ROOT, suite="policy lint", docs=docs)
    SarifModel.model_validate_json(text)
    log = json.loads(text)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [one["id"] for one in run["tool"]["driver"]["rules"]] == sorted(c.code for c in ALL)
    assert [one["level"] for one in run["results"]] == ["error", "warning", "note"]
    first = run["results"][0]
    assert first["message"]["text"] == "`x` is 50% wrong. Use: a, b."
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/a%20b.yaml"
    assert place["region"] == {"startLine": 4, "startColumn": 7}
    assert run["automationDetails"] == {"id": "policy lint/"}
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])


def test_sarif_of_nothing_is_a_run_without_results() -> None:
    log = sarif((), ROOT, suite="policy lint", docs={})
    SarifModel.model_validate_json(log)
    assert json.loads(log)["runs"][0]["results"] == []


def test_the_judge_of_sarif_refuses_what_is_none() -> None:
    """It is made from the standard's own schema; without this it could wave everything through."""
    log = json.loads(sarif(ALL, ROOT, suite="s", docs={}))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(ValueError, match="startLine"):
        SarifModel.model_validate(log)


def test_a_file_outside_of_the_working_directory_is_named_whole(tmp_path: Path) -> None:
    log = sarif((WRONG,), tmp_path.parent, suite="s", docs={})
    SarifModel.model_validate_json(log)
    (result,) = json.loads(log)["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (tmp_path.parent / "a b.yaml").as_uri()


def test_junit_fails_a_file_for_its_errors_and_tells_the_rest_aside() -> None:
    suite = ElementTree.fromstring(junit(ALL, ROOT, suite="policy lint").split("\n", 1)[1])[0]  # noqa: S314
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    whole, first, second = suite
    assert (whole.get("name"), len(whole)) == ("policies", 0)
    assert first[0].tag == "failure"
    assert [child.tag for child in second] == ["system-out", "system-out"]


def test_junit_of_nothing_is_one_passing_case() -> None:
    suite = ElementTree.fromstring(junit((), ROOT, suite="s").split("\n", 1)[1])[0]  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), len(suite)) == ("1", "0", 1)


def test_annotations_escape_what_would_end_them() -> None:
    first, second, third = github(ALL, ROOT).splitlines()
    assert first == (
        "::error file=policies/a b.yaml,line=4,col=7,title=mode-unknown::"
        "`x` is 50%25 wrong. Use: a, b."
    )
    assert second.startswith("::warning file=policies/c.yaml,line=1")
    assert third.endswith("::Two%0Alines.")
    odd = Complaint("a:b,c%.yaml", 1, 1, "form", "100%,\r\n: x")
    assert github((odd,), ROOT) == (
        "::error file=policies/a%3Ab%2Cc%25.yaml,line=1,col=1,title=form::100%25,%0D%0A: x"
    )


def test_control_characters_do_not_break_the_xml() -> None:
    odd = Complaint("a.yaml", 1, 1, "yaml-syntax", "a\x00b\x1b[31m\ufffe")
    ElementTree.fromstring(junit((odd,), ROOT, suite="s").split("\n", 1)[1])  # noqa: S314


def test_paths_are_seen_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_of(WRONG.file, tmp_path / "policies") == "policies/a b.yaml"
    assert (
        path_of(WRONG.file, tmp_path.parent / "policies") == f"{tmp_path.parent}/policies/a b.yaml"
    )
