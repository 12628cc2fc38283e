"""docs/settings.md has a row for every setting."""

from __future__ import annotations

from console.reference import settings_page
from kernel.settings import declarations


def test_every_setting_has_one_row_of_four_cells() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(declarations())
    assert all(row.count(" | ") == 3 and "|  |" not in row for row in rows)
