"""What a guarded table is to approvals is asked of the table, never of its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from guard.columns.owner import OWNER_TYPES
from guard.columns.table import TABLES, OwnerType

ROOT = Path(__file__).resolve().parents[2]
NAMES = {*TABLES, *OWNER_TYPES}
# `actor.kind` has words of its own, which are no tables: one of them is "user".
WORDS = NAMES | {one.value for one in OwnerType if one is not OwnerType.USER}


def sources() -> Iterator[Path]:
    columns = ROOT / "guard" / "columns"
    for path in sorted((ROOT / "guard").rglob("*.py")):
        if not path.is_relative_to(columns):
            yield path


def words_of(node: ast.expr) -> set[str]:
    """Return the texts that stand in an operand: itself, or the members of a display."""
    members = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return {
        member.value
        for member in members
        if isinstance(member, ast.Constant) and isinstance(member.value, str)
    }


def test_no_table_is_told_by_its_name() -> None:
    told = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                compared = set().union(*map(words_of, [node.left, *node.comparators]))
            elif isinstance(node, ast.Dict):
                # A mapping from names is a comparison too.
                compared = set().union(*(words_of(key) for key in node.keys if key is not None))
                compared -= {"team"} if path.name == "dataverse.py" else set()
            else:
                continue
            if compared & WORDS:
                told.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert told == []
