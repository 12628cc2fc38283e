"""A person's edit is held; another one signs in and releases it, and it takes effect."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.demo.person import DemoPerson
from sandbox import people
from sandbox.server import Sandbox
from sandbox.threaded import Threaded, running
from tests.end_to_end.processes import PREFIX, Processes, Running, processes

pytestmark = pytest.mark.slow
KEY = "the-key-of-this-test-Aa1-0123456789"
CFO, OLD_ADDRESS = people.CFO, "cfo.old@contoso.com"
APPROVED, PENDING = 1, 2
PATIENCE_SECONDS = 40.0


@pytest.fixture
def organization() -> Iterator[Threaded]:
    with running(Sandbox()) as threaded:
        sandbox = threaded.sandbox
        sandbox.dataverse.jobs.longest_delay_seconds = 0.0
        for table, record_id, column in (
            ("mailbox", CFO.mailbox_id, "emailaddress"),
            ("systemuser", CFO.user_id, "internalemailaddress"),
        ):
            row = sandbox.row(table, record_id)
            assert row is not None
            changed = {column: OLD_ADDRESS, "emailrouteraccessapproval": PENDING}
            sandbox.dataverse.insert(table, {**row, **changed})
        yield threaded


@pytest.fixture
def group(organization: Threaded, tmp_path: Path) -> Iterator[Processes]:
    given = organization.sandbox.settings().items()
    settings = {name.removeprefix(PREFIX).lower(): text for name, text in given}
    settings |= {"webhook_keys": KEY, "reconcile_seconds": "1"}
    with processes(tmp_path / "processes", **settings) as started:
        yield started


def edit(organization: Threaded, alias: str, **values: Any) -> bool:
    person = DemoPerson(organization.sandbox, alias)
    return organization.run(person.update("mailboxes", CFO.mailbox_id, values)).is_done


COULD_NOT_BE_DONE = 2


def listed(group: Processes, state: str = "all") -> list[dict[str, Any]]:
    done = group.run("holds", "list", "--state", state, "--output", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def approve(group: Processes, hold_id: str, by: people.Sample) -> tuple[int, Running]:
    """Give the command, and enter the code that it shows as that person."""
    command = group.start("holds", "approve", hold_id, "--reason", "Agreed.", "--output", "json")
    command.wait_for("enter the code")
    told = re.search(r"Open (\S+) and enter the code (\S+)\.", command.err)
    assert told is not None, command.shown()
    trust = ssl.create_default_context(cafile=group.settings["ca_bundle_file"])
    with httpx.Client(verify=trust, trust_env=False) as browser:
        form = {"user_code": told[2], "upn": by.address}
        assert browser.post(told[1], data=form).status_code == 200
    return command.wait(), command


def release(group: Processes, hold_id: str, by: people.Sample) -> tuple[int, Running]:
    """Approve, again where it could not be done: facts are looked up within a deadline."""
    code, command = approve(group, hold_id, by)
    for _ in range(2):
        if code == COULD_NOT_BE_DONE:
            code, command = approve(group, hold_id, by)
    return code, command


def until(condition: Callable[[], bool], server: Running) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, server.shown()
        time.sleep(0.2)  # noqa: TID251 - a real process takes real time.


def test_what_is_held_is_released_by_another_person_and_takes_effect(
    organization: Threaded, group: Processes
) -> None:
    # Who asks is an approver too.
    sandbox, releaser = organization.sandbox, people.GLOBAL_ADMIN
    server = group.serve("--no-sync")
    sandbox.register(f"{server.url}/webhooks/dataverse", KEY)

    # An address is held, released, and written by the guard.
    assert not edit(organization, "approver", emailaddress=CFO.address)
    (hold,) = listed(group, "open")
    assert (hold["release"], hold["requester"]["object_id"]) == ("write", people.APPROVER.object_id)
    code, command = approve(group, hold["id"], people.APPROVER)
    assert code == 1, command.shown()
    assert "their own" in command.err
    code, command = release(group, hold["id"], releaser)
    assert code == 0, command.shown()
    until(lambda: listed(group)[0]["state"] == "applied", server)
    row = sandbox.row("mailbox", CFO.mailbox_id)
    assert row is not None
    assert row["emailaddress"] == CFO.address

    # Its approval is held, and let through once when it is made again.
    assert not edit(organization, "approver", emailrouteraccessapproval=APPROVED)
    (hold,) = listed(group, "open")
    assert hold["release"] == "pass"
    assert release(group, hold["id"], releaser)[0] == 0
    assert edit(organization, "approver", emailrouteraccessapproval=APPROVED)
    mailboxes = ("mailboxes", "list", "--output", "json")
    until(lambda: any(one["approved"] for one in json.loads(group.run(*mailboxes).stdout)), server)
    assert group.run("decisions", "verify").returncode == 0
    shown = group.run("holds", "show", hold["id"])
    assert "state: used" in shown.stdout
    assert people.APPROVER.address in shown.stdout
