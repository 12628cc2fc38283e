"""One word for one thing: a class has one home, and neighbours can be told apart by name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("kernel", "rules", "cloud", "guard", "sync", "console")
# The stand-ins are named for what they stand in for, so they are a vocabulary of their own.
STAND_INS = ("sandbox",)
# Longest first, so that "workers" loses "ers" and not only "s".
ENDINGS = ("ings", "ers", "ors", "ing", "ion", "er", "or", "ed", "es", "e", "d", "s")
SHORTEST_ROOT = 4


def public_classes(packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield node.name, str(path.relative_to(ROOT))


def with_two_homes(classes: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    homes: dict[str, list[str]] = defaultdict(list)
    for name, home in classes:
        homes[name].append(home)
    return {name: found for name, found in homes.items() if len(found) > 1}


def root_of(name: str) -> str:
    for ending in ENDINGS:
        if name.endswith(ending) and len(name) - len(ending) >= SHORTEST_ROOT:
            return root_of(name.removesuffix(ending))
    return name


def lookalikes(names: list[str]) -> list[tuple[str, str]]:
    return [pair for pair in combinations(sorted(names), 2) if root_of(pair[0]) == root_of(pair[1])]


def modules_in(room: Path) -> list[str]:
    return [
        child.stem
        for child in room.iterdir()
        if (child.suffix == ".py" and child.stem != "__init__") or (child / "__init__.py").is_file()
    ]


@pytest.mark.parametrize("packages", [PRODUCT, STAND_INS], ids=["product", "stand-ins"])
def test_a_public_class_has_one_home(packages: tuple[str, ...]) -> None:
    assert with_two_homes(public_classes(packages)) == {}


def test_two_homes_are_found() -> None:
    classes = iter([("Case", "a.py"), ("Case", "b.py"), ("Rule", "a.py")])
    assert with_two_homes(classes) == {"Case": ["a.py", "b.py"]}


def test_neighbours_differ_by_more_than_an_ending() -> None:
    rooms = {
        path.parent
        for package in (*PRODUCT, *STAND_INS, "tests")
        for path in (ROOT / package).rglob("__init__.py")
    }
    found = {
        str(room.relative_to(ROOT)): pairs
        for room in sorted(rooms)
        if (pairs := lookalikes(modules_in(room)))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("simulate", "simulating"),
        ("compiled", "compiling"),
        ("operator", "operators"),
        ("standing", "standings"),
        ("work", "workers"),
        ("server", "serving"),
        ("test_trouble", "test_troubles"),
    ],
)
def test_an_ending_alone_is_found(one: str, other: str) -> None:
    assert lookalikes([one, other]) == [(one, other)]


@pytest.mark.parametrize(
    ("one", "other"), [("mail", "mailroom"), ("page", "patterns"), ("decide", "decision_of")]
)
def test_other_differences_are_no_matter(one: str, other: str) -> None:
    assert lookalikes([one, other]) == []
