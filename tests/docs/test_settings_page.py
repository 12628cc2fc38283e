"""docs/settings.md is what the declarations say, no more and no less."""

from __future__ import annotations

from pathlib import Path

from console.reference import settings_page
from kernel.settings import declarations

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == settings_page(), (
        "Run `python -m console.reference > docs/settings.md`."
    )


def test_every_setting_has_one_row_of_four_cells() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(declarations())
    assert all(row.count(" | ") == 3 and "|  |" not in row for row in rows)
