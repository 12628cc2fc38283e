"""Complaints as CI programs read them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from console.reports import github, junit, path_of, sarif
from rules.complaint import Complaint

ROOT = Path("policies")
WRONG = Complaint("a b.yaml", 4, 7, "mode-unknown", "`x` is 50% wrong.", "Use: a, b.")
DOUBTFUL = Complaint("c.yaml", 1, 1, "unused-list", "Nothing uses it.", level="warning")
ASIDE = Complaint("c.yaml", 2, 1, "regex-unbounded", "Two\nlines.", level="info")
ALL = (WRONG, DOUBTFUL, ASIDE)


def test_sarif_has_a_rule_a_level_and_a_region_for_each() -> None:
    log = json.loads(sarif(ALL, ROOT, docs={"mode-unknown": "The mode is not known."}))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [one["id"] for one in run["tool"]["driver"]["rules"]] == sorted(c.code for c in ALL)
    assert [one["level"] for one in run["results"]] == ["error", "warning", "note"]
    first = run["results"][0]
    assert first["message"]["text"] == "`x` is 50% wrong. Use: a, b."
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/a%20b.yaml"
    assert place["region"] == {"startLine": 4, "startColumn": 7}


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


def test_control_characters_do_not_break_the_xml() -> None:
    odd = Complaint("a.yaml", 1, 1, "yaml-syntax", "a\x00b\x1b[31m\ufffe")
    ElementTree.fromstring(junit((odd,), ROOT, suite="s").split("\n", 1)[1])  # noqa: S314


def test_paths_are_seen_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_of(WRONG, tmp_path / "policies") == "policies/a b.yaml"
    assert path_of(WRONG, tmp_path.parent / "policies") == f"{tmp_path.parent}/policies/a b.yaml"
