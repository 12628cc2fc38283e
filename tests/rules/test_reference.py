"""The worked example of the policy format: its policies load and its eleven cases pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load.loader import load
from rules.testing.run import run_folder

_FOLDER = Path(__file__).parent / "reference"
_CASES = run_folder(_FOLDER).cases


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_a_case_of_the_reference_passes(case):
    assert case.differences == ()


def test_all_eleven_cases_were_run():
    assert len(_CASES) == 11


def test_the_same_policies_load_with_the_shipped_catalogue(tmp_path):
    for path in _FOLDER.rglob("*.yaml"):
        if path.name != "fields.yaml":
            target = tmp_path / path.relative_to(_FOLDER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text())

    assert len(load(tmp_path).policies) == 3
    assert [case.name for case in run_folder(tmp_path).failed] == []
