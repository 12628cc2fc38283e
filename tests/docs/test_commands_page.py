"""docs/commands.md shows the whole command tree."""

from __future__ import annotations

import re

import click

from console.main import COMMANDS
from console.reference.commands import commands
from tests.docs.pages import page

TEXT = page("commands.md")


def test_every_command_has_a_section() -> None:
    shown = re.findall(r"^## `mailbox-guard (.+)`$", TEXT, re.MULTILINE)
    assert shown == [one.command_path.removeprefix("mailbox-guard ") for one in commands()]
    assert {path.split()[0] for path in shown} == set(COMMANDS)


def test_every_option_is_explained() -> None:
    silent = [
        f"{one.command_path} {parameter.opts[0]}"
        for one in commands()
        for parameter in one.command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_every_command_says_what_it_does_and_what_it_promises() -> None:
    for one in commands():
        assert one.command.help, one.command_path
        assert one.command.callback is not None, one.command_path
        assert one.command.callback.__doc__, one.command_path


def test_no_default_is_a_secret_or_a_path_of_this_machine() -> None:
    assert "/home/" not in TEXT
    assert "/root" not in TEXT
