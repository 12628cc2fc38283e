"""Whoever registers the steps by hand registers the columns that the guard goes by."""

from __future__ import annotations

import json

import pytest

from guard.columns.table import TABLES
from guard.registration.role import PRIVILEGES
from sandbox import registration
from tests.docs.pages import blocks, page

TEXT = page("dataverse-setup.md")


def _columns(table: str) -> list[str]:
    rows = [line.split("|") for line in TEXT.splitlines() if line.startswith(f"| {table} |")]
    return rows[0][2].strip().strip("`").split(",")


@pytest.mark.parametrize("table", sorted(TABLES))
def test_the_filter_of_a_step_names_exactly_the_guarded_columns(table: str) -> None:
    assert sorted(_columns(table)) == sorted(TABLES[table].columns)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_an_image_carries_besides_exactly_what_policies_may_ask_for(table: str) -> None:
    assert sorted(_columns(f"{table} image")) == sorted(TABLES[table].context)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_the_sample_registration_registers_what_the_page_says(table: str) -> None:
    assert list(registration.GUARDED[table]) == list(TABLES[table].columns)
    assert list(registration.CARRIED[table]) == list(TABLES[table].context)


def test_the_least_role_stands_there_privilege_by_privilege() -> None:
    rows = [f"| `{one.name}` | {one.occasion.value} | {one.why} |" for one in PRIVILEGES]
    assert [line for line in TEXT.splitlines() if line.startswith("| `prv")] == rows
    assert len({one.name for one in PRIVILEGES}) == len(PRIVILEGES)


def test_every_request_body_is_json() -> None:
    bodies = [block[block.index("{") :] for block in blocks(TEXT, "http") if "{" in block]
    assert len(bodies) == 3
    for body in bodies:
        assert isinstance(json.loads(body), dict)
