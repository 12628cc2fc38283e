"""docs/day-one.md, followed from its beginning to its end on a tenant that nobody prepared."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from console.demo.person import DemoPerson
from sandbox import people
from sandbox.server import Sandbox
from sandbox.threaded import Threaded, running
from tests.docs.pages import page
from tests.end_to_end.processes import ROOT, free_port

KEY = "the-key-of-the-first-day-Aa1-0123456789"
PUBLIC = "https://guard.contoso.com/webhooks/dataverse"
BLOCKS = re.findall(
    r"^ *```console\n(.*?)^ *```", page("day-one.md"), flags=re.DOTALL | re.MULTILINE
)
COMMANDS = [line.strip().removeprefix("$ ") for block in BLOCKS for line in block.splitlines()]
SEEN = COMMANDS.index("mailbox-guard decisions list")


@pytest.fixture
def organization() -> Iterator[Threaded]:
    with running(Sandbox()) as threaded:
        threaded.sandbox.dataverse.jobs.longest_delay_seconds = 0.0
        yield threaded


class Shell:
    """One shell, to which the lines of the page are given."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.port = free_port()
        (folder / "bin").mkdir(parents=True)
        command = folder / "bin" / "mailbox-guard"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m console "$@"\n')
        command.chmod(0o755)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MAILBOX_GUARD_")}
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self._popen = subprocess.Popen(
            ["bash", "-u"],
            cwd=folder,
            env=inherited | settings | {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def follow(self, line: str) -> str:
        """Give one line as it is printed; return what it printed. It must end with 0."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        line = line.replace("8080", str(self.port))
        line = line.replace(PUBLIC, f"http://127.0.0.1:{self.port}/webhooks/dataverse")
        # What goes on in the background keeps no line of ours, nor its input.
        line = line.replace(" &", " >serve.log 2>&1 </dev/null &")
        given = line if line.endswith("&") else f"{{ {line}; }} </dev/null"
        self._popen.stdin.write(f"{given}\nprintf '\\nended %s\\n' $?\n")
        self._popen.stdin.flush()
        told: list[str] = []
        for printed in self._popen.stdout:
            if printed.startswith("ended "):
                assert printed == "ended 0\n", f"{line}\n{''.join(told)}"
                return "".join(told)
            told.append(printed)
        raise AssertionError(f"The shell ended at: {line}\n{''.join(told)}")

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGTERM)
        self._popen.communicate(timeout=30)


@pytest.fixture
def shell(organization: Threaded, tmp_path: Path) -> Iterator[Shell]:
    settings = organization.sandbox.settings() | {
        "MAILBOX_GUARD_WEBHOOK_KEYS": KEY,
        "MAILBOX_GUARD_DATA_DIR": str(tmp_path / "data"),
    }
    opened = Shell(tmp_path / "shell", settings)
    yield opened
    opened.close()


@pytest.mark.timeout(300)
def test_the_page_leads_from_nothing_to_a_guard_that_watches(
    organization: Threaded, shell: Shell
) -> None:
    told = [shell.follow(line) for line in COMMANDS[:SEEN]]
    assert "test cases pass" in told[0]
    assert "In Dataverse now: " in told[0]
    doctor = told[COMMANDS.index("mailbox-guard doctor || true")]
    assert "steps-registered: The guard is not registered" in doctor

    bob = DemoPerson(organization.sandbox, "bob")
    pointing = bob.update("mailboxes", people.BOB.mailbox_id, {"emailaddress": people.CEO.address})
    assert organization.run(pointing).is_done, "On the first day nothing is stopped."
    organization.run(organization.sandbox.settle())
    told = [shell.follow(line) for line in COMMANDS[SEEN:]]
    assert "reject" in told[1]
    assert people.CEO.address in told[1]
    row = organization.sandbox.row("mailbox", people.BOB.mailbox_id)
    assert row is not None
    assert row["emailaddress"] == people.CEO.address

    again = shell.follow("mailbox-guard doctor --all --output json || true")
    assert '"code": "steps-registered"' in again
    assert "is not registered" not in again
    for secret in (KEY, organization.sandbox.guard_identity.secret):
        assert all(secret not in one for one in (*told, again, doctor))
