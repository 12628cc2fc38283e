"""What is wrong with a file that the YAML parser refuses, in the words of whoever wrote it.

The parser speaks of tokens, scalars and contexts. Nearly all that people get wrong is a text that
wants quotes, a bracket left open, or a line that stands at the wrong depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import yaml

_DEPTH: Final = "Look at the spaces before this line and the lines above it."
_QUOTE: Final = "Put the whole text in quotes."
_SIGNS: Final = {"`": "a backtick"}
_CLOSED_BY: Final = {"{": "}", "[": "]"}
# What the parser says, where its words alone tell what the author did.
_SAID: Final = {
    "did not find expected '-' indicator": (
        "this line stands in a list, and neither begins with `- ` nor continues what does", _DEPTH,
    ),
    "did not find expected key": (
        "this line stands neither beside the keys before it nor below one of them", _DEPTH,
    ),
    "block sequence entries are not allowed in this context": (
        "a list begins behind a key", "Begin it with `- ` on the next line.",
    ),
    "mapping keys are not allowed in this context": ("a text begins with `?`", _QUOTE),
    "did not find expected comment or line break": (
        "behind `|` or `>` the text begins in the next line", _QUOTE,
    ),
    "did not find expected <document start>": (
        "a second document begins here", "A file holds one document.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Break:
    """Where a file stops being YAML, counted from one, why, and how it is mended."""

    line: int
    column: int
    text: str
    hint: str


def break_of(text: str, error: yaml.YAMLError) -> Break:
    """Return what a person reads of an error that the parser raised about a text."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return _unreadable(text, error)
    problem, mark = error.problem or "", error.problem_mark or error.context_mark
    if mark is None:
        return Break(1, 1, f"This is not YAML: {problem}.", _DEPTH)
    line, begin = _line_of(text, mark.line), error.context_mark
    if line[mark.column :].startswith("\t"):
        return _break(mark, "a tab stands where YAML takes spaces only", "Use spaces.")
    if begin is not None and "escape" in problem:
        at = line.rfind("\\", 0, mark.column + 1)
        said = f"`{line[at : at + 2]}` means nothing in double quotes"
        return _break(mark, said, "Put the text in single quotes, which take it as it stands.")
    quote = _open_quote(text, mark)
    if quote is not None:
        return Break(
            quote.start_mark.line + 1, quote.start_mark.column + 1,
            f"The quote that opens here ends {_ending_of(quote)}; what follows is not YAML.",
            "Close it where the text ends; within the text, use the other kind of quote.",
        )  # fmt: skip
    return _of_a_sign(line, mark, begin, problem) or _break(
        mark, *_SAID.get(problem, (problem, _DEPTH))
    )


def _of_a_sign(line: str, mark: Any, begin: Any, problem: str) -> Break | None:
    """Return the break that one sign has caused; None when its line stands wrongly."""
    if begin is not None and "alphabetic or numeric" in problem:
        return _break(begin, f"no text begins with `{line[begin.column : mark.column]}`", _QUOTE)
    if "cannot start any token" in problem:
        sign = line[mark.column : mark.column + 1]
        return _break(mark, f"no text begins with {_SIGNS.get(sign, f'`{sign}`')}", _QUOTE)
    if "find expected ':'" in problem and begin is not None:
        return _break(begin, "this line is no `key: value` and continues no text", _DEPTH)
    if "expected ',' or" in problem and begin is not None:
        opened = "[" if "']'" in problem else "{"
        said = f"the `{opened}` that opens here is not closed, or a comma is missing in it"
        return _break(begin, said, f"Close it with `{_CLOSED_BY[opened]}`, and mind the commas.")
    if "mapping values are not allowed" in problem:
        return _break(
            mark, "this colon makes a key of what stands before it, where none can stand",
            f"If it belongs to a text, put the whole text in quotes. {_DEPTH}",
        )  # fmt: skip
    before = line[: mark.column].rstrip()
    if before[-1:] in ("}", "]") and problem == "did not find expected key":
        opened = "{" if before[-1] == "}" else "["
        said = f"what `{opened}` began ends at `{before[-1]}`, and something follows"
        return _break(mark, said, f"If a text begins with `{opened}`, put it in quotes.")
    return None


def _break(mark: Any, said: str, hint: str) -> Break:
    return Break(mark.line + 1, mark.column + 1, f"This is not YAML: {said}.", hint)


def _unreadable(text: str, error: yaml.YAMLError) -> Break:
    """Return the place of a character that YAML does not take, which the parser only counts."""
    code = getattr(error, "character", None)
    if not isinstance(code, int) or chr(code) not in text:
        return Break(1, 1, f"This is not YAML: {str(error).splitlines()[0][:120]}.", _DEPTH)
    before = text[: text.index(chr(code))]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    said = f"the character U+{code:04X} stands here, which nobody sees"
    return Break(line, column, f"This is not YAML: {said}.", "Remove it.")


class _Quote:
    """Where a quoted text begins and ends; without an end it was left open."""

    __slots__ = ("end_mark", "start_mark")

    def __init__(self, start_mark: Any, end_mark: Any = None) -> None:
        self.start_mark = start_mark
        self.end_mark = end_mark


def _open_quote(text: str, mark: Any) -> _Quote | None:
    """Return the quoted text because of which YAML ends at this place, if one is."""
    last: _Quote | None = None
    try:
        for token in yaml.scan(text, Loader=yaml.CSafeLoader):
            if (token.start_mark.line, token.start_mark.column) >= (mark.line, mark.column):
                break
            begin = token.start_mark.index
            if isinstance(token, yaml.ScalarToken) and text[begin : begin + 1] in ("'", '"'):
                last = _Quote(token.start_mark, token.end_mark)
    except yaml.MarkedYAMLError as error:
        if "quoted scalar" in str(error.context):
            return _Quote(error.context_mark)
    except yaml.YAMLError:
        return None
    # What stands right behind a quote is where a text ended too early.
    if last is None or last.end_mark.line != mark.line:
        return None
    return last if mark.column - last.end_mark.column < 2 else None


def _ending_of(quote: _Quote) -> str:
    if quote.end_mark is None:
        return "nowhere"
    return f"in line {quote.end_mark.line + 1}, column {quote.end_mark.column}"


def _line_of(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number] if number < len(lines) else ""
