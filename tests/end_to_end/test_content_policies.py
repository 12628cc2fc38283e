"""Policies on what mail holds: `sync run --once` as a process, over the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kernel import approvals
from kernel.clock import SystemClock
from kernel.database import Database
from kernel.failpoints import failpoint
from sandbox import people
from sandbox.server import Sandbox
from sandbox.threaded import running
from tests.end_to_end.processes import PREFIX, Processes

pytestmark = pytest.mark.slow
APPROVING = failpoint("tests.content-policies", "The guard's approval, taken for given.")
SECRET = "the results of the test"


def approve(group: Processes, person: people.Sample) -> None:
    """Hold a mailbox approved in the database of the processes."""
    assert group.run("db", "upgrade").returncode == 0
    database = Database(f"sqlite:///{group.folder / 'data' / 'mailbox-guard.db'}")
    database.open()
    database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=person.mailbox_id,
            address=person.address,
            object_id=person.object_id,
            owner_id=person.user_id,
            owner_type="systemuser",
            evidence={},
            now=SystemClock().now(),
        ),
        failpoint=APPROVING,
    )
    database.close()


def settings_of(sandbox: Sandbox) -> dict[str, str]:
    return {name.removeprefix(PREFIX).lower(): text for name, text in sandbox.settings().items()}


def one_pass(group: Processes, sandbox: Sandbox, **settings: str) -> dict[str, Any]:
    done = group.run(
        "sync", "run", "--once", "--output", "json", **settings_of(sandbox), **settings
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def deliver(sandbox: Sandbox) -> None:
    """Let three mails arrive at Anna's: one private, one personal, one like any other."""
    for name in ("Private", "Personal", "Ordinary"):
        sandbox.deliver_mail(
            people.ANNA.alias,
            subject=name,
            html=f"<p>{SECRET}: {name}</p>",
            files=((f"{name}.txt", SECRET.encode()),),
            headers={} if name == "Ordinary" else {"Sensitivity": name},
        )


def test_private_mail_is_not_copied_and_of_personal_mail_only_who_and_when(
    group: Processes, policies: Path
) -> None:
    private = policies / "private-mail-untouched.yaml"
    private.write_text(private.read_text("utf-8").replace("mode: audit", "mode: enforce"), "utf-8")
    sandbox = Sandbox()
    with running(sandbox):
        approve(group, people.ANNA)
        deliver(sandbox)

        report = one_pass(group, sandbox, policies_dir=str(policies))

        emails = {str(row["subject"]): row for row in sandbox.rows("email")}
        files = sorted(str(row["filename"]) for row in sandbox.rows("activitymimeattachment"))
    assert "Private" not in emails
    assert SECRET not in str(emails["Personal"]["description"] or "")
    assert emails["Personal"]["sender"] == "customer@fabrikam.com"
    assert SECRET in str(emails["Ordinary"]["description"])
    assert "Private.txt" not in files
    assert "Personal.txt" not in files
    assert "Ordinary.txt" in files
    assert report["skipped"] == 1
    assert report["created"] == len(emails)
    # Everything came with the page, and nothing was read apart to be judged: what is asked besides
    # is the list of each copied mail's attachments, whose names are part of its id, and each file.
    assert report["graph_requests"] <= 1 + len(emails) + len(files)


def test_as_shipped_every_mail_of_the_inbox_is_tracked(group: Processes) -> None:
    sandbox = Sandbox()
    with running(sandbox):
        approve(group, people.ANNA)
        deliver(sandbox)

        report = one_pass(group, sandbox)

        subjects = {str(row["subject"]) for row in sandbox.rows("email")}
    assert subjects >= {"Private", "Personal", "Ordinary"}
    assert report["skipped"] == 0


def test_a_policy_folder_that_does_not_load_stops_the_sync_before_any_mailbox(
    group: Processes, policies: Path
) -> None:
    (policies / "private-mail-untouched.yaml").write_text("kind: Policy\nname: [", "utf-8")
    sandbox = Sandbox()
    with running(sandbox):
        approve(group, people.ANNA)

        done = group.run(
            "sync", "run", "--once", policies_dir=str(policies), **settings_of(sandbox)
        )

        assert [one for one in sandbox.access_log() if one.origin == "graph"] == []
    assert done.returncode == 2
    assert "private-mail-untouched.yaml" in done.stderr
    assert "Traceback" not in done.stderr
