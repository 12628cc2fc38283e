"""The query language of both services: $filter becomes a predicate, Prefer becomes a mapping."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Resolve = Callable[[str], Any]
Predicate = Callable[[Resolve], bool]
Operand = Callable[[Resolve], Any]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*')
    | (?P<guid>[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})
    | (?P<date>\d{4}-\d{2}-\d{2}
        (?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,12})?)?(?:Z|[+-]\d{2}:\d{2})?)?)
    | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_@][\w@.]*(?:/[A-Za-z_][\w.]*)*)
    | (?P<mark>[(),:])
    )""",
    re.VERBOSE,
)


_COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
# `not` isn't among them: the pages of Microsoft Graph write `not(` too.
_OPERATORS = frozenset({*_COMPARISONS, "in", "and", "or"})
_WORDS = _OPERATORS | {"not"}


class QueryRefused(ValueError):
    """The query cannot be understood; the text says where."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    is_glued: bool  # No blank stands before it.


def _lacks_a_blank(before: _Token, token: _Token) -> bool:
    """Whether two tokens stand together that the standard keeps apart: `eq'x'`, `)and`, `or(`."""
    if not token.is_glued:
        return False
    if token.kind != "mark":
        return before.kind != "mark" or before.text == ")"
    return token.text == "(" and before.text.lower() in _OPERATORS


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at:].isspace():
            break
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise QueryRefused(f"Syntax error at position {at} in '{text}'.")
        start = match.start(match.lastgroup)
        token = _Token(match.lastgroup, match.group(match.lastgroup), is_glued=start == at)
        if found and _lacks_a_blank(found[-1], token):
            raise QueryRefused(f"A blank is missing at position {at} in '{text}'.")
        found.append(token)
        at = match.end()
    return found


def moment(text: str) -> datetime:
    """Return the aware moment that an ISO text names; a date alone is its midnight in UTC.

    Raises QueryRefused for any other text.
    """
    try:
        value = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise QueryRefused(f"'{text}' is not a date.") from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Bring both sides to kinds that compare: text without case, moments as moments."""
    if isinstance(left, datetime) and isinstance(right, str):
        right = moment(right)
    if isinstance(right, datetime) and isinstance(left, str):
        left = moment(left)
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold(), right.casefold()
    return left, right


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)


def compare(operator: str, left: Any, right: Any) -> bool:
    """Answer one comparison; null equals only null and is never in an order.

    Raises QueryRefused for values of two kinds, such as a text and a number.
    """
    left, right = _comparable(left, right)
    if left is not None and right is not None and _kind(left) is not _kind(right):
        raise QueryRefused(f"The operands of '{operator}' are of incompatible types.")
    if operator == "eq":
        return bool(left == right)
    if operator == "ne":
        return bool(left != right)
    if left is None or right is None:
        return False
    try:
        return {
            "gt": lambda: bool(left > right),
            "ge": lambda: bool(left >= right),
            "lt": lambda: bool(left < right),
            "le": lambda: bool(left <= right),
        }[operator]()
    except TypeError as error:
        raise QueryRefused(f"The operands of '{operator}' are of incompatible types.") from error


