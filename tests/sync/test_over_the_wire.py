"""The adapters against a tenant that speaks over the wire and shares no code with them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cloud.dataverse import Dataverse
from cloud.entra import ClientSecret, MsalApp
from cloud.graph import Graph
from cloud.origins import dataverse_service, graph_service
from cloud.tokens import MsalTokens
from cloud.transport import Transport
from kernel import approvals
from kernel.clock import SystemClock
from kernel.database import Database
from sandbox import people
from sandbox.server import Sandbox
from sync.eligibility.dataverse import DataverseMailboxRows
from sync.eligibility.evidence import MemoryEvidence
from sync.engine.holder import new_holder
from sync.engine.workload import Clients
from sync.meter import Meter
from sync.registry import open_workloads
from sync.run.assembly import Assembly, assemble
from sync.run.once import once
from tests.sync.builders import TEST

pytestmark = pytest.mark.slow


@dataclass
class Tenant:
    sandbox: Sandbox
    database: Database
    sync: Assembly

    def approve(self, person: people.Sample) -> None:
        self.database.write_now(
            lambda c: approvals.grant(
                c,
                record_id=person.mailbox_id,
                address=person.address,
                object_id=person.object_id,
                owner_id=person.user_id,
                owner_type="systemuser",
                evidence={},
                now=self.sync.clock.now(),
            ),
            failpoint=TEST,
        )

    def emails(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.sandbox.rows("email")]

    def mailbox_requests(self, person: people.Sample) -> list[str]:
        return [
            entry.path
            for entry in self.sandbox.access_log()
            if entry.origin == "graph" and f"users/{person.object_id}/" in entry.path
        ]


@pytest.fixture
async def tenant(tmp_path: Path) -> AsyncIterator[Tenant]:
    clock = SystemClock()
    database = Database(f"sqlite:///{tmp_path / 'guard.db'}")
    database.create_tables()
    database.open()
    async with Sandbox() as sandbox:
        graph = graph_service(sandbox.graph_url)
        dataverse = dataverse_service(sandbox.dataverse_url)
        identity = sandbox.sync_identity
        bundle = str(sandbox.ca_bundle_file)
        app = MsalApp(
            authority=sandbox.authority_url,
            client_id=identity.client_id,
            credential=ClientSecret(identity.secret),
            ca_bundle_file=bundle,
        )
        tokens = MsalTokens(app, clock=clock)
        transport = Transport([graph, dataverse], tokens, clock=clock, ca_bundle_file=bundle)
        rows = Dataverse(transport, dataverse)
        meter = Meter()
        organization = UUID((await rows.who_am_i()).organization_id)
        clients = Clients(Graph(transport, graph), rows, organization, meter)
        sync = assemble(
            database,
            clock,
            workloads=open_workloads(clients),
            mailbox_rows=DataverseMailboxRows(rows, meter),
            holder=new_holder(),
            meter=meter,
            evidence=MemoryEvidence(database, clock),
        )
        yield Tenant(sandbox, database, sync)
        await transport.aclose()
        await tokens.aclose()
    database.close()


async def test_a_whole_inbox_arrives_once_with_its_attachments(tenant: Tenant) -> None:
    row = tenant.sandbox.row("mailbox", people.BOB.mailbox_id)
    assert row is not None
    tenant.sandbox.dataverse.insert("mailbox", {**row, "emailrouteraccessapproval": 1})
    tenant.approve(people.BOB)

    report = await once(tenant.sync)
    graph_requests = len(tenant.mailbox_requests(people.BOB))
    again = await once(tenant.sync)

    assert report.is_clean, report.problems
    assert again.is_clean
    emails = tenant.emails()
    assert len(emails) == 30
    assert {(row["statecode"], row["statuscode"], row["directioncode"]) for row in emails} == {
        (1, 4, False)
    }
    assert len({row["messageid"] for row in emails}) == 30
    attachments = [dict(row) for row in tenant.sandbox.rows("activitymimeattachment")]
    assert sorted(row["filename"] for row in attachments) == sorted(
        f"order-{number}.csv" for number in range(5, 31, 5)
    )
    first = next(row for row in attachments if row["filename"] == "order-5.csv")
    assert base64.b64decode(first["body"]) == b"order;quantity\n5;1\n"
    assert report.counts["created"] == 30
    assert report.counts["graph_requests"] == graph_requests
    assert again.counts["created"] == again.counts["listed"] == 0


async def test_only_approved_mailboxes_are_reached_and_by_object_id_only(tenant: Tenant) -> None:
    tenant.approve(people.ANNA)

    await once(tenant.sync)

    assert len(tenant.emails()) == 2
    assert tenant.mailbox_requests(people.ANNA)
    assert not tenant.mailbox_requests(people.CEO)
    assert not any("@contoso.com" in path for path in tenant.mailbox_requests(people.ANNA))


async def test_the_same_mail_in_two_mailboxes_is_one_row(tenant: Tenant) -> None:
    for person in (people.ANNA, people.CFO):
        tenant.sandbox.deliver_mail(
            person.alias,
            subject="To both",
            message_id="<both@fabrikam.com>",
            files=(("a.txt", b"a"),),
        )
        tenant.approve(person)

    report = await once(tenant.sync)

    assert report.is_clean, report.problems
    assert [row["subject"] for row in tenant.emails()].count("To both") == 1
    assert len(tenant.sandbox.rows("activitymimeattachment")) == 1


async def test_a_deleted_mail_keeps_its_row_and_a_new_one_follows(tenant: Tenant) -> None:
    tenant.approve(people.ANNA)
    await once(tenant.sync)
    mailbox = tenant.sandbox.mailbox("anna")
    gone = tenant.sandbox.deliver_mail("anna", subject="Short-lived")
    await once(tenant.sync)
    mailbox.delete(gone)
    tenant.sandbox.deliver_mail("anna", subject="New")

    report = await once(tenant.sync)

    assert {"Short-lived", "New"} <= {row["subject"] for row in tenant.emails()}
    assert report.counts["removed"] == 1
    assert report.counts["created"] == 1


async def test_a_misbehaving_stream_ends_in_the_same_rows(tenant: Tenant) -> None:
    row = tenant.sandbox.row("mailbox", people.BOB.mailbox_id)
    assert row is not None
    tenant.sandbox.dataverse.insert("mailbox", {**row, "emailrouteraccessapproval": 1})
    tenant.approve(people.BOB)
    faults = tenant.sandbox.stream_faults("bob")
    faults.repeat_items = faults.shuffle = faults.empty_page_first = True
    faults.partial_updates = True
    faults.lose_sync_state_mid_round = 1

    first = await once(tenant.sync)
    mailbox = tenant.sandbox.mailbox("bob")
    faults.lose_sync_state = 1
    arrived = tenant.sandbox.deliver_mail("bob", subject="One more", html="<p>hi</p>")
    mailbox.changed(arrived, tenant.sandbox.clock.now())
    second = await once(tenant.sync)
    third = await once(tenant.sync)

    assert first.is_clean, first.problems
    assert second.is_clean, second.problems
    assert third.is_clean, third.problems
    emails = tenant.emails()
    assert len(emails) == 31
    assert len({row["messageid"] for row in emails}) == 31
    assert {row["statuscode"] for row in emails} == {4}
