"""The README's commands run and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
PRINTED = [block for block in BLOCKS if block.count("$ ") == 1 and block.count("\n") > 1]


def test_there_are_blocks_to_check() -> None:
    assert len(PRINTED) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("block", PRINTED, ids=lambda block: block.splitlines()[0])
def test_a_command_prints_what_the_readme_shows(block: str) -> None:
    command, _, shown = block.partition("\n")
    arguments = command.removeprefix("$ mailbox-guard ").split()
    done = subprocess.run(
        [sys.executable, "-m", "console", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr == ""
    for printed, expected in zip(done.stdout.splitlines(), shown.splitlines(), strict=True):
        # A line may go on with what changes by the day, such as a digest.
        assert printed.startswith(expected)


def test_every_command_that_the_readme_names_exists() -> None:
    import click

    from console.main import cli

    for name in re.findall(r"`(?:mailbox-guard )?((?:[a-z]+ )?[a-z]+)(?: --| ID|`)", README):
        words = name.split()
        command: click.Command | None = cli
        for word in words:
            if not isinstance(command, click.Group):
                break
            command = command.get_command(click.Context(cli), word)
        if words[0] in ("sandbox", "decisions", "mailboxes", "sync", "scan", "demo"):
            assert command is not None, name


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"make ([a-z]+)", README):
        assert f"\n{target}:" in makefile
