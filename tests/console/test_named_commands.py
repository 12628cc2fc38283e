"""Every command that a text names is there: whoever follows a hint gets an answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from console.main import cli

ROOT = Path(__file__).parents[2]
PRODUCT = ("cloud", "console", "guard", "kernel", "rules", "sandbox", "sync")
_WITH_PROGRAM = re.compile(r"mailbox-guard((?: [a-z][a-z-]*){1,2})")
_QUOTED = re.compile(r"`((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)+)")


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text of a file with its line; what an f-string fills in is left out."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _is_command(words: list[str]) -> bool:
    """Tell whether words begin with a command; what follows it may be anything."""
    found: click.Command | None = cli
    context = click.Context(cli)
    for word in words:
        if not isinstance(found, click.Group):
            return True
        found = found.get_command(context, word)
        if found is None:
            return False
    return True


def _named() -> Iterator[tuple[str, str]]:
    groups = set(cli.list_commands(click.Context(cli)))
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            for line, text in _texts(path):
                place = f"{path.relative_to(ROOT)}:{line}"
                for words in _WITH_PROGRAM.findall(text):
                    yield place, words.strip()
                for words in _QUOTED.findall(text):
                    if words.split()[0] in groups:
                        yield place, words


NAMED = sorted(set(_named()))


def test_there_are_commands_to_follow() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("place", "words"), NAMED)
def test_a_command_that_a_text_names_exists(place: str, words: str) -> None:
    assert _is_command(words.split()), f"{place} names `mailbox-guard {words}`"


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert not _is_command(["doctor"])
    assert not _is_command(["policy", "prove"])
