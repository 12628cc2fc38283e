"""The canonical form of a policy file: keys in one order, comments and everything else kept.

Only whole lines move, together with the comments above them; values are never written anew. A text
whose meaning or comments would change in any way stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from rules.operators.table import OPERATORS
from rules.syntax.complaint import Complaint
from rules.syntax.folder import is_test
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode, read_nodes

Form: TypeAlias = "dict[str, Any]"
"""Keys in their order, each with the form of what it holds; `"*"` is any other key, None a leaf."""

_CONDITION: Final[Form] = {
    "field": None, "part": None, "timeZone": None, "caseSensitive": None,
    **dict.fromkeys(OPERATORS),
}  # fmt: skip
_CONDITION.update({"allOf": _CONDITION, "anyOf": _CONDITION, "not": _CONDITION})
_HEAD: Final[Form] = {"apiVersion": None, "kind": None, "name": None}
_RULE: Final[Form] = {
    "id": None, "effect": None, "severity": None,
    "release": {"approvers": {"list": None}, "entraRoles": None, "hours": None},
    "when": _CONDITION, "require": _CONDITION, "unless": _CONDITION, "message": None, "help": None,
}  # fmt: skip
_POLICY: Final[Form] = {
    **_HEAD, "title": None, "description": None, "severity": None, "category": None,
    "contact": None, "language": None, "mode": None, "onError": None, "params": None,
    "match": {"entity": None, "operations": None, "when": _CONDITION},
    "rules": _RULE,
}  # fmt: skip
_CHANGE: Final[Form] = dict.fromkeys(
    ("operation", "entity", "table", "record_id", "old", "new", "actor", "facts", "request",
     "missing")
)  # fmt: skip
_EXPECT: Final[Form] = dict.fromkeys(
    (
        "decision",
        "verdict",
        "cause",
        "rules",
        "held",
        "warned",
        "audited",
        "errors",
        "excepted",
        "message",
    )
)
FORMS: Final[dict[str, Form]] = {
    "Policy": _POLICY,
    "List": {**_HEAD, "title": None, "description": None, "contact": None, "caseless": None,
             "items": None},
    "Exception": {**_HEAD, "policy": None, "rules": None, "reason": None, "ticket": None,
                  "approvedBy": None, "expires": None, "when": _CONDITION},
    "Test": {"apiVersion": None, "kind": None, "title": None, "description": None, "now": None,
             "policies": None, "fixtures": {"*": _CHANGE},
             "cases": {"name": None, "use": None, "change": _CHANGE, "record": None, "now": None,
                       "policies": None, "set": None, "expect": _EXPECT}},
}  # fmt: skip
"""The order of keys in each kind of file that is formatted; a test holds it to the JSON Schemas."""


def format_text(path: str, text: str) -> str:
    """Return the text in its canonical form; as it is when it cannot be read or safely changed."""
    complaints: list[Complaint] = []
    root = read_nodes(path, text, complaints)
    if not isinstance(root, MapNode):
        return text
    kind = root.entries.get("kind")
    named = "Test" if is_test(path) else kind.text if isinstance(kind, ScalarNode) else ""
    form = FORMS.get(named)
    # Of a key that stands twice nobody knows which is meant: whoever mends it sees it where it is.
    ordered = text if form is None or complaints else _kept(path, text, _ordered(root, text, form))
    return _kept(path, ordered, _tidy(ordered))


def _kept(path: str, before: str, after: str) -> str:
    """Return the new text if it means the same and has the same comments, else the old one."""
    # Moving lines knows little of YAML; this check is what makes it safe.
    if after == before:
        return before
    old, new = read_nodes(path, before, []), read_nodes(path, after, [])
    same = old is not None and new is not None and repr(_plain(old)) == repr(_plain(new))
    return after if same and _comments(before) == _comments(after) else before


def _plain(node: Node) -> Any:
    """Return the value of a node, which does not depend on the order of its keys."""
    if isinstance(node, MapNode):
        return sorted((key, repr(_plain(value))) for key, value in node.entries.items())
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    return node.value()


def _comments(text: str) -> list[str]:
    return sorted(line.partition("#")[2].rstrip() for line in text.splitlines() if "#" in line)


def _tidy(text: str) -> str:
    """Return the text without blanks at line ends, double blank lines, or a missing last break."""
    lines: list[str] = []
    for line in text.splitlines():
        line = line.rstrip()
        if line or (lines and lines[-1]):
            lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines) + "\n" if lines else text


def _ordered(root: MapNode, text: str, form: Form) -> str:
    lines = text.split("\n")
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    rest = lines[end:]
    lines = lines[:end]
    _order(root, form, lines, root.line - 1, end)
    return "\n".join([*lines, *rest])


def _order(node: Node, form: Form, lines: list[str], begin: int, end: int) -> None:
    """Put the keys of a block mapping between two lines into order, what they hold first."""
    if not isinstance(node, MapNode) or not _is_block(node, lines, begin, end):
        return
    end = _without_outer(lines, begin, end, node.column - 1)
    marks = sorted(node.keys.items(), key=lambda item: item[1].line)
    marks = [(key, mark) for key, mark in marks if begin <= mark.line - 1 < end]
    column = node.column - 1
    starts = [begin]
    starts += [_with_comments(lines, mark.line - 1, column) for _, mark in marks[1:]]
    bounds = list(zip(starts, [*starts[1:], end], strict=True))
    for (key, mark), (_, stop) in zip(marks, bounds, strict=True):
        inner = form.get(key, form.get("*"))
        if inner is not None:
            _order_value(node.entries[key], inner, lines, mark.line, stop)
    ranks = {key: rank for rank, key in enumerate(form)}
    last = len(ranks)
    wanted = sorted(range(len(marks)), key=lambda n: (ranks.get(marks[n][0], last), n))
    if wanted == list(range(len(marks))):
        return
    # In a list, the dash stays at the top when another key moves there.
    dash = _take_dash(lines, begin, column)
    parts = [lines[start:stop] for start, stop in bounds]
    moved = [line for n in wanted for line in parts[n]]
    lines[begin:end] = moved
    if dash is not None:
        _put_dash(lines, begin, dash, column)


def _order_value(node: Node, form: Form, lines: list[str], begin: int, end: int) -> None:
    if isinstance(node, MapNode):
        if node.line - 1 >= begin:
            _order(node, form, lines, node.line - 1, end)
        return
    if not isinstance(node, ListNode):
        return
    items = [item for item in node.items if begin <= item.line - 1 < end]
    starts = [item.line - 1 for item in items]
    if not items or len(set(starts)) != len(starts):
        return
    stops = [
        _with_comments(lines, start, lines[start].find("-")) for start in starts[1:]
    ] + [end]  # fmt: skip
    for item, start, stop in zip(items, starts, stops, strict=True):
        _order(item, form, lines, start, stop)


def _is_block(node: MapNode, lines: list[str], begin: int, end: int) -> bool:
    """Tell whether every key has a line of its own, at the same column, and stands as written."""
    marks = list(node.keys.values())
    if len({mark.line for mark in marks}) != len(marks):
        return False
    for mark in marks:
        if mark.column != node.column or not begin <= mark.line - 1 < end:
            return False
        before = lines[mark.line - 1][: mark.column - 1]
        if before.strip() and not (mark.line - 1 == begin and before.strip() == "-"):
            return False
    return bool(marks) and not any(line[:1] == "\t" for line in lines[begin:end])


def _with_comments(lines: list[str], line: int, column: int) -> int:
    """Return where a key begins when the comments right above it are counted in."""
    while line > 0 and _is_comment(lines[line - 1], column):
        line -= 1
    return line


def _without_outer(lines: list[str], begin: int, end: int, column: int) -> int:
    """Return the end without blank lines and comments that stand further left than the keys."""
    while end > begin + 1:
        text = lines[end - 1].lstrip(" ")
        outer = text.startswith("#") and len(lines[end - 1]) - len(text) < column
        if text and not outer:
            break
        end -= 1
    return end


def _is_comment(line: str, column: int) -> bool:
    text = line.lstrip(" ")
    return text.startswith("#") and len(line) - len(text) == column


def _take_dash(lines: list[str], begin: int, column: int) -> int | None:
    """Blank the dash before the first key of a list item; return its place, None without one."""
    before = lines[begin][:column]
    if before.strip() != "-":
        return None
    lines[begin] = " " * column + lines[begin][column:]
    return before.index("-")


def _put_dash(lines: list[str], begin: int, dash: int, column: int) -> None:
    for at in _from(begin, lines):
        if lines[at].strip() and not _is_comment(lines[at], column):
            lines[at] = " " * dash + "-" + " " * (column - dash - 1) + lines[at][column:]
            return
        # A comment now stands above the item, no longer inside it.
        lines[at] = " " * dash + lines[at].strip() if lines[at].strip() else ""


def _from(begin: int, lines: list[str]) -> Iterator[int]:
    return iter(range(begin, len(lines)))