_TEXT_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def whole(self) -> Predicate:
        predicate = self._either()
        if self._peek() is not None:
            raise QueryRefused(f"Syntax error near '{self._tokens[self._at].text}'.")
        return predicate

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, text: str | None = None) -> _Token:
        token = self._peek()
        if token is None or (text is not None and token.text.lower() != text):
            raise QueryRefused(f"Expected '{text or 'a value'}' in '{self._text}'.")
        self._at += 1
        return token

    def _next_is(self, word: str) -> bool:
        token = self._peek()
        return token is not None and token.kind != "string" and token.text.lower() == word

    # Every part is asked, even when one decides: operands of kinds that don't fit each other are
    # refused wherever they stand, as the services do from the types of the columns.

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._next_is("or"):
            self._take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda get: any([part(get) for part in parts])

    def _both(self) -> Predicate:
        parts = [self._single()]
        while self._next_is("and"):
            self._take()
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else lambda get: all([part(get) for part in parts])

    def _single(self) -> Predicate:
        if self._next_is("not"):
            self._take()
            inner = self._negated()
            return lambda get: not inner(get)
        if self._next_is("("):
            self._take()
            group = self._either()
            self._take(")")
            return group
        token = self._take()
        if token.kind == "name" and self._next_is("(") and self._tokens[self._at].is_glued:
            head, _, last = token.text.rpartition("/")
            if last.lower() in ("any", "all") and head:
                return self._lambda(head, last.lower())
            if token.text.lower() in _TEXT_FUNCTIONS:
                return self._text_function(token.text.lower())
            raise QueryRefused(f"The function '{token.text}' is not supported.")
        return self._comparison(self._operand(token))

    def _negated(self) -> Predicate:
        """Read what stands after `not`, which binds closer than a comparison does."""
        if not (self._next_is("not") or self._next_is("(") or self._calls()):
            raise QueryRefused("A comparison after 'not' stands in parentheses.")
        return self._single()

    def _calls(self) -> bool:
        ahead = self._tokens[self._at : self._at + 2]
        return len(ahead) == 2 and ahead[0].kind == "name" and ahead[1].text == "("

    def _comparison(self, left: Operand) -> Predicate:
        operator = self._take().text.lower()
        if operator == "in":
            self._take("(")
            values = [self._operand(self._take())]
            while self._next_is(","):
                self._take()
                values.append(self._operand(self._take()))
            self._take(")")
            return lambda get: any([compare("eq", left(get), value(get)) for value in values])
        if operator not in _COMPARISONS:
            raise QueryRefused(f"The operator '{operator}' is not supported.")
        right = self._operand(self._take())
        return lambda get: compare(operator, left(get), right(get))

    def _text_function(self, name: str) -> Predicate:
        self._take("(")
        left = self._operand(self._take())
        self._take(",")
        right = self._operand(self._take())
        self._take(")")
        test = _TEXT_FUNCTIONS[name]

        def holds(get: Resolve) -> bool:
            text, part = left(get), right(get)
            if not isinstance(text, str) or not isinstance(part, str):
                return False
            return test(text.casefold(), part.casefold())

        return holds

    def _lambda(self, path: str, quantifier: str) -> Predicate:
        self._take("(")
        if self._next_is(")"):
            self._take()
            return lambda get: bool(get(path))
        variable = self._take().text
        if not variable.isidentifier() or variable.lower() in _WORDS:
            raise QueryRefused(f"'{variable}' is no name for an element of '{path}'.")
        self._take(":")
        body = self._either()
        self._take(")")

        def holds(get: Resolve) -> bool:
            elements = get(path) or ()
            answers = [body(_bound(variable, element, get)) for element in elements]
            return any(answers) if quantifier == "any" else all(answers)

        return holds

    def _operand(self, token: _Token) -> Operand:
        value = _literal(token)
        if value is not _NOT_LITERAL:
            return lambda get: value
        if token.kind != "name" or token.text.lower() in _WORDS:
            raise QueryRefused(f"Syntax error near '{token.text}'.")
        path = token.text
        return lambda get: get(path)


_NOT_LITERAL = object()


def _literal(token: _Token) -> Any:
    if token.kind == "string":
        return token.text[1:-1].replace("''", "'")
    if token.kind == "guid":
        return token.text.lower()
    if token.kind == "date":
        return moment(token.text)
    if token.kind == "number":
        return int(token.text) if token.text.lstrip("+-").isdigit() else float(token.text)
    words = {"true": True, "false": False, "null": None}
    return words.get(token.text.lower(), _NOT_LITERAL) if token.kind == "name" else _NOT_LITERAL


def _bound(variable: str, element: Any, outer: Resolve) -> Resolve:
    def get(path: str) -> Any:
        if path == variable:
            return element
        head, _, rest = path.partition("/")
        if head != variable:
            return outer(path)
        value = element
        for part in rest.split("/"):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    return get


def parse_filter(text: str) -> Predicate:
    """Return the predicate that a $filter states. Raises QueryRefused."""
    return _Parser(text).whole()


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside parentheses and quotes; blanks are trimmed."""
    parts, depth, quoted, current = [], 0, False, ""
    for letter in text:
        if letter == "'":
            quoted = not quoted
        if not quoted:
            depth += (letter == "(") - (letter == ")")
            if letter == separator and depth == 0:
                parts.append(current.strip())
                current = ""
                continue
        current += letter
    parts.append(current.strip())
    return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class Expansion:
    """One navigation of $expand, with the options in its parentheses."""

    name: str
    options: Mapping[str, str]


def parse_expand(text: str) -> list[Expansion]:
    """Return the navigations of an $expand."""
    found = []
    for part in split_outside(text, ","):
        name, _, inside = part.partition("(")
        options = {}
        if inside:
            for option in split_outside(inside.rstrip()[:-1], ";"):
                key, _, value = option.partition("=")
                options[key.strip().lower()] = value.strip()
        found.append(Expansion(name.strip(), options))
    return found


def parse_prefer(values: list[str]) -> dict[str, str]:
    """Return the preferences of all Prefer headers, names in lower case; a bare one maps to ''."""
    preferences: dict[str, str] = {}
    for value in values:
        for part in re.findall(r'[^,;"]+(?:"[^"]*")?', value):
            name, _, setting = part.partition("=")
            if name.strip():
                preferences[name.strip().lower()] = setting.strip().strip('"')
    return preferences


def sort_key(value: Any) -> tuple[int, Any]:
    """Return a key by which mixed columns sort: null first, text without case."""
    if value is None:
        return (0, 0)
    if isinstance(value, str):
        return (2, value.casefold())
    if isinstance(value, datetime):
        return (1, value.timestamp())
    return (1, value)
