"""Results: one value, written as text or JSON to stdout or a file; everything else is stderr's."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import category

import click

from kernel.errors import InputRefused

FORMATS = ("text", "json")
_PIPE_WIDTH = 10_000
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Output:
    """Where and how a result is written: `text`, `json=report.json`."""

    format: str
    file: Path | None = None


class OutputType(click.ParamType[Output]):
    """`FORMAT[=FILE]` on the command line."""

    name = "FORMAT[=FILE]"

    def __init__(self, formats: Sequence[str] = FORMATS) -> None:
        self.formats = tuple(formats)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Output:
        """Parse one `--output`."""
        if isinstance(value, Output):
            return value
        name, _, file = str(value).partition("=")
        if name not in self.formats:
            self.fail(f"`{name}` is not one of: {', '.join(self.formats)}.", param, ctx)
        return Output(name, Path(file) if file else None)


def output_option(formats: Sequence[str] = FORMATS) -> Callable[[Any], Any]:
    """Return the `--output` option of a command; it may be repeated."""
    return click.option(
        "--output",
        "outputs",
        type=OutputType(formats),
        multiple=True,
        help=f"Format of the result: {', '.join(formats)}; FORMAT=FILE writes a file.",
    )


def emit(
    outputs: Sequence[Output],
    value: Any,
    *,
    text: Callable[[], str],
    **renderers: Callable[[], str],
) -> None:
    """Write the result in every format asked for; text to stdout when none was."""
    for output in outputs or [Output("text")]:
        if output.format == "json":
            rendered = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        elif output.format == "text":
            rendered = plain(text())
        else:
            rendered = renderers[output.format]()
        if output.file is not None:
            write_whole(output.file, f"{rendered}\n" if rendered else "")
        elif rendered:
            click.echo(rendered)


def plain(text: str) -> str:
    """Return a text with a sign in the place of what would steer a terminal or hide from a reader.

    Names and values come from files that somebody else may have written.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        "\ufffd" if category(char) in _STEERING and char not in "\n\t" else char for char in text
    )


def write_whole(file: Path, text: str) -> None:
    """Write a text file at once: whoever reads it meanwhile finds the old text or the new one.

    Raises InputRefused when it cannot be written; then the old text is still there.
    """
    try:
        if file.exists() and not file.is_file():
            # A pipe or a terminal, such as /dev/stderr: nothing can be put in its place.
            file.write_text(text, encoding="utf-8")
        else:
            _replace(file.resolve(), text)
    except OSError as error:
        raise InputRefused(
            f"{file} was not written: {error.strerror}.",
            hint="Name a file that can be written, in a folder that is there.",
        ) from error


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        if file.exists():
            beside.chmod(file.stat().st_mode)
        os.replace(beside, file)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: `1 rule`, `2 rules`, `0 policies`."""
    return f"{number} {one}" if number == 1 else f"{number} {several or one + 's'}"


def word(value: object) -> str:
    """Return a value as people write it: yes, no, a list with commas, and nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(word(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {word(one)}" for name, one in value.items())
    return str(value)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> str:
    """Return rows as a table for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    # Into a pipe or a file each row is one line, so that it can be searched and cut.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(shown)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())
