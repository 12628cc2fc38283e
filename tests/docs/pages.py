"""Read the pages of `docs/` as tests need them: text, tables, code blocks, links."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def page(name: str) -> str:
    """The text of `docs/<name>`."""
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Every fenced block of one language, in order."""
    return [body for found, body in _BLOCK.findall(text) if found == language]


def links(text: str) -> list[str]:
    """Every link target, code blocks left out."""
    return _LINK.findall(_BLOCK.sub("", text))


def first_cells(text: str, header: str) -> list[str]:
    """The first column of the table whose first heading is `header`."""
    cells: list[str] = []
    inside = False
    for line in text.splitlines():
        columns = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif columns[0] == header:
            inside = True
        elif inside and not set(columns[0]) <= {"-", ":"}:
            cells.append(columns[0])
    return cells


def code_words(text: str) -> set[str]:
    """Everything that stands in backquotes."""
    return set(_CODE.findall(text))
