"""The README's commands run and print what it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import venv
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
PRINTED = [block for block in BLOCKS if block.count("\n$ ") == 0 and block.count("\n") > 1]
COMMANDS = [block.strip() for block in BLOCKS if block.count("\n") == 1]
SCRIPTS = [block for block in BLOCKS if block.count("\n$ ") > 0]
# Each is run by a test of its own kind: the demo end to end, all tests by whoever runs them.
RUN_ELSEWHERE = {"$ make demo", "$ make test"}


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
    # The folder that is taken without being named is told, beside the result.
    assert done.stderr in ("", "The folder policies of this directory is taken.\n")
    for printed, expected in zip(done.stdout.splitlines(), shown.splitlines(), strict=True):
        # A line may go on with what changes by the day, such as a digest.
        assert printed.startswith(expected)


def test_it_begins_with_installing() -> None:
    first = next(line for line in README.splitlines() if line.startswith("## "))
    assert first == "## Install"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in RUN_ELSEWHERE])
def test_a_command_without_output_does_what_it_is_there_for(command: str, tmp_path: Path) -> None:
    program, *arguments = shlex.split(command.removeprefix("$ "))
    if program != "pip" and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here, so `{command}` was not tried.")
    if program == "pip":
        # The dependencies are those that this test runs on; nothing is downloaded.
        venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
        (packages,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
        ours = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (packages / "dependencies.pth").write_text("\n".join(ours))
        offline = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
        python = tmp_path / "venv" / "bin" / "python"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--python", python, *arguments, *offline],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "venv" / "bin" / "mailbox-guard").is_file()
        return
    homes = {"PIPX_HOME": str(tmp_path), "PIPX_BIN_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [program, *arguments], cwd=ROOT, env=os.environ | homes, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.splitlines()[1])
def test_a_script_of_the_readme_runs_as_printed(script: str, tmp_path: Path) -> None:
    """Run it in a shell, on a port that is free, and end whatever it left in the background."""
    lines = [line.removeprefix("$ ") for line in script.splitlines()]
    text = "\n".join(lines).replace("8080", str(free_port())).replace("curl", "curl --fail")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": programs, "HOME": str(tmp_path), "MAILBOX_GUARD_DATA_DIR": str(tmp_path)}
    shell = subprocess.Popen(
        ["bash", "-euc", text], cwd=tmp_path, env=settings, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert shell.wait(90) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        told, complained = shell.communicate()
    assert '"ready":true' in told.replace(" ", ""), complained


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
