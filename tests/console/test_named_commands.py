"""Every command that a text names is there, with its options: whoever follows gets an answer."""

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
PAGES = ("*.md", "docs/**/*.md", "docs/**/*.yaml", "policies/**/*.yaml", "webhook_examples/**/*.md")
# What has been, and what an author proposes, may name what is not there.
NOT_FOLLOWED = ("CHANGELOG.md", "docs/decisions/")
_WITH_PROGRAM = re.compile(r"mailbox-guard ([^`\n#|>\"]+)")
_QUOTED = re.compile(r"`([a-z][a-z-]* [^`\n]+)`")
# What a command says when it is ready is none to follow.
_SAID = frozenset({"sandbox ready"})
# A word by which an option is meant; `--since=T` and `--step.` too.
_OPTION = re.compile(r"(--[a-z][a-z-]*)")


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text of a file with its line; what an f-string fills in stands there as X."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text("utf-8").splitlines(), 1)
        return
    tree = ast.parse(path.read_text("utf-8"))
    pieces: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces |= {id(one) for one in node.values}
            parts = (
                one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else "X"
                for one in node.values
            )
            yield node.lineno, "".join(parts)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in pieces
        ):
            yield node.lineno, node.value


def what_is_wrong(text: str) -> str | None:
    """Tell what of a command is not there: itself, or an option; what follows may be anything."""
    found: click.Command = cli
    context = click.Context(cli)
    rest = text.split()
    known = {name for one in cli.params for name in one.opts}
    while rest and rest[0] in known:
        rest = rest[2:] if rest[0] == "--config" else rest[1:]
    while rest and isinstance(found, click.Group) and not rest[0].startswith("-"):
        word = rest.pop(0).strip(".,;:)")
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            # Several at once, such as `policy a|b`, or a placeholder.
            return None
        inner = found.get_command(context, word)
        if inner is None:
            return f"there is no `{word}` of `{found.name}`"
        found = inner
        known |= {name for one in found.params for name in (*one.opts, *one.secondary_opts)}
    if isinstance(found, click.Group):
        known.add("--help")
    # Of a pipe or a sentence that goes on, the rest is of something else.
    options = _OPTION.findall(" ".join(rest).partition(" mailbox-guard ")[0])
    return next((f"`{found.name}` has no {one}" for one in options if one not in known), None)


def _places() -> Iterator[tuple[str, Path]]:
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(NOT_FOLLOWED):
                yield name, path


def _named() -> Iterator[tuple[str, str]]:
    groups = set(cli.list_commands(click.Context(cli)))
    for name, path in _places():
        for line, text in _texts(path):
            for words in _WITH_PROGRAM.findall(text):
                yield f"{name}:{line}", words.strip()
            for words in _QUOTED.findall(text):
                if words.split()[0] in groups and words not in _SAID:
                    yield f"{name}:{line}", words


NAMED = sorted(set(_named()))


def test_there_are_commands_to_follow() -> None:
    assert len(NAMED) > 200


def test_every_command_that_a_text_names_exists_with_its_options() -> None:
    wrong = [(place, words, why) for place, words in NAMED if (why := what_is_wrong(words))]
    assert wrong == []


@pytest.mark.parametrize(
    "text", ["nurse", "policy prove", "scan --now", "decisions list --last 3", "--quiet scan"]
)
def test_a_command_or_an_option_that_does_not_exist_would_be_found(text: str) -> None:
    assert what_is_wrong(text)


@pytest.mark.parametrize(
    "text",
    [
        "policy",
        "policy validate|lint",
        "--config x.toml scan --apply",
        "serve, and more",
        "scan -h",
    ],
)
def test_what_exists_is_not_found_fault_with(text: str) -> None:
    assert what_is_wrong(text) is None
