"""A Markdown table; cells may hold anything that stands in one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the lines of a table, ended by a line break."""
    lines = [heads, ["---"] * len(heads), *rows]
    return (
        "".join(_line(cells) for cells in lines).replace("| --- ", "|---").replace("--- |", "---|")
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
