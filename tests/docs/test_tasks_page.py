"""docs/tasks.md names every kind of task that a room adds, and every state."""

from __future__ import annotations

from console.reference.rooms import modules
from console.reference.tasks import MEANINGS
from guard.obligations.table import OBLIGATIONS
from kernel.tasks import TaskCause, TaskState
from sync.registry import KINDS
from tests.docs.pages import first_cells, page

TEXT = page("tasks.md")


def _kinds() -> set[str]:
    """The kinds in lists named KINDS of task-adding rooms, and the guard's obligations."""
    found = {*KINDS, *(one.kind for one in OBLIGATIONS)}
    for module in modules():
        if module.__name__.startswith(("guard.", "sync.")):
            found |= set(getattr(module, "KINDS", ()))
    return found


def test_every_kind_is_listed_and_nothing_else() -> None:
    assert {cell.strip("`") for cell in first_cells(TEXT, "kind")} == _kinds() == set(MEANINGS)


def test_every_state_is_listed() -> None:
    assert {cell.strip("`") for cell in first_cells(TEXT, "state")} == set(TaskState)


def test_every_cause_is_listed() -> None:
    assert {cell.strip("`") for cell in first_cells(TEXT, "cause")} == set(TaskCause)
