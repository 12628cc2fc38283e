"""What the parser refuses is told at its place, in words of whoever wrote it, with the mend."""

from __future__ import annotations

import pytest

from rules.syntax.complaint import Complaint
from rules.syntax.nodes import read_nodes


def _told(text: str) -> Complaint:
    complaints: list[Complaint] = []
    assert read_nodes("a.yaml", text, complaints) is None
    (told,) = complaints
    assert told.code in ("yaml-syntax", "yaml-tag")
    return told


@pytest.mark.parametrize(
    ("text", "place", "said", "mend"),
    [
        ("a: @contoso.com\n", (1, 4), "no text begins with `@`", "in quotes"),
        ("a: [*@contoso.com]\n", (1, 5), "no text begins with `*`", "in quotes"),
        ("a: *.contoso.com\n", (1, 4), "no text begins with `*`", "in quotes"),
        ("a: &@x\n", (1, 4), "no text begins with `&`", "in quotes"),
        ("a: `x`\n", (1, 4), "no text begins with a backtick", "in quotes"),
        ("a: *contoso\n", (1, 4), "Nothing is anchored as `&contoso`", "in quotes"),
        ("a: !x y\n", (1, 4), "The tag `!x` is not allowed", "in quotes"),
        ("title: Note: this\n", (1, 12), "this colon makes a key", "in quotes"),
        ("message: {address} no.\n", (1, 20), "what `{` began ends at `}`", "in quotes"),
        ("message: [a] no.\n", (1, 14), "what `[` began ends at `]`", "in quotes"),
        ("r:\n  - {field: a, b: c\nm: x\n", (2, 5), "the `{` that opens here", "`}`"),
        ("in: [a, b\nx: y\n", (1, 5), "the `[` that opens here", "`]`"),
        ("a: 1\nfoo\nb: 2\n", (2, 1), "no `key: value`", "spaces"),
        ("a:\n  b: 1\n c: 2\n", (3, 2), "neither beside the keys before it", "spaces"),
        ("a: - b\n", (1, 4), "a list begins behind a key", "next line"),
        ('m: "[a-z]+\\d"\n', (1, 11), "`\\d` means nothing in double quotes", "single quotes"),
        ('m: "a\\.b"\n', (1, 6), "`\\.` means nothing in double quotes", "single quotes"),
        ("a: 1\nb: x\0y\n", (2, 5), "U+0000", "Remove it"),
        ("a: 1\n...\nb: 2\n", (3, 1), "a second document", "one document"),
        ("a:\n\tb: 1\n", (2, 1), "a tab stands", "spaces"),
        ('a: "b\nc: d\n', (1, 4), "ends nowhere", "Close it"),
        ('a: "b" c\n', (1, 4), "ends in line 1, column 6", "Close it"),
    ],
)
def test_what_yaml_does_not_take(text: str, place: tuple[int, int], said: str, mend: str) -> None:
    told = _told(text)

    assert (told.line, told.column) == place
    assert said in told.text
    assert mend in (told.hint or "")


_REFUSED = (
    "a: @b", "a: *@", "a: b: c", "a: {b} c", "a: {b", "a: [b", "a\nb: c", "a: - b", "a: ? b",
    "a: |x",
)  # fmt: skip


@pytest.mark.parametrize("text", _REFUSED)
def test_no_word_of_the_parser_reaches_the_author(text: str) -> None:
    told = _told(text)

    for word in ("token", "scalar", "context", "expected", "mapping", "indicator"):
        assert word not in told.text
