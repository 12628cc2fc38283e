"""docs/operations.md: every brake with what it counts, of what, and whose word releases it."""

from __future__ import annotations

from console.reference.rooms import modules
from kernel.brake import BRAKES
from tests.docs.pages import DOCS


def rows() -> dict[str, list[str]]:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    section = page.split("## The brakes", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


def test_every_brake_stands_in_the_table_with_what_it_counts_and_who_releases_it() -> None:
    for _ in modules():
        pass
    declared = {name: one for name, one in BRAKES.items() if not name.startswith("tests.")}
    found = rows()
    assert list(found) == sorted(declared)
    for name, one in declared.items():
        counts, total, _, release = found[name]
        assert counts.startswith(one.counts), name
        assert total == one.total, name
        assert release.strip("`") == one.release.value, name
