"""The sync alone, the guard down: what approvals rest on is looked up again by whoever runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.policy_folder import PolicyFolder
from console.wiring.sync import sync_alone
from kernel import approvals
from kernel.approvals import Approval, ApprovalState, WithdrawalCause
from kernel.clock import SystemClock
from kernel.database import Database
from kernel.settings import load
from sandbox import people
from sandbox.dataverse.values import Ref
from sandbox.faults import PlannedFault
from sandbox.server import Sandbox
from sync.engine.holder import ONCE
from sync.operate.mailboxes import list_mailboxes
from sync.run.once import once
from tests.sync.builders import TEST

pytestmark = pytest.mark.slow
AGED = timedelta(minutes=40)
TOO_OLD = timedelta(minutes=61)


class Organization:
    """A sandbox in which Bob's mailbox was approved, and a process that only syncs."""

    def __init__(self, sandbox: Sandbox, database: Database, policies: Path) -> None:
        self.sandbox = sandbox
        self.database = database
        self.clock = SystemClock()
        self.settings = load(
            sandbox.settings()
            | {
                "MAILBOX_GUARD_DATABASE_URL": database.url,
                "MAILBOX_GUARD_POLICIES_DIR": str(policies),
            }
        )

    def approve(self, *, age: timedelta) -> None:
        person = people.BOB
        self.database.write_now(
            lambda c: approvals.grant(
                c,
                record_id=person.mailbox_id,
                address=person.address,
                object_id=person.object_id,
                owner_id=person.user_id,
                owner_type="systemuser",
                evidence={"object_upn": person.address, "owner_upn": person.address},
                now=self.clock.now() - age,
            ),
            failpoint=TEST,
        )

    def held(self) -> Approval:
        found = self.database.read_now(lambda c: approvals.find(c, people.BOB.mailbox_id))
        assert found is not None
        return found

    def state(self) -> str:
        shown = self.database.read_now(lambda c: list_mailboxes(c, now=self.clock.now()))
        state: str = shown[0]["state"]
        return state

    def reads(self) -> int:
        """Return how many requests reached into the mailbox."""
        inside = f"users/{people.BOB.object_id}/mailFolders"
        return sum(inside in entry.path for entry in self.sandbox.access_log())

    async def sync(self) -> Any:
        policies = PolicyFolder.of(self.settings, self.clock)
        async with sync_alone(
            self.settings, self.database, self.clock, role=ONCE, policies=policies
        ) as opened:
            return await once(opened)


POLICY = """
apiVersion: guard/v1
kind: Policy
name: own-domain
title: Addresses are of our domain
severity: high
mode: enforce
match: {entity: mailbox, operations: [create, update]}
rules:
  - id: contoso
    require: [{field: address, part: domain, equals: contoso.com}]
    message: "{address} is not of contoso.com."
"""


@pytest.fixture
async def organization(tmp_path: Path) -> AsyncIterator[Organization]:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "own-domain.yaml").write_text(POLICY)
    database = Database(f"sqlite:///{tmp_path / 'guard.db'}")
    database.create_tables()
    database.open()
    async with Sandbox() as sandbox:
        row = sandbox.row("mailbox", people.BOB.mailbox_id)
        assert row is not None
        sandbox.dataverse.insert("mailbox", {**row, "emailrouteraccessapproval": 1})
        yield Organization(sandbox, database, folder)
    database.close()


async def test_old_evidence_that_holds_is_confirmed_and_the_mailbox_synced(
    organization: Organization,
) -> None:
    organization.approve(age=TOO_OLD)
    report = await organization.sync()
    assert report.is_clean, report.problems
    assert organization.held().evidence_age(organization.clock.now()) < timedelta(minutes=5)
    assert organization.reads()


async def test_evidence_that_is_young_is_not_looked_up_again(organization: Organization) -> None:
    organization.approve(age=timedelta(minutes=10))
    before = organization.held()
    assert (await organization.sync()).is_clean
    assert organization.held() == before


async def test_a_rename_in_entra_ends_the_approval_before_the_mailbox_is_reached(
    organization: Organization,
) -> None:
    organization.approve(age=AGED)
    organization.sandbox.person("bob").upn = "robert@contoso.com"
    await organization.sync()
    assert organization.held().cause is WithdrawalCause.EVIDENCE
    assert organization.reads() == 0


async def test_another_owner_of_the_row_ends_the_approval_at_the_next_reading(
    organization: Organization,
) -> None:
    organization.approve(age=timedelta())
    row = organization.sandbox.row("mailbox", people.BOB.mailbox_id)
    assert row is not None
    organization.sandbox.dataverse.insert(
        "mailbox",
        {**row, "regardingobjectid": Ref("systemuser", people.DESK.user_id)},
    )
    await organization.sync()
    assert organization.held().cause is WithdrawalCause.UNBACKED
    assert organization.reads() == 0


async def test_without_an_answer_old_evidence_lets_nothing_pass_and_takes_nothing_away(
    organization: Organization,
) -> None:
    organization.approve(age=TOO_OLD)
    organization.sandbox.faults.add(
        PlannedFault(
            "graph",
            f"users/{people.BOB.object_id}?",
            403,
            body={"error": {"code": "Authorization_RequestDenied", "message": "No."}},
            times=100,
        )
    )
    report = await organization.sync()
    assert [one.record_id for one in report.problems] == [people.BOB.mailbox_id]
    assert "last looked up" in report.problems[0].reason
    assert (organization.state(), organization.reads()) == ("resting", 0)
    assert organization.held().state is ApprovalState.APPROVED

    organization.sandbox.faults.clear()
    assert (await organization.sync()).is_clean
    assert organization.state() == "synced"


async def test_a_process_that_allows_less_age_looks_sooner(organization: Organization) -> None:
    organization.approve(age=timedelta(minutes=10))
    organization.sandbox.person("bob").upn = "robert@contoso.com"
    organization.settings = replace(organization.settings, evidence_max_age_seconds=60.0)
    await organization.sync()
    assert organization.held().state is ApprovalState.WITHDRAWN
    assert organization.reads() == 0
