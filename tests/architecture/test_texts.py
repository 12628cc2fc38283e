"""No condition reads what a text says: a program decides by fields, and a text may be reworded.

A text is what is named like one: an attribute, name or column called reason, hint, trouble …, the
message of an error, the result of a task, or the `str()` of an error. It may be shown, passed on,
and compared with None, with emptiness or with another text (is it still the same?). Looking into
it, or comparing it with words, is forbidden.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_house import ROOT

PACKAGES = ("kernel", "guard", "sync", "cloud", "rules", "console")
TEXTS = frozenset({"reason", "reasons", "hint", "detail", "trouble", "words", "unanswered"})
# Of these an attribute is a text, a name alone is not: a message of Graph, the result of a rule.
OF_OBJECTS = {
    "message": frozenset({"error", "refusal", "second", "one", "finding"}),
    "result": frozenset({"task", "c"}),
}
ERRORS = frozenset({"error", "reason", "refusal", "exception", "exc"})
LOOKING_INTO = frozenset(
    {"startswith", "endswith", "find", "index", "partition", "split", "like", "ilike", "contains"}
    | {"match", "search", "fullmatch", "removeprefix", "removesuffix"}
)
# Where a text by its name is none, or is looked into to be shown, each with its reason.
APART = {
    "rules/syntax/nodes.py": "The first line of the YAML library's own message is shown.",
}


def is_text(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=of) | ast.Attribute(attr=of), attr=name):
            return name in TEXTS or of in OF_OBJECTS.get(name, ())
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in TEXTS
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]):
            return name in ERRORS
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="missing"), attr="get")):
            return True
        case ast.Subscript(value=ast.Attribute(attr="missing")):
            return True
        case ast.Call(func=ast.Attribute(value=value)) | ast.Subscript(value=value):
            return is_text(value)
    return False


def are_words(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str(said)):
            return bool(said)
        case ast.Name(id=name):
            return name.isupper()
        case ast.Tuple(elts=items) | ast.Set(elts=items) | ast.List(elts=items):
            return any(map(are_words, items))
        case ast.JoinedStr():
            return True
    return False


def readings(tree: ast.AST) -> Iterator[int]:
    """Yield the lines on which a program looks at what a text says."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in LOOKING_INTO:
                if is_text(value) or (name in LOOKING_INTO and any(map(is_text, node.args))):
                    yield node.lineno
            case ast.Compare():
                sides = [node.left, *node.comparators]
                if any(map(is_text, sides)) and any(map(are_words, sides)):
                    yield node.lineno
            case ast.Match(subject=subject) if is_text(subject):
                yield node.lineno


def found_in(path: Path) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    return [f"{name}:{line}" for line in readings(ast.parse(path.read_text("utf-8")))]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_condition_reads_what_a_text_says(package: str) -> None:
    found = [line for path in sorted((ROOT / package).rglob("*.py")) for line in found_in(path)]
    assert [line for line in found if line.rpartition(":")[0] not in APART] == []


def test_what_is_set_apart_is_still_there() -> None:
    assert [name for name in APART if not found_in(ROOT / name)] == []


@pytest.mark.parametrize(
    "forbidden",
    [
        'if one.reason.endswith("anew."): ...',
        'code = "long" if "longer" in str(error) else "odd"',
        'tasks.c.result.like("%gone")',
        "if trouble.startswith(ASKED): ...",
        "if str(reason) == MASKED: ...",
        're.match("brake", error.message)',
        'if task.result in ("gone", "done"): ...',
        'if reason[:5] == "brake": ...',
        "if found.missing.get(path) == NO_SUCH_USER: ...",
    ],
)
def test_the_check_sees_what_is_forbidden(forbidden: str) -> None:
    assert list(readings(ast.parse(forbidden)))


@pytest.mark.parametrize(
    "allowed",
    [
        "if reason is not None: ...",
        'if reason == "": ...',
        "if (known.state, known.reason) == state: ...",
        "raise Refused(error.message)",
        'if one.cause == "drift": ...',
    ],
)
def test_and_nothing_else(allowed: str) -> None:
    assert not list(readings(ast.parse(allowed)))
