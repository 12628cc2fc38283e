"""Formatting moves whole lines, keeps every comment and never changes what a file means."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.format import FORMS, format_text
from rules.load.loader import load
from rules.schema.generate import schemas
from rules.syntax.folder import read_folder
from rules.syntax.nodes import read_nodes
from rules.syntax.shipped import shipped_folder

PATH = "policies/one-policy.yaml"
UNTIDY = """\
# yaml-language-server: $schema=schema/policy.schema.json
kind: Policy
# the version
apiVersion: guard/v1
name: one-policy


rules:
  # the first rule
  - message: m {address}
    # why it is called so
    id: the-rule
    require:
      - equals: a@b.de # trailing
        field: address
      - {exists: true, field: name}
  - require:
      - anyOf:
          - exists: true
            field: name
          # not a person
          - not:
              equals: a@b.de
              field: address
    id: two-rule
    message: >-
      several

      # no comment
      lines
    help: |
      one
match:
  operations: [create]
  entity: mailbox
# the end
"""
TIDY = """\
# yaml-language-server: $schema=schema/policy.schema.json
# the version
apiVersion: guard/v1
kind: Policy
name: one-policy

match:
  entity: mailbox
  operations: [create]
# the end
rules:
  # the first rule
  # why it is called so
  - id: the-rule
    require:
      - field: address
        equals: a@b.de # trailing
      - {exists: true, field: name}
    message: m {address}
  - id: two-rule
    require:
      - anyOf:
          - field: name
            exists: true
          # not a person
          - not:
              field: address
              equals: a@b.de
    message: >-
      several

      # no comment
      lines
    help: |
      one
"""


def test_keys_stand_in_their_order_with_the_comments_above_them() -> None:
    assert format_text(PATH, UNTIDY) == TIDY


def test_what_is_formatted_stays() -> None:
    assert format_text(PATH, TIDY) == TIDY


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "# only a comment\n", "- a list\n", "kind: [Policy\n", "kind: Nothing\nb: 1\n",
        "{name: a, kind: Policy}\n", "\tkind: Policy\n", "kind: Policy\nname: a\nname: b\n",
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_is_no_policy_file_stays_as_it_is(text: str) -> None:
    assert format_text(PATH, text) == text


def test_trailing_blanks_and_double_blank_lines_go() -> None:
    text = "kind: List  \nname: a-list\n\n\nitems: [a]\n\n"
    assert format_text("lists/a-list.yaml", text) == "kind: List\nname: a-list\n\nitems: [a]\n"


def test_blanks_that_mean_something_stay() -> None:
    text = "kind: Policy\nname: a\ndescription: |\n  two  \n\n\n  three\n"
    assert format_text(PATH, text) == text


def test_windows_line_ends_become_plain_ones() -> None:
    text = "kind: List\r\nname: a-list\r\nitems: [a]\r\n"
    assert "\r" not in format_text("lists/a-list.yaml", text)


SHIPPED = read_folder(shipped_folder(), [])


@settings(deadline=None, max_examples=150)
# A key that stands twice in one case, with others between.
@example("tests/freeze.test.yaml", 218406, 4)
@given(st.sampled_from(sorted(SHIPPED)), st.integers(0, 10**6), st.integers(0, 12))
def test_a_shuffled_or_spoilt_file_keeps_its_meaning_and_its_comments(
    path: str, seed: int, cuts: int
) -> None:
    lines = SHIPPED[path].splitlines(keepends=True)
    chance = random.Random(seed)  # noqa: S311
    for _ in range(cuts):
        at = chance.randrange(len(lines))
        move = chance.choice(("swap", "comment", "blank", "double"))
        if move == "swap" and at + 1 < len(lines):
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
        elif move == "comment":
            lines.insert(at, " " * chance.randrange(8) + f"# comment {seed}\n")
        elif move == "blank":
            lines.insert(at, "\n")
        else:
            lines.insert(at, lines[at])
    text = "".join(lines)

    done = format_text(path, text)

    before, after = read_nodes(path, text, []), read_nodes(path, done, [])
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert before.value() == after.value()
    assert _comments(text) == _comments(done)
    assert format_text(path, done) == done


def _comments(text: str) -> list[str]:
    return sorted(line.strip() for line in text.splitlines() if line.strip().startswith("#"))


def test_the_order_of_keys_is_that_of_the_schemas() -> None:
    """One order for editors, documentation and files."""
    made = schemas(load(shipped_folder()).catalogue)
    for kind, form in FORMS.items():
        schema = made[f"{kind.lower()}.schema.json"]
        assert list(form) == list(schema["properties"]), kind
    policy, test = made["policy.schema.json"], made["test.schema.json"]
    match, rule = policy["properties"]["match"], policy["properties"]["rules"]["items"]
    assert list(FORMS["Policy"]["match"]) == list(match["properties"])
    assert list(FORMS["Policy"]["rules"]) == list(rule["properties"])
    condition = _properties(policy["$defs"]["condition"])
    assert list(FORMS["Policy"]["match"]["when"])[: len(condition)] == condition
    case = test["properties"]["cases"]["items"]["properties"]
    assert set(FORMS["Test"]["cases"]) == set(case)
    assert list(FORMS["Test"]["cases"]["expect"]) == list(case["expect"]["properties"])


def _properties(schema: dict[str, Any]) -> list[str]:
    return list(schema["allOf"][0]["then"]["properties"])
