"""Whoever registers the steps by hand registers the columns that the guard goes by."""

from __future__ import annotations

import json

import pytest

from guard.columns.table import TABLES
from tests.docs.pages import blocks, page

TEXT = page("dataverse-setup.md")


def _columns(table: str) -> list[str]:
    rows = [line.split("|") for line in TEXT.splitlines() if line.startswith(f"| {table} |")]
    return rows[0][2].strip().strip("`").split(",")


@pytest.mark.parametrize("table", sorted(TABLES))
def test_the_filter_of_a_step_names_exactly_the_guarded_columns(table: str) -> None:
    assert sorted(_columns(table)) == sorted(TABLES[table].columns)


def test_every_request_body_is_json() -> None:
    bodies = [block[block.index("{") :] for block in blocks(TEXT, "http") if "{" in block]
    assert len(bodies) == 4
    for body in bodies:
        assert isinstance(json.loads(body), dict)
