"""docs/errors.md lists every code; a code means one thing."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from console.reference.errors import error_classes
from console.reference.rooms import ROOMS, is_ours, modules
from kernel import tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn, GuardError
from kernel.tasks import Task, TaskState
from kernel.workers import CLAIM, Done, Workers
from rules.syntax.complaint import CODES
from tests.docs.pages import DOCS, first_cells, page

CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def _all_classes() -> list[type[GuardError]]:
    for _ in modules():
        pass
    found, waiting = [], list(GuardError.__subclasses__())
    while waiting:
        each = waiting.pop()
        waiting += each.__subclasses__()
        if is_ours(each.__module__):
            found.append(each)
    return found


def test_every_code_stands_in_the_page_once() -> None:
    listed = [cell.strip("`") for cell in first_cells(page("errors.md"), "code")]
    assert sorted(listed) == sorted({each.code for each in _all_classes()} | set(CODES))


def test_two_unrelated_errors_never_share_a_code() -> None:
    """Only a class and one derived from it may, where both are the same situation to a person."""
    holders: dict[str, set[type[GuardError]]] = defaultdict(set)
    for each in _all_classes():
        holders[each.code].add(each)
    shared = {
        code: classes
        for code, classes in holders.items()
        if not any(all(issubclass(one, first) for one in classes) for first in classes)
    }
    assert shared == {}


def test_an_error_has_a_code_of_its_own() -> None:
    """A class that inherits its code says nothing new: a more exact code is what it is for."""
    silent = [
        each.__name__
        for each in _all_classes()
        if "code" not in vars(each) and not each.__name__.startswith("_")
    ]
    assert silent == []


def test_every_error_is_raised_or_told_from_another() -> None:
    """A code that nothing raises is a promise to people that nobody keeps."""
    used: set[str] = set()
    for room in ROOMS:
        for path in (DOCS.parent / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Name | ast.Attribute):
                    used.add(node.id if isinstance(node, ast.Name) else node.attr)
    assert [each.__name__ for each in _all_classes() if each.__name__ not in used] == []


def test_codes_are_small_words_joined_by_hyphens() -> None:
    codes = [each.code for each in error_classes()] + list(CODES)
    assert [code for code in codes if not CODE.fullmatch(code)] == []


def test_an_error_answers_every_surface() -> None:
    for each in error_classes():
        assert 400 <= each.http_status < 600, each
        assert each.exit_code in (1, 2, 3), each
        assert (each.__doc__ or "").strip(), each


def test_every_complaint_of_the_loader_has_a_listed_code() -> None:
    """Wherever the rules complain, the code is one of those that the page explains."""
    used = set()
    for path in (DOCS.parent / "rules").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                used |= {one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant)}
    assert {one for one in used if isinstance(one, str) and one} <= set(CODES)


async def test_try_again_is_what_workers_do(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    """The column of the page beside what becomes of a task whose handler raises the error."""
    database, classes = open_database(), {each.code: each for each in error_classes()}

    async def raising(task: Task) -> Done:
        raise _made(classes[task.key], until=clock.now())

    def fill(connection: Connection) -> None:
        for code in classes:
            tasks.add(connection, kind="odd", key=code, payload={}, owner="d", now=clock.now())

    database.write_now(fill, failpoint=CLAIM)
    await Workers(database, clock, {"odd": raising}).run_due(limit=len(classes))
    found = database.read_now(lambda c: tasks.list_for(c, "d"))
    said = {code: again for code, again in _try_again()}
    assert said.keys() == classes.keys()
    for task in found:
        is_queued = task.state is TaskState.QUEUED
        assert said[task.key] == ("yes" if is_queued else "no"), task
        if not is_queued:
            # A mailbox that was withdrawn needs nobody: the next approval brings its own tasks.
            is_withdrawn = issubclass(classes[task.key], ApprovalWithdrawn)
            ended = TaskState.FAILED if is_withdrawn else TaskState.NEEDS_PERSON
            assert (task.state, task.error_code) == (ended, task.key), task


def _made(each: type[GuardError], *, until: datetime) -> GuardError:
    takes_until = "until" in inspect.signature(each.__init__).parameters
    return each("Said.", until=until) if takes_until else each("Said.")


def _try_again() -> Iterator[tuple[str, str]]:
    for line in page("errors.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            yield cells[0].strip("`"), cells[3]
