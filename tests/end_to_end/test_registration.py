"""The whole life of a registration, through the commands, a guard that serves, and the sandbox."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.demo.person import DemoPerson
from sandbox import people
from sandbox.server import Sandbox
from sandbox.threaded import Threaded, running
from tests.end_to_end.processes import PREFIX, Processes, Running, processes

OLD = "the-old-key-of-this-test-Aa1-0123456789"
NEW = "the-new-key-of-this-test-Bb2-9876543210"
PATIENCE_SECONDS = 40.0


@pytest.fixture
def organization() -> Iterator[Threaded]:
    with running(Sandbox()) as threaded:
        threaded.sandbox.dataverse.jobs.longest_delay_seconds = 0.0
        yield threaded


@pytest.fixture
def group(organization: Threaded, tmp_path: Path) -> Iterator[Processes]:
    given = organization.sandbox.settings().items()
    settings = {name.removeprefix(PREFIX).lower(): text for name, text in given}
    settings |= {"webhook_keys": OLD, "reconcile_seconds": "1"}
    with processes(tmp_path / "processes", **settings) as started:
        yield started


def _run(group: Processes, *arguments: str, code: int = 0, **settings: str) -> Any:
    done = group.run("dataverse", *arguments, "--output", "json", **settings)
    assert done.returncode == code, done.stdout + done.stderr
    for secret in (OLD, NEW):
        assert secret not in done.stdout + done.stderr
    return json.loads(done.stdout)


def _until(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.1)  # noqa: TID251 - a real process takes real time.
    raise AssertionError(f"In vain for {what}")


def _told(serving: Running, text: str) -> bool:
    return any(text in one for one in serving.readiness()[1]["degraded"])


def _edit(organization: Threaded, alias: str, **values: Any) -> bool:
    person = DemoPerson(organization.sandbox, alias)
    path = ("mailboxes", people.ANNA.mailbox_id)
    return organization.run(person.update(*path, values)).is_done


def _saves(organization: Threaded) -> bool:
    """Save a form in which nothing was changed: it goes through where the guard is asked."""
    return _edit(organization, "anna", statecode=0)


def _switch(organization: Threaded, **values: Any) -> None:
    """Change the synchronous step on Update of mailbox, as an administrator of Dataverse would."""
    person = DemoPerson(organization.sandbox, "admin")
    step = next(
        row
        for row in organization.sandbox.rows("sdkmessageprocessingstep")
        if row["name"] == "mailbox-guard: Update of mailbox, synchronous"
    )
    path = ("sdkmessageprocessingsteps", step["sdkmessageprocessingstepid"])
    assert organization.run(person.update(*path, values)).is_done


def test_registering_rejects_edits_and_whatever_is_changed_there_is_told(
    organization: Threaded, group: Processes
) -> None:
    sandbox = organization.sandbox
    serving = group.serve("--no-sync")
    url = f"{serving.url}/webhooks/dataverse"

    # A plan changes nothing.
    planned = _run(group, "register", "--url", url, "--plan")
    assert {one["verb"] for one in planned["actions"]} == {"create"}
    assert sandbox.rows("serviceendpoint") == []

    _run(group, "register", "--url", url, "--by", "Ada")
    assert not _edit(organization, "anna", emailaddress="ceo@contoso.com")

    # A step is switched off: told, and it stays told after it was switched on again.
    _switch(organization, statecode=1)
    _until(lambda: _told(serving, "nothing is granted"), "the guard to notice")
    told = _run(group, "status", code=1)
    assert [one["column"] for one in told["differences"]] == ["statecode"]
    assert _edit(organization, "anna", username="past-the-step")
    _switch(organization, statecode=0)
    _until(lambda: _told(serving, "It is as it was again"), "the step to be seen on again")
    accepted = _run(group, "status", "--accept", "--reason", "CHG-1", "--by", "Ada")
    assert (accepted["suspected_at"], accepted["differences"]) == (None, [])
    _until(lambda: not _told(serving, "nothing is granted"), "the word to count")


def test_a_key_is_changed_without_a_gap(organization: Threaded, group: Processes) -> None:
    serving = group.serve("--no-sync")
    url = f"{serving.url}/webhooks/dataverse"
    _run(group, "register", "--url", url)

    # Nothing is sent that the guard would not take.
    refused = group.run("dataverse", "register", webhook_keys=f"{NEW},{OLD}")
    assert refused.returncode == 1
    assert "does not take" in refused.stderr
    assert _saves(organization)

    serving.terminate()
    settings = {"webhook_keys": f"{NEW},{OLD}"}
    both = group.start("serve", "--no-sync", "--port", str(serving.port), **settings)
    both.port = serving.port
    both.wait_until_ready()
    assert _saves(organization)
    (action,) = _run(group, "register", **settings)["actions"]
    assert (action["part"], action["sends_key"]) == ("endpoint", True)
    assert _run(group, "register", "--plan", **settings)["actions"] == []
    assert _saves(organization)

    both.terminate()
    alone = group.start("serve", "--no-sync", "--port", str(serving.port), webhook_keys=NEW)
    alone.port = serving.port
    alone.wait_until_ready()
    assert _saves(organization)


def test_break_glass_needs_no_database_and_ends_by_itself(
    organization: Threaded, group: Processes, tmp_path: Path
) -> None:
    serving = group.serve("--no-sync")
    _run(group, "register", "--url", f"{serving.url}/webhooks/dataverse")
    serving.terminate()
    assert not _saves(organization)

    elsewhere = {"database_url": f"sqlite:///{tmp_path}/no/such/folder.db"}
    words = ("--reason", "the database is gone", "--by", "Ada")
    paused = _run(group, "pause", "--until", "1h", *words, **elsewhere)
    assert {one["title"].split(", ")[1] for one in paused} == {"synchronous"}
    assert _edit(organization, "anna", username="let-through")

    again = group.start("serve", "--no-sync", "--port", str(serving.port))
    again.port = serving.port
    again.wait_until_ready()
    _until(lambda: _told(again, "has paused the synchronous steps"), "the pause to be shown")
    assert not _told(again, "nothing is granted")
    # An hour later: as if it had begun an hour earlier.
    for row in organization.sandbox.rows("sdkmessageprocessingstep"):
        if row["description"]:
            mark, *_, by, reason = json.loads(row["description"])
            times = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z")
            text = json.dumps([mark, *times, by, reason])
            organization.sandbox.dataverse.insert(
                "sdkmessageprocessingstep", {**row, "description": text}
            )
    _until(lambda: not _told(again, "has paused"), "the pause to end")
    assert _run(group, "status")["pause"] is None
    assert not _edit(organization, "anna", emailaddress="ceo@contoso.com")

    _run(group, "pause", "--until", "1h", *words)
    assert _run(group, "status", code=1)["pause"]["by"] == "Ada"
    assert len(_run(group, "resume")) == len(paused)
    _run(group, "resume", code=1)
    assert _run(group, "status")["pause"] is None
    longer = group.run("dataverse", "pause", "--until", "4d", *words)
    assert longer.returncode == 2
    assert "72 hours" in longer.stderr


def test_a_policy_that_needs_another_column_says_so_and_registering_mends_it(
    organization: Threaded, group: Processes, policies: Path
) -> None:
    group.settings["policies_dir"] = str(policies)
    serving = group.serve("--no-sync")
    _run(group, "register", "--url", f"{serving.url}/webhooks/dataverse")
    catalogue = (policies / "fields.yaml").read_text("utf-8")
    never = "  enabledforact: {type: boolean, arrives: never,"
    assert never in catalogue
    brought = never.replace("never", "image")
    (policies / "fields.yaml").write_text(catalogue.replace(never, brought), "utf-8")
    (policies / "imported.yaml").write_text(
        "apiVersion: guard/v1\nkind: Policy\nname: imported\nmode: warn\n"
        "match:\n  entity: mailbox\n  operations: [update]\nrules:\n"
        "  - {id: once, require: [{field: enabledforact, equals: true}], message: m}\n",
        "utf-8",
    )
    _until(lambda: _told(serving, "lacks enabledforact"), "the column to be told")
    assert not _told(serving, "nothing is granted")
    actions = _run(group, "register")["actions"]
    assert {(one["verb"], one["part"]) for one in actions} == {("update", "image")}
    _until(lambda: not _told(serving, "enabledforact"), "it to be mended")

    removed = _run(group, "unregister")
    assert {one["verb"] for one in removed} == {"remove"}
    assert organization.sandbox.rows("sdkmessageprocessingstep") == []
    assert organization.sandbox.rows("serviceendpoint") == []
