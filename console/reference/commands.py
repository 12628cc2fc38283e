"""docs/commands.md: the whole command tree with arguments, options and exit codes."""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.main import cli
from console.reference.table import table

NAME = "mailbox-guard"
_HEAD = f"""\
# Commands

One command, `{NAME}`, also `python -m mailbox_guard`, and in a checkout `python -m console`.
Results go to stdout or where `--output` says, everything else to stderr. Settings come from the
environment and `mailbox-guard.toml`, see [settings](settings.md).

| exit code | meaning |
|---|---|
| 0 | done and clean |
| 1 | the answer is no |
| 2 | could not be done: usage, invalid input, something missing; see [errors](errors.md) |
| 3 | our own fault; a file with the details is named |

"""


def commands_page() -> str:
    """Return docs/commands.md."""
    root = click.Context(cli, info_name=NAME)
    general = [*_options(root), ("`--help`", "Show the help of any command.")]
    parts = [_HEAD, "Before any command:\n\n", table(("option", "meaning"), general)]
    for context in commands():
        parts.append(_section(context))
    return "".join(parts)


def commands() -> Iterator[click.Context]:
    """Yield a context for every command that does something, in the order of `--help`."""
    yield from _leaves(click.Context(cli, info_name=NAME))


def _leaves(context: click.Context) -> Iterator[click.Context]:
    command = context.command
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None and not found.hidden:
            yield from _leaves(click.Context(found, info_name=name, parent=context))


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    callback = command.callback.__doc__ if command.callback else None
    told = " ".join((callback or "").split())
    options = _options(context)
    listed = "\n" + table(("option", "meaning"), options) if options else ""
    return f"\n## `{context.command_path}`\n\n{command.help}\n{told}\n\n```\n{usage}\n```\n{listed}"


def _options(context: click.Context) -> list[tuple[str, str]]:
    rows = []
    for parameter in context.command.params:
        if not isinstance(parameter, click.Option):
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            form, text = record
            rows.append((f"`{form}`", " ".join(text.split())))
    return rows
