"""Pages of docs/ that are made from the code, so that they cannot fall behind it.

Each function returns the whole text of a page, also where only a table of it is made; a test holds
that the committed page is that text.
`python -m console.reference --write` makes them anew, `--check` names those that are stale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from console.reference.api import api_page, description_file
from console.reference.commands import commands_page
from console.reference.doctor import doctor_page
from console.reference.errors import errors_page
from console.reference.failpoints import failpoints_page
from console.reference.lint import lint_page
from console.reference.metrics import metrics_page
from console.reference.operators import operators_page, policies_page
from console.reference.settings import settings_page
from console.reference.tasks import tasks_page

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "api.md": api_page,
    "commands.md": commands_page,
    "doctor.md": doctor_page,
    "errors.md": errors_page,
    "failpoints.md": failpoints_page,
    "lint.md": lint_page,
    "metrics.md": metrics_page,
    "openapi.json": description_file,
    "operators.md": operators_page,
    "policies.md": policies_page,
    "settings.md": settings_page,
    "tasks.md": tasks_page,
}


def stale(folder: Path = DOCS) -> list[str]:
    """Return the names of the pages that are not what the code says."""
    return [name for name, made in PAGES.items() if _read(folder / name) != made()]


def write(folder: Path = DOCS) -> list[str]:
    """Write the stale pages anew and return their names."""
    names = stale(folder)
    for name in names:
        (folder / name).write_text(PAGES[name](), encoding="utf-8")
    return names


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
