"""What a `$filter` means to other hands: odata-query parses it, the OData standard evaluates it.

odata-query (PyPI) builds the tree by the grammar of the standard. Its own translations to SQL drop
collections and the quotes inside `contains`, so the tree is evaluated here, node by node, as OData
4.01 part 2 says in 5.1.1: a comparison with null is true or false, a function of null is null,
`not`, `and` and `or` know null, and only what is true lets a row through. Text compares without
case, as it does in Dataverse and in Entra.
"""

from __future__ import annotations

import contextlib
import io
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import singledispatchmethod
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

Row = Mapping[str, Any]
_ORDERS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains, "startswith": str.startswith, "endswith": str.endswith,
}  # fmt: skip


class JudgeRefused(ValueError):
    """The judge doesn't take the text for a `$filter`, or its operands don't fit each other."""


def tree(text: str) -> Any:
    """Return what odata-query reads. Raises JudgeRefused."""
    try:
        # Its parser tells of some errors on stderr too.
        with contextlib.redirect_stderr(io.StringIO()):
            return ODataParser().parse(ODataLexer().tokenize(text))
    except ODataException as error:
        raise JudgeRefused(str(error)) from error


def lets_through(text: str, row: Row) -> bool:
    """Whether the filter is true for a row. Raises JudgeRefused."""
    return _Meaning(row).of(tree(text)) is True


class _Meaning:
    """The value of a tree for one row; inside a lambda its variable is one name more."""

    def __init__(self, names: Row) -> None:
        self._names = names

    @singledispatchmethod
    def of(self, node: Any) -> Any:
        raise JudgeRefused(f"{type(node).__name__} stands where it means nothing.")

    @of.register
    def _(self, node: ast._Literal) -> Any:
        value = node.val.lower() if isinstance(node, ast.GUID) else node.py_val
        return value.casefold() if isinstance(value, str) else value

    @of.register
    def _(self, node: ast.Identifier) -> Any:
        return _plain(self._names[node.name])

    @of.register
    def _(self, node: ast.Attribute) -> Any:
        owner = self.of(node.owner)
        return None if owner is None else _plain(owner[node.attr])

    @of.register
    def _(self, node: ast.Compare) -> bool:
        left = self.of(node.left)
        if isinstance(node.comparator, ast.In):
            return any([_equal(left, self.of(one)) for one in node.right.val])
        right = self.of(node.right)
        if isinstance(node.comparator, ast.Eq | ast.NotEq):
            return _equal(left, right) is isinstance(node.comparator, ast.Eq)
        if left is None or right is None:
            return False
        _fit(left, right)
        return _ORDERS[type(node.comparator)](left, right)

    @of.register
    def _(self, node: ast.BoolOp) -> bool | None:
        answers = (self.of(node.left), self.of(node.right))
        decisive = isinstance(node.op, ast.Or)
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive

    @of.register
    def _(self, node: ast.UnaryOp) -> Any:
        value = self.of(node.operand)
        if isinstance(node.op, ast.USub):
            return -value
        if not isinstance(value, bool | None):
            raise JudgeRefused("`not` of something that is neither true nor false.")
        return None if value is None else not value

    @of.register
    def _(self, node: ast.Call) -> bool | None:
        text, part = (self.of(one) for one in node.args)
        if text is None or part is None:
            return None
        return _FUNCTIONS[node.func.name.lower()](text, part)

    @of.register
    def _(self, node: ast.CollectionLambda) -> bool:
        elements = self.of(node.owner)
        if node.lambda_ is None:
            return bool(elements)
        name, body = node.lambda_.identifier.name, node.lambda_.expression
        answers = [_Meaning({**self._names, name: one}).of(body) is True for one in elements]
        return any(answers) if isinstance(node.operator, ast.Any) else all(answers)


def _plain(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _equal(left: Any, right: Any) -> bool:
    if left is not None and right is not None:
        _fit(left, right)
    return bool(left == right)


def _fit(left: Any, right: Any) -> None:
    kinds = {float if type(value) is int else type(value) for value in (left, right)}
    if len(kinds) > 1 or not kinds <= {float, str, bool, datetime}:
        raise JudgeRefused(f"{left!r} and {right!r} don't compare.")
