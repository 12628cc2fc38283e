"""The generated pages are what the code says, no more and no less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.reference import PAGES, stale, write
from tests.docs.pages import DOCS, page

ROOT = DOCS.parent


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_committed_page_is_current(name: str) -> None:
    assert page(name) == PAGES[name](), "Run `python -m console.reference --write`."


def test_an_altered_page_is_stale_until_it_is_written_anew(tmp_path: Path) -> None:
    assert stale(tmp_path) == sorted(PAGES)
    assert write(tmp_path) == sorted(PAGES)
    (tmp_path / "metrics.md").write_text("# Metrics\n")
    assert stale(tmp_path) == ["metrics.md"]
    assert write(tmp_path) == ["metrics.md"]
    assert stale(tmp_path) == []


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_row_has_as_many_cells_as_its_head(name: str) -> None:
    cells = 0
    for line in PAGES[name]().splitlines():
        if not line.startswith("|"):
            cells = 0
            continue
        found = line.replace("\\|", "").count("|")
        assert found == (cells or found), line
        cells = found


@pytest.mark.slow
def test_the_check_names_what_to_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console.reference"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--write" in done.stderr
