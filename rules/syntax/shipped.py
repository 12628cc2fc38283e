"""Where the shipped policies lie: in the installed package, or beside it in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

CATALOGUE_FILE = "fields.yaml"


def shipped_folder() -> Path:
    """Return the root of the shipped policy folder."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "_shipped"
    return installed if installed.is_dir() else here.parent / "policies"


@cache
def shipped_catalogue() -> str:
    """Return the text of the shipped field catalogue."""
    return (shipped_folder() / CATALOGUE_FILE).read_text(encoding="utf-8")
