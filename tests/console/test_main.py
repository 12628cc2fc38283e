"""The command line answers with words and exit codes, never with a traceback."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from console import main as console_main
from console.main import COMMANDS, cli, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in out] == []


def test_the_line_in_the_overview_is_the_commands_own_help() -> None:
    context = click.Context(cli)
    for name, (_, _, text) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help == text


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2
    assert "No such command 'frobnicate'.\n" in capsys.readouterr().err
    assert main(["policy", "vaildate"]) == 2
    assert "No such command 'vaildate'. Did you mean `validate`?" in capsys.readouterr().err


def test_an_invalid_setting_names_itself_and_the_mend(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_ENFORCMENT", "observe")
    assert main(["db", "check"]) == 2
    err = capsys.readouterr().err
    assert "MAILBOX_GUARD_ENFORCMENT is not a setting" in err
    assert "MAILBOX_GUARD_ENFORCEMENT" in err


def test_our_own_fault_becomes_a_file_and_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def broken() -> None:
        raise RuntimeError("client_secret=hunter2")

    monkeypatch.setattr(console_main, "cli", broken)
    assert main([]) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "hunter2" not in err
    saved = Path(err.split("The details are in ")[1].split(";")[0])
    text = saved.read_text("utf-8")
    saved.unlink()
    assert "RuntimeError" in text
    assert "hunter2" not in text
