"""The pages hang together: links lead somewhere, decision records keep their form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks, links

PAGES = sorted(DOCS.rglob("*.md"))
RECORDS = sorted((DOCS / "decisions").glob("*.md"))
PARTS = ("**Context.**", "**Decision.**", "**Consequences.**", "**Alternatives.**")


def _name(path: Path) -> str:
    return str(path.relative_to(DOCS))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    here = [link.partition("#")[0] for link in links(path.read_text(encoding="utf-8"))]
    inside = [link for link in here if link and "://" not in link]
    assert [link for link in inside if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", RECORDS, ids=_name)
def test_a_decision_record_is_short_and_has_its_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    assert [part for part in (*PARTS, "**Where to see it.**") if part not in text] == []


def test_decision_records_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in RECORDS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_architecture_has_one_picture() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert len(blocks(text, "mermaid")) == 1
