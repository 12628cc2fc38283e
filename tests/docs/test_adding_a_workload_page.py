"""docs/adding-a-workload.md names every member of the protocol, and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

from sync.engine.workload import Workload
from tests.docs.pages import first_cells, page

ROOT = Path(__file__).parents[2]
TEXT = page("adding-a-workload.md")


def test_every_member_of_the_protocol_is_explained_and_nothing_else() -> None:
    members = {name for name in vars(Workload) if not name.startswith("_")}

    assert {cell.strip("`") for cell in first_cells(TEXT, "member")} == members


def test_every_file_that_it_names_exists() -> None:
    named = re.findall(r"`((?:sync|tests)/[\w/.]+)`", TEXT)

    assert len(named) > 5
    assert [one for one in named if not (ROOT / one).exists()] == []
